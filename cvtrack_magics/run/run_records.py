"""What surrounds a run, told by the user: params, config, seed, data, environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.capture.machine.environment import environment_facts, requirements_text
from cvtrack_magics.capture.machine.hardware import hardware_facts
from cvtrack_magics.capture.params.configfile import describe_config
from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.capture.params.seeds import SeedReport, seed_records
from cvtrack_magics.errors import NotIdentified, UsageProblem
from cvtrack_magics.records import Artifact, Dataset, Param, Record, Tag
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import Said
from cvtrack_magics.run.seeding import SEED_PARAM

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

RESEEDED = "reseeded"


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

    A run's own ``seed`` is closer to it and counts more. In a run that has another seed
    already, the new one is kept as the tag ``reseeded``, with the step.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1, the range NumPy takes.
    deterministic : bool
        Ask torch for deterministic algorithms, which can be slower.
    """
    session = get_session()
    report = session.seeding.apply(seed, deterministic=deterministic)
    records = seed_records(report)
    session.seeding.every_run = list(records)
    for scope in session.scopes:
        scope.seeds = tuple(records)
    if session.current is not None:
        _seeded_in(session.current, report)
    return report


def _seeded_in(scope: RunScope, report: SeedReport) -> None:
    """Record a seed in an open run; one that follows another stands beside it as a tag."""
    seed = str(report.seed)
    first = scope.params.get(SEED_PARAM, seed)
    if first == seed:
        scope.notices += scope.add(seed_records(report))
        return
    how = " (deterministic)" if report.deterministic else ""
    said = f"{seed}{how} at step {scope.step_of(None)}"
    before = scope.tags.get(RESEEDED, "")
    scope.add([Tag(RESEEDED, f"{before}, {said}" if before else said)])
    scope.notices.append(
        f"Run {scope.name!r} began with seed {first}; seed {said} is recorded as tag {RESEEDED!r}."
    )


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
    from cvtrack_magics.capture.data.datasets import describe_data, unidentified_records

    cache = get_session().config.state / "hashes"
    if not name:
        name = Path(value).name if isinstance(value, (str, Path)) else "data"
    try:
        records = describe_data(
            value, name=name, context=context, source=source, cache=cache, progress=progress
        )
    except NotIdentified as error:  # data that was used is on record, its training goes on
        records = unidentified_records(error, name=name, context=context)
    found = [item for item in records if isinstance(item, Dataset)]
    hashes = ", ".join(_identified(item) for item in found)
    return _recorded(records, f"{hashes} and ")


def _identified(dataset: Dataset) -> str:
    known = "identity" not in dataset.profile
    return f"{dataset.name} {f'sha256 {dataset.digest[:12]}' if known else 'not identified'}"


def mlenv() -> dict[str, str]:
    """Return what the code runs on: versions, CPU, memory, GPU; recorded in every run."""
    facts = {**environment_facts(), **hardware_facts()}
    if not any(key.startswith("GPU") for key in facts):
        facts["GPU"] = "none"
    return facts


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
    session = get_session()
    session.tracking.autolog(explore=mode == "explore")
    for scope in session.scopes:
        scope.guard.chosen()
    if mode == "explore":
        return Said("Autologging is on: metrics every epoch, no models. Lightning trainers only.")
    return Said("Autologging is off: the record holds what log() and the magics say.")


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
