"""Runs as plain functions, with the names and options of the magics: for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

from cvtrack_magics.capture.data.schema import check_tags
from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.capture.params.seeds import seed_records
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Record, RunSummary, Tag
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said
from cvtrack_magics.run.scope import RunScope
from cvtrack_magics.run.session import outcome_of
from cvtrack_magics.run.spec import RunSpec


class Run:
    """An open run; a ``with`` block closes it with its true outcome."""

    def __init__(self, scope: RunScope) -> None:
        self._scope = scope
        self.summary: RunSummary | None = None

    @property
    def run_id(self) -> str:
        """The id in the store; empty when the store could not be reached."""
        return self._scope.run_id

    def end(self, error: BaseException | None = None) -> RunSummary:
        """Close the run."""
        self.summary = get_session().close(self._scope, outcome_of(error), error)
        return self.summary

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._scope.outcome is None:
            self.end(error)

    def __repr__(self) -> str:
        state = self._scope.outcome or "open"
        return f"Run {self._scope.name!r} ({self.run_id[:8] or 'not recorded'}, {state})"


def mlexperiment(name: str | None = None) -> Said:
    """Make an MLflow experiment the current one, creating it when it is new.

    Parameters
    ----------
    name : str, optional
        One experiment for each model family or question. Without it, the current one
        and the store are told.
    """
    session = get_session()
    tracking = session.tracking
    if name is None:
        return Said(f"Experiment {tracking.current_experiment()!r} in {tracking.place}")
    if not name.strip():
        raise UsageProblem("An experiment needs a name.", "%mlexperiment resnet-ablations")
    why = tracking.set_experiment(name)
    tracking.typed_experiment = name
    session.chose(name)
    if why:
        return Said(
            f"{why} Runs from now on are kept on disk and go to experiment {name!r} "
            "when the store answers."
        )
    return Said(f"Experiment {name!r} in {tracking.place}")


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
) -> Run:
    """Open a run: ``with mlrun("train"):`` or ``mlrun("pipeline")`` … ``mlend()``.

    Parameters
    ----------
    name : str
        The run's name.
    nested : bool
        Put it under the innermost open run.
    resume : bool
        Continue the newest run of that name instead of making a new one.
    tags : mapping, optional
        Tags of this run.
    params : object, optional
        Anything :func:`mlparams` takes.
    seed : int, optional
        Seed every generator first, as :func:`mlseed` does.
    deterministic : bool
        With ``seed``: ask the libraries for deterministic algorithms.
    task : str, optional
        The computer-vision task, as the ``task`` tag.
    code, figures, output, plot : bool, optional
        Whether code, matplotlib figures, printed output are recorded, and whether the
        live plot is shown; otherwise as ``%config CvTrack`` says.
    auto : bool, optional
        Whether metrics are read from what is printed where nothing is logged, and settings
        from the cell's names where none are given; otherwise as ``%config CvTrack`` says.
    baseline : str
        A run whose last values are drawn as dashed lines: the name of one in the current
        experiment, an id, or ``model@alias`` for the run behind a registered model.

    Returns
    -------
    Run
        Ends itself at the end of a ``with`` block.
    """
    config = get_session().config
    records = [*tag_records({**(tags or {}), **({"task": task} if task else {})})]
    implied = [] if params is None else describe_params(params)
    spec = RunSpec(
        name=name,
        nested=nested,
        resume=resume,
        until="its block ends, or mlend()",
        seed=seed,
        deterministic=deterministic,
        code=config.record_code if code is None else code,
        figures=config.record_figures if figures is None else figures,
        output=config.record_output if output is None else output,
        auto=config.record_auto if auto is None else auto,
        plot=plot,
        baseline=baseline,
        records=tuple(records),
        implied=tuple(implied),
    )
    return Run(open_run(spec))


def open_run(spec: RunSpec, **cell: Any) -> RunScope:
    """Seed when asked to, then open a run."""
    session = get_session()
    if spec.seed is not None:
        report = session.seeding.apply(spec.seed, deterministic=spec.deterministic)
        spec = replace(spec, seeds=tuple(seed_records(report)))
    return session.open(spec, **cell)


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
        if act.tracking_uri and not tracking.go_to(act.tracking_uri):
            return
        if tracking.typed_experiment:
            return
        name = act.experiment or (act.experiment_id and tracking.experiment_name(act.experiment_id))
        if name:
            tracking.set_experiment(name)


def mlend(*, ok: bool = False) -> RunSummary:
    """Close the innermost run that :func:`mlrun` opened over several cells.

    Parameters
    ----------
    ok : bool
        End it as FINISHED although a cell failed in it and was not run again.
    """
    session = get_session()
    scope = session.current
    if scope is None or not scope.spec.until:
        raise UsageProblem("No run is open, so there is none to end.", "%mlrun NAME opens one.")
    error = None if ok else scope.failure
    return session.close(scope, outcome_of(error), error)


def tag_records(tags: Mapping[str, Any]) -> list[Record]:
    """Check tags against the schema; return them with a notice for each near miss."""
    checked, notices = check_tags(tags)
    return [*checked, *notices]


def mltags(**tags: Any) -> Said:
    """Tag the open run; with none open, tag every run from now on.

    Parameters
    ----------
    **tags
        Any names; those of the schema (task, backbone, dataset, env, git_commit,
        hardware, team) are checked for near misses.
    """
    session = get_session()
    records = tag_records(tags)
    if session.current is None:
        session.tags.update({r.key: r.value for r in records if isinstance(r, Tag)})
        where = "every run from now on"
        lines = [r.text for r in records if not isinstance(r, Tag) and hasattr(r, "text")]
    else:
        name, lines = session.record(records)
        where = f"run {name!r}"
    said = ", ".join(f"{r.key}={r.value}" for r in records if isinstance(r, Tag))
    return Said("\n".join([*lines, f"Tags of {where}: {said}"]), records)
