"""What :func:`build` made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Built:
    """A model's files, before MLflow's own are put beside them.

    Attributes
    ----------
    folder : Path
        Where everything lies.
    data : Path
        The folder with ``serving.json``, the network and the functions' text.
    code : Path
        The Python package that serves it; its name is ``loader``.
    loader : str
        The module that MLflow imports.
    network : str
        How the network is stored: ``torch.export``, ``TorchScript (script)`` …
    inputs : tuple of dict
        What serving takes: ``{"kind": "image", "name": "image"}``, or
        ``{"kind": "tensor", "name", "dtype", "shape"}`` with -1 for any length.
    outputs : tuple of dict
        What it gives: tensors as above, or columns ``{"kind": "column", "name", "type"}``.
    example : object
        One real sample in the form that serving takes: base64 text of a PNG, an array, or a
        dict of arrays.
    requirements : tuple of str
        Packages with the versions of now, as pip reads them.
    files : mapping of str to int
        Paths below ``folder``, and sizes in bytes.
    sha256 : str
        Of all files, by path and content.
    size : int
        Bytes.
    max_abs : float
        The largest difference between what the stored model gives and the network's own.
    floor : float
        The score below which a box is no answer; 0 where all are given.
    notes : tuple of str
        What the user should know, a sentence each.
    called_with : tuple
        The arguments of some samples, as the network itself is called.
    """

    folder: Path
    data: Path
    code: Path
    loader: str
    network: str
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    example: Any
    requirements: tuple[str, ...]
    files: Mapping[str, int]
    sha256: str
    size: int
    max_abs: float
    floor: float = 0.0
    notes: tuple[str, ...] = field(default_factory=tuple)
    called_with: tuple[Any, ...] = ()

    @property
    def takes(self) -> str:
        """What serving takes, in words."""
        if self.inputs[0]["kind"] == "image":
            return "raw images: files, base64 text or uint8 N × H × W × C"
        return ", ".join(_said(about) for about in self.inputs)

    @property
    def gives(self) -> str:
        """What it answers, in words."""
        return ", ".join(_said(about) for about in self.outputs)


def _said(about: Mapping[str, Any]) -> str:
    start = f"{about['name']}: " if about.get("name") else ""
    if "type" in about:
        return f"{start}{about['type']}"
    shape = " × ".join("N" if length == -1 else str(length) for length in about["shape"])
    return f"{start}{about['dtype']} {shape}"
