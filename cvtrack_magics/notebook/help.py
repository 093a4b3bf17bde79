"""``%mlhelp``, and the lines of all magics."""

from __future__ import annotations

import re

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from cvtrack_magics.commands import (
    context as facts,
)
from cvtrack_magics.commands import (
    gate,
    release,
    runs,
    vision,
)
from cvtrack_magics.commands import (
    sync_lines as sync,
)
from cvtrack_magics.commands.line import Line
from cvtrack_magics.commands.show_lines import Table, show
from cvtrack_magics.console import say
from cvtrack_magics.errors import did_you_mean

HELP = Line("%mlhelp", "List the magics, or explain one.", "%mlhelp mlrun").option(
    "name", nargs="?", metavar="MAGIC", help="which"
)

LINES: dict[str, Line] = {
    "mlexperiment": runs.EXPERIMENT,
    "mlrun": runs.RUN,
    "mlend": runs.END,
    "mlruns": runs.RUNS,
    "mlshow": runs.SHOW,
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
            say(LINES[name].format_help())
        else:
            raise UsageError(f"There is no magic %{name}.{did_you_mean(name, LINES)}")


def _in_short(parser: Line) -> str:
    text = " ".join((parser.description or "").split())
    return re.split(r"[.:]\s|\.$", text, maxsplit=1)[0].strip()
