"""The manifest of a data set: one line for each file or part, and what two of them differ in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TABLE = str.maketrans(_ESCAPES)
_BACK = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One part of a data set: SHA-256 in hexadecimal, bytes, and name."""

    sha256: str
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class ManifestDiff:
    """What distinguishes two data sets, each a sorted tuple of names.

    ``same`` counts the parts that are equal in both.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    same: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed)


def escape(name: str) -> str:
    r"""Return a name that fits one field of one line, reversibly.

    Tab, newline, carriage return and backslash become ``\t``, ``\n``, ``\r`` and
    ``\\``; a byte that is not UTF-8 becomes ``\xNN``.
    """
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    text = name.translate(_TABLE)
    return (
        "".join(
            f"\\x{ord(letter) - 0xDC00:02x}" if "\udc80" <= letter <= "\udcff" else letter
            for letter in text
        )
        .encode("utf-8", "backslashreplace")
        .decode()
    )


def unescape(text: str) -> str:
    """Return the name that `escape` was given."""
    if "\\" not in text:
        return text
    letters: list[str] = []
    index = 0
    while index < len(text):
        if text[index] != "\\":
            letters.append(text[index])
            index += 1
        elif text[index + 1] == "x":
            letters.append(chr(0xDC00 + int(text[index + 2 : index + 4], 16)))
            index += 4
        else:
            letters.append(_BACK.get(text[index + 1], text[index + 1]))
            index += 2
    return "".join(letters)


def manifest_text(entries: Iterable[Entry]) -> str:
    """Return the manifest: ``sha256<TAB>bytes<TAB>name`` a line, sorted by name."""
    rows = sorted((escape(e.name), e.sha256, e.size) for e in entries)
    return "".join([f"{sha256}\t{size}\t{name}\n" for name, sha256, size in rows])


def manifest_digest(text: str) -> str:
    """Return the SHA-256 of a manifest, which identifies the whole data set."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(text: str) -> Iterator[Entry]:
    """Yield the entries of a manifest.

    Raises
    ------
    ValueError
        A line is not ``sha256<TAB>bytes<TAB>name``.
    """
    # Not splitlines: a name may hold one of the other line separators of Unicode.
    lines = text.removesuffix("\n").split("\n") if text else []
    for number, line in enumerate(lines, start=1):
        parts = line.split("\t")
        if len(parts) != 3 or len(parts[0]) != 64 or not parts[1].isdigit():
            raise ValueError(f"line {number} of the manifest is malformed: {line[:80]!r}")
        yield Entry(parts[0], int(parts[1]), unescape(parts[2]))


def compare_manifests(a: str, b: str) -> ManifestDiff:
    """Compare two manifests.

    Parameters
    ----------
    a, b : str
        Texts of the earlier and the later manifest.

    Returns
    -------
    ManifestDiff
        ``added`` is only in ``b``, ``removed`` only in ``a``, ``changed`` has another
        content in ``b``. Parts of one name (a data set may repeat an item) are
        compared as a group.
    """
    first, second = _grouped(a), _grouped(b)
    both = first.keys() & second.keys()
    changed = sorted(name for name in both if first[name] != second[name])
    return ManifestDiff(
        added=tuple(sorted(second.keys() - first.keys())),
        removed=tuple(sorted(first.keys() - second.keys())),
        changed=tuple(changed),
        same=len(both) - len(changed),
    )


def _grouped(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in read_manifest(text):
        found[entry.name] = tuple(sorted((*found.get(entry.name, ()), entry.sha256)))
    return found
