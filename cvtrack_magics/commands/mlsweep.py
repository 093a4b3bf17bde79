"""``mlsweep()``: many runs from one cell."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.sweep_options import checked
from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.records import Param
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.outcome import outcome_of
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.run.unopened import SweepStopped

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.sweep.best import Best, Front
    from cvtrack_magics.run.sweep.runner import Sweep
    from cvtrack_magics.run.sweep.spec import SweepSpec
    from cvtrack_magics.run.sweep.study import Study

OPENS = 30.0  # seconds that a process that joins waits for the sweep's own run


@command(
    cell=True,
    objective=Arg(hidden=True),
    mode=Arg(hidden=True),
    metric=Arg("METRIC", many="append"),
    direction=Arg("WHICH", many="append"),
    pruner=Arg("WHICH"),
    require=Arg("RULE", many="append"),
    test_metric=Arg("METRIC"),
    timeout=Arg("S"),
    engine=Arg("WHICH"),
    address=Arg("HOST:PORT"),
    trial_gpus=Arg("GPUS"),
    extras={
        "continue": Arg(const=True, help="Go on although the cell changed."),
        "fresh": Arg(const=True, help="Begin anew; the old trials are kept."),
    },
)
def mlsweep(
    name: str,
    objective: Callable[[Any], Any],
    *,
    metric: str | Sequence[str],
    trials: int = 50,
    direction: str | Sequence[str] = (),
    pruner: str = "none",
    require: Sequence[str] = (),
    seeds: int = 1,
    test_metric: str = "",
    timeout: float = 0.0,
    retries: int = 2,
    seed: int | None = None,
    mode: str = "",
    jobs: int | None = None,
    engine: str = "optuna",
    address: str = "",
    trial_gpus: float = 0.0,
) -> Best | Front | None:
    """Run a cell as many trials, chosen by Optuna; each is a run nested under the sweep's.

    The cell asks ``trial``, which is Optuna's, for its parameters and logs the metric; in a script
    a function is called with it.

    Optuna says which parameters to try. What was tried is kept in its journal file beside the
    store (``cvtrack-sweeps/``), so that the same call goes on where it was cut off, and joins
    where another process runs it. A trial whose process was killed is tried again, in the same
    run, which goes on from its :func:`checkpoint`.

    Parameters
    ----------
    name : str
        The sweep's name; its trials are ``NAME-0``, ``NAME-1`` …
    objective : callable
        Takes Optuna's trial and asks it: ``lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)``.
        Its value is the number that it returns, or else the last one that it logs of ``metric``.
    metric : str or sequence of str
        What is to be best. Several are weighed up against each other: what is found then is the
        Pareto front, the trials that no other beats in all of them.
    trials : int
        How many are wanted in all, those of earlier calls counted.
    direction : str or sequence of str
        ``"maximize"`` or ``"minimize"``, for each metric; not needed where their names tell.
    pruner : str
        ``"median"``, ``"halving"``, ``"hyperband"`` or ``"none"``: what ``trial.should_prune()``
        goes by.
    require : sequence of str
        Rules in the language of :func:`mlgate`, ``"p95_latency_ms<=20"``: a trial that breaks one
        is never the best, and Optuna looks elsewhere.
    seeds : int
        How many seeds promising trials are run with in all, once the search has its trials: the
        best quarter, at least three. The best is then the one with the best bound of the mean.
    test_metric : str
        What the winner is measured by at last, on data that was not used to choose: it is run once
        more, with ``trial.final`` true, and both figures are shown.
    timeout : float
        Seconds after which no further trial is begun; 0 is for ever.
    retries : int
        How often a trial is tried again whose process was killed.
    seed : int, optional
        Seeds the choice of parameters, and each trial by this number plus its own.
    mode : str
        ``"continue"`` goes on although the body changed, ``"fresh"`` begins anew.
    jobs : int, optional
        How many trials run at once, each in a process of its own that is never forked: one, in this
        process, where nothing is said; on Ray as many as the cluster has CPUs.
    engine : str
        ``"optuna"``, or ``"ray"``: the bodies run on a Ray cluster.
    address : str
        That cluster's; otherwise ``RAY_ADDRESS``, or the one of this machine.
    trial_gpus : float
        GPUs of a Ray node that each trial takes; 0.5 lets two trials share one.

    Returns
    -------
    Best or Front or None
        The best so far, of several metrics the front, a list; None where no trial keeps the rules.

    Raises
    ------
    UsageProblem
        An option cannot be used, the body changed and nothing says what to do, the metric is
        never logged, or all trials fail.

    Notes
    -----
    A bound is the worse end of the 95 % t interval of the mean over seeds, the trial's own value
    counted.

    A trial that is pruned is KILLED and has the tag ``cvtrack.pruned``, one that raises is FAILED
    and does not end the sweep. An interrupt puts its trial back.

    Examples
    --------
    ::

        %%mlsweep lr-search --trials 50 --metric val/acc
    """
    body = ""
    with suppress(Exception):  # what was typed into an interpreter has no source
        body = inspect.getsource(objective)
    spec = checked(
        name=name,
        metric=metric,
        direction=direction,
        trials=trials,
        pruner=pruner,
        require=require,
        seeds=seeds,
        test_metric=test_metric,
        timeout=timeout,
        retries=retries,
        seed=seed,
        mode=mode,
        body=body,
        jobs=jobs,
        engine=engine,
        address=address,
        trial_gpus=trial_gpus,
    )
    return sweep_over(spec, objective)


def sweep_over(
    spec: SweepSpec,
    objective: Callable[[Any], Any],
    attach: Callable[[RunScope], None] | None = None,
    cell: Any = None,
) -> Best | Front | None:
    """Open or join the run of a sweep, and run its trials.

    Parameters
    ----------
    spec : SweepSpec
        What was asked for.
    objective : callable
        Runs one trial.
    attach : callable, optional
        Given the run, sees to its end; otherwise it ends here.
    cell : CellFacts, optional
        The cell that the run is opened in.

    Raises
    ------
    SweepStopped
        What a sweep needs is broken or used up.
    """
    try:
        return _sweep_over(spec, objective, attach, cell)
    except CvtrackError:
        raise
    except Exception as error:  # what trials raise has ended those
        raise SweepStopped(spec.name, error) from error


def _sweep_over(
    spec: SweepSpec,
    objective: Callable[[Any], Any],
    attach: Callable[[RunScope], None] | None,
    cell: Any,
) -> Best | Front | None:
    from cvtrack_magics.run.sweep.runner import Sweep
    from cvtrack_magics.run.sweep.study import Study
    from cvtrack_magics.run.sweep.workers.engines import engine_of

    session = get_session()
    elsewhere = engine_of(spec.engine, objective, lambda line: session.host.say(f"cvtrack: {line}"))
    study = Study(session, spec)
    session.swept[session.tracking.uri, session.tracking.current_experiment(), spec.name] = None
    gone = study.take_up()
    if not gone and study.is_done and not study.is_left:
        session.host.say(
            f"cvtrack: sweep {spec.name!r} has its {study.taken} trials; a higher --trials goes on."
        )
        return _best_of(study)
    if not study.lead():
        session.host.say(f"cvtrack: joined sweep {spec.name!r}, which another process has open.")
        above = study.wait_for_parent(OPENS)
        Sweep(session, study, objective, None, above, elsewhere=elsewhere).run(gone)
        if not (study.is_done and study.is_left and study.lead()):
            return _best_of(study)
        gone = []  # who had the sweep's run open died: it ends here
    try:
        parent = _open(study, cell)
        if attach is not None:
            attach(parent)
        sweep = Sweep(session, study, objective, parent, elsewhere=elsewhere)
        _run_in(parent, sweep, gone, ends=attach is None)
    finally:
        study.leave()
    return _best_of(study)


def _run_in(parent: RunScope, sweep: Sweep, gone: list[str], *, ends: bool) -> None:
    """Run a sweep's trials in its own run, and end that where nobody else does."""
    error: BaseException | None = None
    try:
        sweep.run(gone)
    except BaseException as raised:
        error = raised
        raise
    finally:
        if ends:
            get_session().close(parent, outcome_of(error), error)


def _open(study: Study, cell: Any) -> RunScope:
    spec, session = study.spec, get_session()
    records = (
        Param("sweep.metric", ", ".join(spec.metrics)),
        Param("sweep.direction", ", ".join(spec.directions)),
        Param("sweep.pruner", spec.pruner),
        *(Param(f"sweep.require.{at}", text) for at, text in enumerate(spec.bounds)),
        *([Param("sweep.seeds", str(spec.seeds))] if spec.seeds > 1 else []),
        *([Param("sweep.test_metric", spec.test_metric)] if spec.test_metric else []),
        *([Param("sweep.seed", str(spec.seed))] if spec.seed is not None else []),
    )
    again = bool(study.parent_id)
    scope = session.open(RunSpec(name=spec.name, resume=again, auto=False, records=records), cell)
    study.opened(scope.run_id)
    return scope


def _best_of(study: Study) -> Best | Front | None:
    from cvtrack_magics.run.sweep.best import best_of

    return best_of(study, get_session().config.digits)
