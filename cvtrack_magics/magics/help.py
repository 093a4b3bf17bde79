"""``%mlhelp`` and Tab completion of options."""

from __future__ import annotations

import re
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from cvtrack_magics.errors import CvtrackError, did_you_mean
from cvtrack_magics.magics import facts, gate, release, runs, sync, vision
from cvtrack_magics.magics.parser import Line
from cvtrack_magics.magics.show import Table, show

HELP = Line("%mlhelp", "List the magics, or explain one.", "%mlhelp mlrun").option(
    "name", nargs="?", help="a magic"
)

LINES: dict[str, Line] = {
    "mlexperiment": runs.EXPERIMENT,
    "mlrun": runs.RUN,
    "mlend": runs.END,
    "mltags": runs.TAGS,
    "mlparams": facts.PARAMS,
    "mlconfig": facts.CONFIG,
    "mlseed": facts.SEED,
    "mlenv": facts.ENV,
    "mldata": facts.DATA,
    "mlautolog": facts.AUTOLOG,
    "mlgrid": vision.GRID,
    "mleval": vision.EVAL,
    "mlcam": vision.CAM,
    "mlaugment": vision.AUGMENT,
    "mlmodel": release.MODEL,
    "mlexport": release.EXPORT,
    "mlbench": release.BENCH,
    "mlcard": release.CARD,
    "mlcheck": gate.CHECK,
    "mlgate": gate.GATE,
    "mlload": release.LOAD,
    "mlsync": sync.SYNC,
    "mlhelp": HELP,
}

NAMES_FROM_NOTEBOOK = {
    *("mlparams", "mlconfig", "mldata"),
    *("mlgrid", "mleval", "mlcam", "mlaugment"),
    *("mlmodel", "mlexport", "mlbench"),
}

MODELS = {"mlgate", "mlcard", "mlcheck", "mlload"}


@magics_class
class HelpMagics(Magics):
    """Help."""

    @line_magic
    @HELP.document
    def mlhelp(self, line: str) -> None:
        """See HELP."""
        name = (HELP.read(line).name or "").lstrip("%")
        if not name:
            rows = [(parser.prog, _in_short(parser), parser.example) for parser in LINES.values()]
            show(Table(("magic", "what it does", "for example"), rows))
        elif name in LINES:
            print(LINES[name].format_help())
        else:
            raise UsageError(f"There is no magic %{name}.{did_you_mean(name, LINES)}")


def _in_short(parser: Line) -> str:
    text = " ".join((parser.description or "").split())
    return re.split(r"[.:]\s|\.$", text, maxsplit=1)[0].strip()


def complete(shell: Any, event: Any) -> list[str]:
    """Return what Tab offers after one of our magics."""
    words = event.line.lstrip("% ").split()
    parser = LINES.get(words[0]) if words else None
    if parser is None:
        return []
    offers = parser.option_names()
    for action in parser._actions:
        offers += [str(choice) for choice in action.choices or ()]
    if words[0] in NAMES_FROM_NOTEBOOK:
        offers += [name for name in shell.user_ns if not name.startswith("_")]
    if words[0] == "mlexperiment":
        offers += _experiments()
    if words[0] in MODELS:
        offers += _models()
    if words[0] == "mltags":
        from cvtrack_magics.capture.schema import TAG_SCHEMA

        offers += [f"{item.key}=" for item in TAG_SCHEMA]
    return [offer for offer in offers if offer.startswith(event.symbol)]


def _experiments() -> list[str]:
    """Return the experiments of the store, or nothing when it does not answer."""
    from cvtrack_magics.runs.current import get_session

    try:
        return get_session().tracking.experiments()
    except CvtrackError:
        return []


def _models() -> list[str]:
    """Return the registered models and their aliases, or nothing when the store is away."""
    from cvtrack_magics.runs.releasing.references import registry

    try:
        return registry().names()
    except CvtrackError:
        return []
