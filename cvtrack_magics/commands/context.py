"""``%mlparams``, ``%mlconfig``, ``%mlseed``, ``%mlenv``, ``%mldata``, ``%mlautolog``."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from cvtrack_magics.commands.line import Line, evaluate
from cvtrack_magics.commands.show_lines import Table, show
from cvtrack_magics.console import say
from cvtrack_magics.display.work_bar import WorkBar
from cvtrack_magics.lazy import Lazy

if TYPE_CHECKING:
    from cvtrack_magics.run import run_records as facts
else:
    facts = Lazy("cvtrack_magics.run.run_records")

PARAMS = (
    Line(
        "%mlparams",
        "Record hyper-parameters: dicts (nested ones get dots), dataclasses, namespaces,\n"
        "pydantic and OmegaConf configs; and what torch objects imply: optimizer,\n"
        "scheduler, DataLoader, transforms, model, gradient scaler; and name=value.",
        "%mlparams config optimizer scheduler train_loader model warmup=5",
    )
    .option("values", nargs="+", metavar="EXPR", help="a name, an expression, or name=value")
    .option("--prefix", default="", help="put in front of every name, with a dot")
    .option("--show", action="store_true", help="show the params as a table")
)

CONFIG = (
    Line(
        "%mlconfig",
        "Record a config file, or an object as YAML, whole under configs/ and its leaves\n"
        "as params.",
        "%mlconfig configs/train.yaml",
    )
    .option("value", metavar="FILE|EXPR", help="a YAML, JSON or TOML file, or an expression")
    .option("--name", default="", help="the file's name in the run, for an expression")
)

SEED = (
    Line(
        "%mlseed",
        "Seed every random generator and record the seed in the open run and those that\n"
        "follow. Python, NumPy, torch (CPU, CUDA, MPS) and Albumentations are seeded.",
        "%mlseed 42 --deterministic",
    )
    .option("seed", type=int, metavar="N", help="0 to 4294967295")
    .option("--deterministic", action="store_true", help="ask for deterministic algorithms")
)

ENV = Line(
    "%mlenv",
    "Show what this code runs on. Every run records it, with all packages as a\nrequirements file.",
    "%mlenv",
).option("--packages", action="store_true", help="show the requirements file instead")

DATA = (
    Line(
        "%mldata",
        "Record which data was used: SHA-256 over the full content, a manifest with one\n"
        "line for each file, and an MLflow dataset input.",
        "%mldata data/train --name coco-train --context training",
    )
    .option("value", metavar="EXPR|PATH", help="array, tensor, Dataset, file or folder")
    .option("--name", default="", help="the data set's name")
    .option("--context", default="training", help="training, validation, testing …")
    .option("--source", default="", help="where it came from")
)

AUTOLOG = Line(
    "%mlautolog",
    "Switch MLflow's autologging of PyTorch on or off.\n"
    "explore: on, every epoch, no models.\n"
    "production: off, and the record holds just what the code says.",
    "%mlautolog explore",
).option("mode", choices=("explore", "production"), help="explore or production")


_GIVEN = re.compile(r"(?P<name>[^\W\d][\w./-]*)=(?!=)(?P<value>.+)", re.DOTALL)
"""``optim.lr=0.1``; a comparison (``a==b``) is none."""


@magics_class
class FactMagics(Magics):
    """What surrounds a run."""

    @no_var_expand
    @line_magic
    @PARAMS.document
    def mlparams(self, line: str) -> None:
        """See PARAMS."""
        options = PARAMS.read(line)
        named = [_named(text, self.shell.user_ns) for text in options.values]
        names, values = zip(*named, strict=True)
        said = facts.mlparams(*values, prefix=options.prefix, names=names)
        say(said)
        if options.show:
            from cvtrack_magics.records import Param

            rows = [(r.key, r.value) for r in said.records if isinstance(r, Param)]
            show(Table(("param", "value"), rows))

    @no_var_expand
    @line_magic
    @CONFIG.document
    def mlconfig(self, line: str) -> None:
        """See CONFIG."""
        options = CONFIG.read(line)
        value = self._file_or_value(options.value, "%mlconfig")
        say(facts.mlconfig(value, name=options.name or _identifier(options.value, "config")))

    @line_magic
    @SEED.document
    def mlseed(self, line: str) -> None:
        """See SEED."""
        options = SEED.read(line)
        report = facts.mlseed(options.seed, deterministic=options.deterministic)
        rows = [(name, what, "✓" if ok else "—") for name, what, ok in report.rows]
        show(Table(("generator", "what was done", "repeats"), rows, f"Seed {report.seed}"))

    @line_magic
    @ENV.document
    def mlenv(self, line: str) -> None:
        """See ENV."""
        if ENV.read(line).packages:
            say(facts.requirements())
        else:
            show(Table(("what", "here"), facts.mlenv().items()))

    @no_var_expand
    @line_magic
    @DATA.document
    def mldata(self, line: str) -> None:
        """See DATA."""
        options = DATA.read(line)
        value = self._file_or_value(options.value, "%mldata")
        name = options.name or _identifier(options.value, Path(options.value).name)
        with WorkBar(f"hashing {name}", sys.stderr, "MB", 1e6) as bar:
            said = facts.mldata(
                value,
                name=name,
                context=options.context,
                source=options.source,
                progress=bar.update,
            )
        say(said)

    @line_magic
    @AUTOLOG.document
    def mlautolog(self, line: str) -> None:
        """See AUTOLOG."""
        say(facts.mlautolog(AUTOLOG.read(line).mode))

    def _file_or_value(self, text: str, magic: str) -> Any:
        """Return a path when the word looks like one, else the value of the expression."""
        path = Path(text).expanduser()
        if text.isidentifier() and text in self.shell.user_ns:
            return self.shell.user_ns[text]
        looks_like_path = "/" in text or path.suffix[1:].isidentifier()
        if path.exists() or (looks_like_path and "(" not in text and not _is_dotted(text, self)):
            return path
        return evaluate(text, self.shell.user_ns, magic)


def _is_dotted(text: str, magics: FactMagics) -> bool:
    """Whether ``a.b`` is an attribute of something in the notebook, not a file name."""
    first = re.split(r"[.\[]", text, maxsplit=1)[0]
    return first in magics.shell.user_ns


def _named(text: str, namespace: dict[str, Any]) -> tuple[str, Any]:
    """Return what a value of ``%mlparams`` is called, and the value."""
    given = _GIVEN.fullmatch(text)
    if given is None:
        return _identifier(text.rsplit(".", 1)[-1], ""), evaluate(text, namespace, "%mlparams")
    value = evaluate(given["value"], namespace, "%mlparams")
    return given["name"], {given["name"]: value} if isinstance(value, Mapping) else value


def _identifier(text: str, otherwise: str) -> str:
    return text if text.isidentifier() else otherwise
