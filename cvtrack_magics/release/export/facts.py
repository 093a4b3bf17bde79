"""What is known of an export: its files, how it was checked, or why it was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from cvtrack_magics.artifacts.export import Allowed, CheckRow, Evidence, FileRow, Port

Format: TypeAlias = Literal["onnx", "torchscript", "pt2"]
FORMATS: tuple[Format, ...] = get_args(Format)
Stage: TypeAlias = Literal["model", "export", "structure", "parity"]


@dataclass(frozen=True, slots=True)
class Check:
    """One output of the exported model beside the same output of the model.

    Attributes
    ----------
    case : str
        Which inputs: ``example``, ``draw 1``, ``batch of 5``, ``negated`` …
    output : str
        The output's name; of a detector's image ``boxes, labels, scores``.
    shape : tuple of int
        The model's output.
    max_abs : float
        Largest absolute difference, in the output's own unit; NaN where none can be had.
    max_rel : float
        Largest of each element's difference divided by its magnitude or, where that is
        larger, by the mean magnitude of the output.
    agreement : float or None
        Share of decisions that are the same, 0 … 1: classes of a score per class, whole
        numbers, detections. None for what decides nothing.
    ok : bool
        Within the tolerance, with all decisions the same.
    note : str
        What is wrong, in a few words.
    """

    case: str
    output: str
    shape: tuple[int, ...]
    max_abs: float
    max_rel: float
    agreement: float | None
    ok: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the outputs may be apart.

    ``|exported − model| ≤ atol · max(1, largest |model|) + rtol · |model|`` for each element:
    rounding errors of a sum grow with its terms, and an element near zero is one of them.
    """

    rtol: float
    atol: float


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file that was written; ``size`` in bytes, ``sha256`` in hexadecimal."""

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Export:
    """A model that was exported, and the proof that it computes what the model computes.

    Attributes
    ----------
    files : tuple of ExportedFile
        The model first, then its external data where there is some.
    exporter : str
        Which of the format's exporters made it.
    opset : int or None
        Of ONNX.
    inputs, outputs : tuple of Port
        Dynamic axes have a name in place of a size.
    versions : mapping of str to str
        The packages that took part.
    checks : tuple of Check
        One for each case and output.
    skipped : tuple of str
        Cases that the model itself cannot run, and why.
    attempts : tuple of str
        Exporters that were tried before in vain, and why.
    notes : tuple of str
        What a user should know.
    seconds : float
        Wall time.
    weights_sha256, graph : str
        Of the network; see :class:`Evidence`.
    """

    format: Format
    files: tuple[ExportedFile, ...]
    exporter: str
    opset: int | None
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    dynamic: tuple[str, ...]
    tolerance: Tolerance
    seed: int
    versions: Mapping[str, str]
    checks: tuple[Check, ...]
    skipped: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    weights_sha256: str = ""
    graph: str = ""

    @property
    def path(self) -> Path:
        """The model's file."""
        return self.files[0].path

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """Of the model's file; external data has its own."""
        return self.files[0].sha256

    @property
    def agreement(self) -> float | None:
        """The lowest agreement of all checks; None where nothing is decided."""
        found = [check.agreement for check in self.checks if check.agreement is not None]
        return min(found, default=None)

    def metrics(self) -> dict[str, float]:
        """Return the figures by name, such as ``export/onnx/max_abs_diff``."""
        figures = {
            "max_abs_diff": max(check.max_abs for check in self.checks),
            "max_rel_diff": max(check.max_rel for check in self.checks),
            "agreement": self.agreement,
            "size_mb": self.size / 1e6,
        }
        return {f"export/{self.format}/{name}": v for name, v in figures.items() if v is not None}

    def evidence(self) -> Evidence:
        """Return what is kept of it; files by name, without their folder."""
        return Evidence(
            format=self.format,
            files=tuple(FileRow(one.path.name, one.size, one.sha256) for one in self.files),
            exporter=self.exporter,
            opset=self.opset,
            inputs=self.inputs,
            outputs=self.outputs,
            dynamic=self.dynamic,
            tolerance=Allowed(self.tolerance.rtol, self.tolerance.atol),
            seed=self.seed,
            versions=self.versions,
            checks=tuple(CheckRow(**asdict(check)) for check in self.checks),
            skipped=self.skipped,
            attempts=self.attempts,
            notes=self.notes,
            seconds=round(self.seconds, 1),
            size=self.size,
            agreement=self.agreement,
            weights_sha256=self.weights_sha256,
            graph=self.graph,
        )


@dataclass(frozen=True)
class Report:
    """Why a model was not exported.

    Attributes
    ----------
    stage : str
        ``model``: the model is no function of its inputs. ``export``: the exporter fails.
        ``structure``: the file is invalid or does not load. ``parity``: it computes
        something else.
    layer : str
        The module where it goes wrong, ``features.3 (Dropout)``, where it was found.
    output, case : str
        The worst output and case.
    checks : tuple of Check
        Those that failed.
    attempts : tuple of str
        Each exporter that was tried, and why it failed.
    tries : tuple of str
        What a user may try.
    chatter : tuple of str
        The last lines that the exporter wrote.
    """

    format: Format
    stage: Stage
    problem: str
    layer: str = ""
    output: str = ""
    case: str = ""
    checks: tuple[Check, ...] = ()
    attempts: tuple[str, ...] = ()
    tries: tuple[str, ...] = ()
    chatter: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report as plain lines."""
        found = [self.problem]
        if self.layer:
            found.append(f"Where: {self.layer}")
        found += [f"Failed: {_told(check)}" for check in self.checks[:8]]
        if len(self.checks) > 8:
            found.append(f"… and {len(self.checks) - 8} more checks failed")
        found += [f"Exporter: {attempt}" for attempt in self.attempts]
        found += [f"Try: {each}" for each in self.tries]
        return found + [f"Said: {line}" for line in self.chatter]


def _told(check: Check) -> str:
    agreement = "" if check.agreement is None else f", agreement {check.agreement:.1%}"
    note = f": {check.note}" if check.note else ""
    return (
        f"{check.case}, {check.output}: off by {check.max_abs:.3g} "
        f"({check.max_rel:.3g} relative){agreement}{note}"
    )
