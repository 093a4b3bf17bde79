"""The magics as plain functions: the same names and options, for scripts and libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from cvtrack_magics.capture.configfile import describe_config
from cvtrack_magics.capture.environment import environment_facts, requirements_text
from cvtrack_magics.capture.hardware import hardware_facts
from cvtrack_magics.capture.params import describe_params
from cvtrack_magics.capture.schema import check_tags
from cvtrack_magics.capture.seeds import SeedReport, apply_seed, seed_records
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Dataset, Param, Record, RunSummary, Tag
from cvtrack_magics.runs.scope import RunScope
from cvtrack_magics.runs.session import get_session, outcome_of
from cvtrack_magics.runs.spec import RunSpec


class Said:
    """What a function did, as text; the records it made are in ``records``."""

    def __init__(self, text: str, records: Iterable[Record] = ()) -> None:
        self.text = text
        self.records = tuple(records)

    def __repr__(self) -> str:
        return self.text


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
    tracking = get_session().tracking
    if name is None:
        return Said(f"Experiment {tracking.current_experiment()!r} in {tracking.place}")
    if not name.strip():
        raise UsageProblem("An experiment needs a name.", "%mlexperiment resnet-ablations")
    tracking.set_experiment(name)
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
    code: bool = True,
    figures: bool = True,
    output: bool = True,
    plot: bool = True,
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
    code, figures, output, plot : bool
        Whether code, matplotlib figures, printed output are recorded, and whether the
        live plot is shown.

    Returns
    -------
    Run
        Ends itself at the end of a ``with`` block.
    """
    records = [*tag_records({**(tags or {}), **({"task": task} if task else {})})]
    if params is not None:
        records += describe_params(params)
    spec = RunSpec(
        name=name,
        nested=nested,
        resume=resume,
        span=True,
        seed=seed,
        deterministic=deterministic,
        code=code,
        figures=figures,
        output=output,
        plot=plot,
        records=tuple(records),
    )
    return Run(open_run(spec))


def open_run(spec: RunSpec, **cell: Any) -> RunScope:
    """Seed when asked to, then open a run."""
    session = get_session()
    if spec.seed is not None:
        from dataclasses import replace

        report = apply_seed(spec.seed, deterministic=spec.deterministic, import_torch=True)
        spec = replace(spec, records=(*seed_records(report), *spec.records))
    return session.open(spec, **cell)


def mlend(*, ok: bool = False) -> RunSummary:
    """Close the innermost run that :func:`mlrun` opened over several cells.

    Parameters
    ----------
    ok : bool
        End it as FINISHED although a cell failed in it and was not run again.
    """
    session = get_session()
    scope = session.current
    if scope is None or not scope.spec.span:
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


def mlparams(*values: Any, prefix: str = "", names: Iterable[str] = ()) -> Said:
    """Record hyper-parameters, read off dicts, configs and torch objects.

    Parameters
    ----------
    *values
        Dicts (nested ones are flattened with dots), dataclasses, namespaces, pydantic
        models, OmegaConf configs; optimizers, schedulers, data loaders, transforms,
        models and gradient scalers.
    prefix : str
        Put in front of each name, with a dot.
    names : iterable of str
        What each value is called, for messages.
    """
    labels = [*names, *[""] * len(values)]
    records: list[Record] = []
    for value, label in zip(values, labels, strict=False):
        records += describe_params(value, prefix=prefix, name=label)
    return _recorded(records, "")


def mlconfig(value: Any, *, name: str = "config") -> Said:
    """Record a configuration whole under ``configs/``, and its leaves as params.

    Parameters
    ----------
    value : str, Path or object
        A YAML, JSON or TOML file, or a dict, dataclass … to be written as YAML.
    name : str
        The file's name for an object.
    """
    records = describe_config(value, name)
    files = ", ".join(item.path for item in records if isinstance(item, Artifact))
    return _recorded(records, f"{files} and ")


def mlseed(seed: int, *, deterministic: bool = False) -> SeedReport:
    """Seed every random generator and record it in the open run and those that follow.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1, the range NumPy takes.
    deterministic : bool
        Ask torch for deterministic algorithms, which can be slower.
    """
    session = get_session()
    report = apply_seed(seed, deterministic=deterministic, import_torch=True)
    records = seed_records(report)
    session.seeds = list(records)
    if session.current is not None:
        session.current.add(records)
    return report


def mldata(
    value: Any,
    *,
    name: str = "",
    context: str = "training",
    source: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Said:
    """Record which data was used: SHA-256 over the full content, manifest, dataset input.

    Parameters
    ----------
    value : array, tensor, Dataset, str or Path
        Data in memory, or a file or folder.
    name : str
        The data set's name; a path's own name when not given.
    context : str
        What it was used for: training, validation, testing …
    source : str
        Where it came from, for people and for MLflow.
    progress : callable, optional
        ``progress(done_bytes, all_bytes)``.
    """
    from cvtrack_magics.capture.datasets import describe_data

    cache = get_session().config.state / "hashes"
    if not name:
        name = Path(value).name if isinstance(value, (str, Path)) else "data"
    records = describe_data(
        value, name=name, context=context, source=source, cache=cache, progress=progress
    )
    found = [item for item in records if isinstance(item, Dataset)]
    hashes = ", ".join(f"{item.name} sha256 {item.digest[:12]}" for item in found)
    return _recorded(records, f"{hashes} and ")


def mlenv() -> dict[str, str]:
    """Return what the code runs on: versions, CPU, memory, GPU; recorded in every run."""
    return {**environment_facts(), **hardware_facts()}


def mlautolog(mode: str) -> Said:
    """Switch MLflow's autologging of PyTorch on to explore, off for production.

    Parameters
    ----------
    mode : {'explore', 'production'}
        ``explore`` logs every epoch but no models; ``production`` logs nothing by
        itself, so that the record holds just what the code says.
    """
    if mode not in ("explore", "production"):
        raise UsageProblem(
            f"%mlautolog does not know {mode!r}.", "Type '%mlautolog explore' or 'production'."
        )
    get_session().tracking.autolog(explore=mode == "explore")
    if mode == "explore":
        return Said("Autologging is on: metrics every epoch, no models. Lightning trainers only.")
    return Said("Autologging is off: the record holds what log() and the magics say.")


def log(
    metrics: Mapping[str, Any] | None = None,
    /,
    *,
    step: int | None = None,
    every: int = 1,
    **kw: Any,
) -> None:
    """Log metrics of the open run; made for loops.

    Parameters
    ----------
    metrics : mapping, optional
        Names to numbers, NumPy scalars or 0-d tensors.
    step : int, optional
        The step of these points; counted for each name from 0 when not given.
    every : int
        Keep only steps that this number divides.
    **kw
        Metrics whose names are Python identifiers.

    Examples
    --------
    >>> log({"train/loss": loss}, every=10)
    >>> log(val_acc=0.97, step=epoch)
    """
    channel = get_session().channel()
    if channel is None:
        return
    if every < 1:
        raise UsageProblem(f"every={every} keeps no step.", "Use every=1 for all, 10 for a tenth.")
    if kw:
        metrics = {**(metrics or {}), **kw}
    if metrics:
        channel.log(metrics, step, every)


def requirements() -> str:
    """Return the installed packages as a pip-installable requirements file."""
    return requirements_text()


def _recorded(records: list[Any], what: str) -> Said:
    """Give facts to the open run and say in one line what went where."""
    name, lines = get_session().record(records, implied=True)
    params = sum(isinstance(item, Param) for item in records)
    counted = f"{params} param{'' if params == 1 else 's'}"
    where = f"run {name!r}" if name else "the next run"
    return Said("\n".join([*lines, f"{what}{counted} → {where}"]), records)
