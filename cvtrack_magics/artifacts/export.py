"""``<format>/evidence.json``: the proof that an export computes what the model computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

RULE = "|exported - model| <= atol * max(1, max|model|) + rtol * |model|; integers equal"


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of an exported graph.

    ``shape`` has the name of a dynamic axis, or ``""`` where it has none, in place of a
    number. ``dtype`` is numpy's word, such as ``float32``, or the graph's own where numpy has
    none.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One output of the exported model beside the same output of the model.

    Attributes
    ----------
    case, output : str
        Which inputs (``example``, ``batch of 5`` …), and the output's name.
    shape : tuple of int
        The model's output.
    max_abs, max_rel : float or None
        Largest absolute and relative difference; None where none can be had.
    agreement : float or None
        Share of decisions that are the same; None for what decides nothing.
    ok : bool
        Within the tolerance, with all decisions the same.
    note : str
        What is wrong, in a few words.
    """

    case: str = ""
    output: str = ""
    shape: tuple[int, ...] = ()
    max_abs: float | None = None
    max_rel: float | None = None
    agreement: float | None = None
    ok: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Allowed:
    """How far the outputs may be apart, by the rule beside it."""

    rtol: float | None = None
    atol: float | None = None
    rule: str = RULE


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file that was written, by its name; ``size`` in bytes, ``sha256`` in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The proof of an export.

    Attributes
    ----------
    format : str
        ``onnx``, ``torchscript`` or ``pt2``.
    files : tuple of FileRow
        The model first, then its external data.
    exporter : str
        Which of the format's exporters made it.
    opset : int or None
        Of ONNX.
    inputs, outputs : tuple of Port
        Of the graph.
    dynamic : tuple of str
        The axes that may have any size.
    tolerance : Allowed
        How far the outputs may be apart.
    seed : int
        Of the inputs that were drawn.
    versions : mapping of str to str
        The packages that took part.
    checks : tuple of CheckRow
        One for each case and output.
    skipped, attempts, notes : tuple of str
        Cases that the model itself cannot run, exporters that were tried in vain, and what a
        user should know.
    seconds : float
        Wall time.
    size : int
        Bytes of all files.
    agreement : float or None
        The lowest of all checks.
    weights_sha256 : str
        Of the network that was exported; ``""`` of older releases.
    graph : str
        How it was kept, a colon, and the SHA-256 of what it computes with its weights; ``""`` of
        older releases.
    """

    SCHEMA: ClassVar[int] = 1

    format: str = ""
    files: tuple[FileRow, ...] = ()
    exporter: str = ""
    opset: int | None = None
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    dynamic: tuple[str, ...] = ()
    tolerance: Allowed = field(default_factory=Allowed)
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[CheckRow, ...] = ()
    skipped: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    size: int = 0
    agreement: float | None = None
    weights_sha256: str = ""
    graph: str = ""
