"""The digest of a list of samples, in their order and in any order (docs/data-digest.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.manifest import escape

SCHEME = 2
"""Scheme 1 is the SHA-256 of a manifest, of one file or of one array."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: SHA-256 of its content, its label as text, bytes, and a name for people."""

    sha256: str
    label: str = ""
    size: int = 0
    name: str = ""

    @property
    def line(self) -> str:
        """The line that stands for the sample in a digest."""
        return f"{self.sha256}\t{escape(self.label)}\n"


def ordered_digest(samples: Iterable[Sample], header: Mapping[str, object]) -> str:
    """Return the SHA-256 of a list of samples in its order.

    Parameters
    ----------
    samples : iterable of Sample
        Repeats count.
    header : mapping
        What holds for all of them (classes, columns, draws); JSON-ready.
    """
    return _digest("cvtrack-data", (sample.line for sample in samples), header)


def samples_digest(samples: Iterable[Sample], header: Mapping[str, object]) -> str:
    """Return the SHA-256 of the same samples in whatever order; see `ordered_digest`."""
    return _digest("cvtrack-samples", sorted(sample.line for sample in samples), header)


def _digest(word: str, lines: Iterable[str], header: Mapping[str, object]) -> str:
    head = json.dumps(header, sort_keys=True, separators=(",", ":"))
    whole = hashlib.sha256(f"{word} {SCHEME} {head}\n".encode())
    for line in lines:
        whole.update(line.encode("utf-8", "backslashreplace"))
    return whole.hexdigest()


def label_text(value: Any) -> str:
    """Return a label as text: JSON of numbers, text and lists of them, else its SHA-256.

    A NumPy or torch number counts as the number.
    """
    try:
        return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError):
        return f"sha256:{hash_value(value)[0]}"


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def listing_text(samples: Iterable[Sample], header: Mapping[str, object]) -> str:
    """Return the samples as a readable table: header, then ``sha256 label name`` a line."""
    head = json.dumps(header, sort_keys=True, separators=(",", ":"))
    rows = [f"{s.sha256}\t{escape(s.label)}\t{escape(s.name)}\n" for s in samples]
    return "".join([f"# cvtrack-data {SCHEME} {head}\n", *rows])
