"""``mlrun()``: an open run, by a cell, over several cells, or around a block of a script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeAlias

from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.commands.definition import COMMANDS, Arg, Typed, command
from cvtrack_magics.commands.line import usage_error
from cvtrack_magics.commands.typed import key_values, named_values
from cvtrack_magics.delivery import lanes
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.records import Record, RunSummary
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.host import ScriptHost
from cvtrack_magics.run.opening import open_run
from cvtrack_magics.run.outcome import outcome_of
from cvtrack_magics.run.ranks.identity import is_other_rank
from cvtrack_magics.run.scope import RunScope
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.run.tagging import tag_records
from cvtrack_magics.run.unopened import Unopened, go_on_without, leave_to_rank_0
from cvtrack_magics.standard import as_at_load
from cvtrack_magics.text import kind_of

Params: TypeAlias = Sequence[tuple[str, Any]]
"""What params are read off, each with what it is called."""


class Run:
    """An open run; a ``with`` block closes it with its true outcome."""

    def __init__(self, scope: RunScope | Unopened) -> None:
        self._scope = scope
        self.summary: RunSummary | None = None

    @property
    def run_id(self) -> str:
        """The id in the store; empty when the store could not be reached."""
        return "" if isinstance(self._scope, Unopened) else self._scope.run_id

    @as_at_load
    def end(self, error: BaseException | None = None) -> RunSummary:
        """Close the run."""
        outcome, scope = outcome_of(error), self._scope
        if isinstance(scope, Unopened):
            self.summary = scope.end(outcome)
        else:
            self.summary = get_session().close(scope, outcome, error)
        return self.summary

    def __enter__(self) -> Run:
        if isinstance(self._scope, Unopened):
            self._scope.is_held = True
        return self

    @as_at_load
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(self._scope, Unopened):
            self.end(error)
            return
        if self._scope.outcome is None:
            self.end(error)
        lanes.left(self._scope)  # it may have been ended with the run around it

    def __repr__(self) -> str:
        if isinstance(self._scope, Unopened):
            return f"Run {self._scope.name!r} (not opened)"
        state = self._scope.outcome or "open"
        return f"Run {self._scope.name!r} ({self.run_id[:8] or 'not recorded'}, {state})"


def run_name(words: list[str], typed: Typed) -> str:
    """Return the words as one name; an option without its dashes is no part of it."""
    del typed
    options = [flag.removeprefix("--") for flag in COMMANDS["mlrun"].parser.option_names()]
    for word in words[1:]:
        if word in options or "=" in word:
            hint = f"Did you mean '--{word}'?" if word in options else "--tag and --params take it."
            raise usage_error(
                f"%%mlrun: {word!r} is not taken for a part of the run's name. {hint} "
                "Quotes around the name make it one."
            )
    return " ".join(words)


def _params(words: list[str], typed: Typed) -> Params:
    return [(name or text, value) for text in words for name, value in named_values([text], typed)]


def _count(word: str, typed: Typed) -> int:
    from cvtrack_magics.run.ranks.plan import checked_count

    del typed
    if not re.fullmatch(r"[0-9]{1,9}", word):
        raise usage_error(f"%%mlrun: --ranks {word!r} is no number of processes. Say --ranks 2.")
    return checked_count(int(word))


@command(
    cell=True,
    name=Arg("name", run_name, many="+"),
    tags=Arg("K=V", key_values, flag="--tag", many="append"),
    params=Arg("EXPR", _params, many="append"),
    task=Arg("TASK"),
    baseline=Arg("RUN"),
    code=Arg(flag="--no-code", const=False),
    figures=Arg(flag="--no-figures", const=False),
    output=Arg(flag="--no-output", const=False),
    auto=Arg(flag="--no-auto", const=False),
    plot=Arg(flag="--no-plot", const=False),
    extras={
        "verify": Arg(const=True, help="Run the cell twice and compare the metrics."),
        "ranks": Arg("N", _count, help="Run the cell in N fresh processes that train together."),
        "strict": Arg(const=True, help="Refuse a cell that reads what is stale."),
    },
)
def mlrun(
    name: str,
    *,
    nested: bool = False,
    resume: bool = False,
    tags: Mapping[str, Any] | None = None,
    params: Any = None,
    seed: int | None = None,
    deterministic: bool = False,
    task: str | None = None,
    code: bool | None = None,
    figures: bool | None = None,
    output: bool | None = None,
    auto: bool | None = None,
    plot: bool | None = None,
    baseline: str = "",
    watch: bool = False,
) -> Run:
    """Make a cell an MLflow run; ``%mlrun`` opens one over several cells, until ``%mlend``.

    Code, session, git state, seeds, environment, hardware, output, figures, metrics and the
    true outcome are recorded. In a script: ``with mlrun("train"):``, or ``mlrun("pipeline")`` …
    ``mlend()``.

    Parameters
    ----------
    name : str
        The run's name, of one or more words; in a cell {python} expressions are filled in.
    nested : bool
        Put it under the innermost open run.
    resume : bool
        Continue the newest run of that name instead of making a new one.
    tags : mapping, optional
        Tags of this run.
    params : object, optional
        Anything that :func:`mlparams` takes.
    seed : int, optional
        Seed every generator first, as :func:`mlseed` does.
    deterministic : bool
        With a seed: ask the libraries for deterministic algorithms.
    task : str, optional
        The computer-vision task, as the ``task`` tag.
    code : bool, optional
        Record code and git state; otherwise as ``%config CvTrack`` says.
    figures : bool, optional
        Record matplotlib's figures.
    output : bool, optional
        Record stdout and stderr.
    auto : bool, optional
        Read metrics from what is printed where nothing is logged, and settings from the
        cell's names where none are given.
    plot : bool, optional
        Show the live plot.
    baseline : str
        A run whose last values are drawn as dashed lines: the name of one in the current
        experiment, an id, or ``model@alias`` for the run behind a registered model.
    watch : bool
        Say when the loss diverges or never falls, when nothing is logged for long, and how
        long :func:`track` waited for data; NaN is said without it, too.

    Returns
    -------
    Run
        Ends itself at the end of a ``with`` block.

    Examples
    --------
    A cell's first line::

        %%mlrun train --nested --seed 42 --tag backbone=ResNet18

    In a script:

    >>> with mlrun("train", seed=42, tags={"backbone": "ResNet18"}):  # doctest: +SKIP
    ...     train()
    """
    return Run(
        _opened(
            name,
            until="its block ends, or mlend()",
            nested=nested,
            resume=resume,
            tags=tags,
            params=[] if params is None else [("", params)],
            seed=seed,
            deterministic=deterministic,
            task=task,
            code=code,
            figures=figures,
            output=output,
            auto=auto,
            plot=plot,
            baseline=baseline,
            watch=watch,
        )
    )


def _opened(name: str, **said: Any) -> RunScope | Unopened:
    """Open a run as it was asked for; what fails in us keeps no code from running."""
    try:
        spec = spec_of(name, **said)
        is_left = is_other_rank() and isinstance(get_session().host, ScriptHost)
        return leave_to_rank_0(name) if is_left else open_run(spec)
    except CvtrackError:
        raise
    except Exception as error:
        return go_on_without(name, error)


def spec_of(
    name: str,
    *,
    until: str,
    tags: Mapping[str, Any] | None = None,
    params: Params = (),
    task: str | None = None,
    **options: Any,
) -> RunSpec:
    """Return what a run is opened with; what was not said is as the settings are."""
    if not isinstance(name, str):
        raise UsageProblem(f"A run's name is text, and not a {kind_of(name)}.", 'mlrun("train")')
    if not (tags is None or isinstance(tags, Mapping)):
        raise UsageProblem(f"Tags are a dict, and not a {kind_of(tags)}.", "tags={'team': 'cv'}")
    if options.get("deterministic") and options.get("seed") is None:
        raise UsageProblem("%%mlrun: --deterministic goes with --seed N.")
    config = get_session().config
    for what in ("code", "figures", "output", "auto"):
        if options.get(what) is None:
            options[what] = getattr(config, f"record_{what}")
    records = tag_records({**(tags or {}), **({"task": task} if task else {})})
    implied: list[Record] = []
    for label, value in params:
        implied += describe_params(value, name=label)
    return RunSpec(name, until=until, records=tuple(records), implied=tuple(implied), **options)


def go_where_told(source: str, namespace: Mapping[str, Any]) -> None:
    """Choose experiment and store as a cell says first; what was told before is stronger.

    A name given to ``%mlexperiment``, and a store that was named already, stay.
    """
    session = get_session()
    if session.scopes or ("set_experiment" not in source and "set_tracking_uri" not in source):
        return
    from cvtrack_magics.run.first_calls import first_act

    act, tracking = first_act(source, namespace), session.tracking
    # what fails here fails again in the cell, where the user sees it
    with suppress(Exception):
        if act.tracking_uri and not tracking.store.go_to(act.tracking_uri):
            return
        if tracking.typed_experiment:
            return
        name = act.experiment or (act.experiment_id and tracking.experiment_name(act.experiment_id))
        if name:
            tracking.set_experiment(name)
