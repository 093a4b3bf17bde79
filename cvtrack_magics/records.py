"""Facts as frozen dataclasses: what the capture layer describes and the store writes.

Nothing here imports MLflow, IPython or a plotting library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["FINISHED", "FAILED", "KILLED"]
Status: TypeAlias = Literal["FINISHED", "FAILED", "KILLED", "RUNNING"]


@dataclass(frozen=True, slots=True)
class Param:
    """One hyper-parameter; ``value`` is already text."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Tag:
    """One searchable label of a run."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One point of a metric; ``timestamp`` is Unix time in milliseconds.

    ``model_id``, ``dataset_name`` and ``dataset_digest`` name the logged model and the data
    set that it was measured on, where it was.
    """

    key: str
    value: float
    step: int
    timestamp: int
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the run, by content or by path.

    ``path`` is relative to the run's artifact folder, with forward slashes.
    Exactly one of ``content`` (text or bytes) and ``source`` (a local file) is given.
    """

    path: str
    content: str | bytes | None = None
    source: Path | None = None

    def __post_init__(self) -> None:
        if (self.content is None) == (self.source is None):
            raise ValueError(f"artifact {self.path!r} needs either content or source")
        if self.path.startswith("/") or ".." in self.path.split("/"):
            raise ValueError(f"artifact path {self.path!r} leaves the run's folder")


@dataclass(frozen=True, slots=True)
class Dataset:
    """The identity of one data set.

    ``digest`` is the full SHA-256 in hexadecimal; ``profile`` and ``schema`` are
    small JSON-ready dicts (number of rows or files, shapes, dtypes, bytes).
    """

    name: str
    source: str
    context: str
    digest: str
    schema: dict[str, object] = field(default_factory=dict)
    profile: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replaces:
    """The run takes the place of an earlier one, which is told so by a tag of its own."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Call:
    """A method of MLflow's client that is called on the run later, with these arguments.

    ``name`` is one of those that :mod:`cvtrack_magics.store.deferred` knows; ``arguments`` are
    JSON-ready.
    """

    name: str
    arguments: Mapping[str, object]


ModelStatus: TypeAlias = Literal["PENDING", "READY", "FAILED"]


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model of the run, as MLflow 3 lists it; before that it is a folder of the run.

    The same model is described several times: when its making begins, with what came of it, and
    when it is measured. ``PENDING`` says nothing of its status, and so takes none back.

    Attributes
    ----------
    key : str
        By which it is found again; the store gives it an id of its own.
    folder : str
        Where its files are among the run's artifacts. Those of the same batch that lie there
        are its files.
    status : {'PENDING', 'READY', 'FAILED'}
        Whether what was to be proved of it holds.
    kind : str
        What sort of model it is, for a list of them: ``model``, ``onnx export`` …
    step : int
        That of the run at which it was made.
    tags : mapping of str
        They are masked already.
    metrics : tuple of Metric
        What was measured of it, as the run has it too.
    params : mapping of str
        Those of the run so far, which the store may not have yet. They are masked already.
    """

    key: str
    folder: str
    status: ModelStatus = "PENDING"
    kind: str = ""
    step: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = (Metric(**m) if isinstance(m, Mapping) else m for m in self.metrics)
        object.__setattr__(self, "metrics", tuple(found))

    @property
    def is_final(self) -> bool:
        """Whether it says what became of the model, and has its files where there are any."""
        return self.status != "PENDING"


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended, and when in Unix milliseconds."""

    outcome: Outcome
    ended: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the user: something was not recorded, or needs a hand."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused(Notice):
    """One thing that the store will never take; ``what`` is JSON-ready and is kept aside."""

    what: Mapping[str, object] = field(default_factory=dict)
    source: Path | None = None

    @classmethod
    def make(cls, kind: str, name: str, content: Mapping[str, object], reason: str) -> Refused:
        """Return it with a line for the user: what it is, and what the store said of it."""
        step = f" at step {content['step']}" if "step" in content else ""
        source = content.get("source")
        return cls(
            f"The store refuses the {kind} {name!r}{step}: {reason}",
            {"kind": kind, "name": name, **content, "reason": reason},
            source if isinstance(source, Path) else None,
        )


Kept: TypeAlias = Literal["on disk", "in memory only", ""]
Record: TypeAlias = (
    Param | Tag | Metric | Artifact | Dataset | Replaces | Call | LoggedModel | Notice
)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Everything the card of a run says, under its cell or when it is looked at again.

    ``duration`` is wall time in seconds. ``url`` is a web address of the run's page,
    or ``""`` for a local store. ``recorded`` lists in a few words what was recorded.
    ``kept`` says where a run is that the store may not have yet, whose ``run_id`` is empty then;
    it is empty where nothing was recorded. ``children`` are the runs nested in it that have ended.
    """

    name: str
    run_id: str
    experiment: str
    status: Status
    duration: float
    store: str
    url: str = ""
    parent: str = ""
    error: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    params: int = 0
    recorded: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    kept: Kept = "on disk"
    children: tuple[RunSummary, ...] = ()

    @property
    def known_as(self) -> str:
        """What the run is found by, in words: the first half of its id, or where it is kept."""
        if self.run_id:
            return f"run {self.run_id[:8]}"
        return f"kept {self.kept}" if self.kept else "not recorded"
