"""``%mlexperiment``, ``%%mlrun``, ``%mlrun`` … ``%mlend``, ``%mltags``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from cvtrack_magics.commands.line import BODY_BELOW, Line, evaluate, pairs, unquote
from cvtrack_magics.commands.show_lines import Table, show
from cvtrack_magics.console import say
from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.run.current import get_session

if TYPE_CHECKING:
    from cvtrack_magics.commands import mlruns as listing
    from cvtrack_magics.commands import mlshow as showing
    from cvtrack_magics.records import Record
    from cvtrack_magics.run import operations as api
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session
    from cvtrack_magics.run.spec import RunSpec
else:
    api = Lazy("cvtrack_magics.run.operations")
    showing = Lazy("cvtrack_magics.commands.mlshow")
    listing = Lazy("cvtrack_magics.commands.mlruns")


class Cells(Protocol):
    """The cells that run at this moment, the innermost last; they can be nested."""

    frames: list[Any]

    def attach(self, scope: RunScope, *, verify: bool) -> None:
        """End the run with the cell."""

    def note_shown(self) -> None:
        """Say that the cell's error has been shown."""


EXPERIMENT = Line(
    "%mlexperiment",
    "Make an MLflow experiment the current one, creating it when it is new.\n"
    "Without a name: say which one is current and where the store is.",
    "%mlexperiment resnet-backbone-ablations",
).option("name", nargs="?", metavar="EXPERIMENT", help="one for each model family or question")

RUN = (
    Line(
        "%%mlrun",
        "%%mlrun makes this cell an MLflow run; %mlrun opens one over several cells, until\n"
        "%mlend. Code, session, git state, seeds, environment, hardware, output, figures,\n"
        "metrics and the true outcome are recorded.",
        "%%mlrun train --nested --seed 42 --tag backbone=ResNet18",
    )
    .option(
        "name",
        nargs="+",
        help="the run's name, of one or more words; {python} expressions in it are filled in",
    )
    .option("--nested", action="store_true", help="put it under the innermost open run")
    .option("--resume", action="store_true", help="continue the newest run of this name")
    .option("--tag", action="append", default=[], metavar="K=V", help="a tag; may be repeated")
    .option("--params", action="append", default=[], metavar="EXPR", help="what %%mlparams takes")
    .option("--seed", type=int, metavar="N", help="seed every generator first, as %%mlseed does")
    .option("--deterministic", action="store_true", help="with --seed: deterministic algorithms")
    .option("--verify", action="store_true", help="run the cell twice and compare the metrics")
    .option("--task", metavar="TASK", help="the computer-vision task, such as classification")
    .option("--baseline", metavar="RUN", help="a run (name, id or MODEL@ALIAS) to draw beside it")
    .option("--no-code", action="store_true", help="do not record code and git state")
    .option("--no-figures", action="store_true", help="do not record matplotlib figures")
    .option("--no-output", action="store_true", help="do not record stdout and stderr")
    .option(
        "--no-auto",
        action="store_true",
        help="read no metrics from what is printed and no settings from the cell's names",
    )
    .option("--no-plot", action="store_true", help="do not show the live plot")
)

TAGS = (
    Line(
        "%mltags",
        "Tag the open run; with none open, every run from now on.\n"
        "Without words: show the tags of the schema and what they are set to.",
        "%mltags task=classification dataset=digits team=cv",
    )
    .option("tags", nargs="*", metavar="K=V", help="names and values")
    .option("--clear", action="store_true", help="forget the tags set for every run")
)

END = Line(
    "%mlend",
    "Close the run that %mlrun opened. It is FINISHED, unless a cell failed in it and\n"
    "did not succeed since.",
    "%mlend",
).option("--ok", action="store_true", help="end it as FINISHED although a cell failed in it")

RUNS = (
    Line(
        "%mlruns",
        "Show the runs of the current experiment side by side, nested ones below their parents:\n"
        "in which params they differ, and which is best in each metric.",
        "%mlruns params.backbone = 'resnet18' --by lr",
    )
    .option("filter", nargs="*", metavar="FILTER", help="which runs, in MLflow's language")
    .option("--by", metavar="PARAM", help="one line for each value: mean and 95 %% interval")
    .option("--all", action="store_true", help="all runs, and every param and metric")
)

SHOW = Line(
    "%mlshow",
    "Show a run's card and curves once more; of an open run the live plot and its buttons,\n"
    "as after the page was loaded again. Without a run: the open one, or the last.",
    "%mlshow resnet18-baseline",
).option("run", nargs="*", metavar="RUN", help="name, id or MODEL@ALIAS")


_RUNS_OPTION = re.compile(r"(?<=\s)--(?:all|by(?:\s+|=)[^\s-]\S*)(?=\s)")


@magics_class
class RunMagics(Magics):
    """Runs."""

    def __init__(self, shell: Any, hooks: Cells) -> None:
        super().__init__(shell)
        self.hooks = hooks

    @property
    def session(self) -> Session:
        """The session in force."""
        return get_session()

    @line_magic
    @EXPERIMENT.document
    def mlexperiment(self, line: str) -> None:
        """See EXPERIMENT."""
        say(api.mlexperiment(EXPERIMENT.read(line).name))

    @no_var_expand
    @line_cell_magic
    @RUN.document
    def mlrun(self, line: str, cell: str | None = None) -> None:
        """See RUN."""
        if cell is not None and cell.strip() != BODY_BELOW:
            self._run_given_cell(line, cell)
            return
        options = RUN.read(line)
        spec = self._spec(options, until="%mlend" if cell is None else "")
        if cell is None and options.verify:
            raise UsageError("%mlrun: --verify needs a whole cell; write %%mlrun.")
        facts = self.hooks.frames[-1].facts if self.hooks.frames else None
        if cell is not None and facts is not None:
            api.go_where_told(facts.source, self.shell.user_ns)
        scope = api.open_run(spec, cell=facts)
        if cell is not None:
            self.hooks.attach(scope, verify=options.verify)

    def _spec(self, options: Any, *, until: str) -> RunSpec:
        namespace = self.shell.user_ns
        tags = pairs([self._fill_in(word) for word in options.tag], "%%mlrun --tag")
        if options.task:
            tags["task"] = options.task
        from cvtrack_magics.capture.params.logged import describe_params
        from cvtrack_magics.run.spec import RunSpec

        records: list[Record] = api.tag_records(tags)
        implied: list[Record] = []
        for expression in options.params:
            value = evaluate(expression, namespace, "%%mlrun --params")
            implied += describe_params(value, name=expression)
        if options.deterministic and options.seed is None:
            raise UsageError("%%mlrun: --deterministic goes with --seed N.")
        return RunSpec(
            name=self._fill_in(_run_name(options.name)),
            nested=options.nested,
            resume=options.resume,
            until=until,
            seed=options.seed,
            deterministic=options.deterministic,
            code=not options.no_code and self.session.config.record_code,
            figures=not options.no_figures and self.session.config.record_figures,
            output=not options.no_output and self.session.config.record_output,
            auto=not options.no_auto and self.session.config.record_auto,
            plot=False if options.no_plot else None,
            baseline=self._fill_in(options.baseline or ""),
            records=tuple(records),
            implied=tuple(implied),
        )

    def _fill_in(self, word: str) -> str:
        return str(self.shell.var_expand(word, depth=0)) if "{" in word or "$" in word else word

    def _run_given_cell(self, line: str, cell: str) -> None:
        """Serve a program that calls ``run_cell_magic('mlrun', …)`` with a body itself."""
        result = self.shell.run_cell(f"%%mlrun {line}\n{cell}", store_history=False)
        if not result.success:
            raise AlreadyShown(result.error_before_exec or result.error_in_exec)

    @line_magic
    @END.document
    def mlend(self, line: str) -> None:
        """See END."""
        self.hooks.note_shown()
        api.mlend(ok=END.read(line).ok)

    @no_var_expand
    @line_magic
    @RUNS.document
    def mlruns(self, line: str) -> None:
        """See RUNS."""
        wanted, rest = _filter_in(line)
        options = RUNS.read(rest)
        show(listing.mlruns(wanted, by=options.by or "", all=options.all))

    @line_magic
    @SHOW.document
    def mlshow(self, line: str) -> None:
        """See SHOW."""
        card = showing.mlshow(self._fill_in(" ".join(SHOW.read(line).run)))
        if card is not None:
            show(card)

    @line_magic
    @TAGS.document
    def mltags(self, line: str) -> None:
        """See TAGS."""
        options = TAGS.read(line)
        if options.clear:
            self.session.tags.clear()
        if options.tags:
            say(api.mltags(**pairs(options.tags, "%mltags")))
        self._show_tags()

    def _show_tags(self) -> None:
        from cvtrack_magics.capture.data.schema import TAG_SCHEMA

        scope = self.session.current
        current = {**self.session.tags, **(scope.tags if scope else {})}
        current = {key: value for key, value in current.items() if not _is_ours(key)}
        known = [(item.key, item.example, item.purpose) for item in TAG_SCHEMA]
        rows = [(key, current.get(key, "—"), example, why) for key, example, why in known]
        names = {key for key, _, _ in known}
        rows += [(key, value, "", "") for key, value in current.items() if key not in names]
        show(Table(("tag", "set to", "for example", "what for"), rows))


def _filter_in(line: str) -> tuple[str, str]:
    """Return the filter in a line, with its quotes, and the options around it."""
    options: list[str] = []

    def take(found: re.Match[str]) -> str:
        options.append(found.group().strip())
        return " "

    rest = _RUNS_OPTION.sub(take, f" {line} ").strip()
    unknown = [word for word in rest.split() if word.startswith("--")]
    return unquote(rest), " ".join([*options, *unknown])


def _run_name(words: list[str]) -> str:
    """Return the words as one name; an option without its dashes is no part of it."""
    options = [name.removeprefix("--") for name in RUN.option_names()]
    for word in words[1:]:
        if word in options or "=" in word:
            hint = f"Did you mean '--{word}'?" if word in options else "--tag and --params take it."
            raise UsageError(
                f"%%mlrun: {word!r} is not taken for a part of the run's name. {hint} "
                "Quotes around the name make it one."
            )
    return " ".join(words)


def _is_ours(key: str) -> bool:
    """Whether a tag is bookkeeping, MLflow's or this package's."""
    return key.startswith(("mlflow.", "cvtrack."))


class AlreadyShown(CvtrackError):
    """Fails the outer cell without a second traceback."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__(str(error))

    def _render_traceback_(self) -> list[str]:
        return []
