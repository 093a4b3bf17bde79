"""Masks a git diff so that ``git apply`` still takes what is left of it."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass, field

from cvtrack_magics.artifacts.paths import DIFF
from cvtrack_magics.secrets.masker import Masker

_FILE = re.compile(r"^diff --(?:git|cc|combined) ", re.MULTILINE)
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", re.MULTILINE)


GIT_DIFF_TAG = "mlflow.source.git.diff"
"""Where MLflow has the uncommitted changes of a run."""
_SHORT = 4900  # characters: MLflow 2.4 takes 5,000 of a tag


@dataclass(frozen=True, slots=True)
class MaskedDiff:
    """A diff without secrets; ``left_out`` names the hunks that are not in it any more."""

    text: str
    found: Counter[str] = field(default_factory=Counter)
    left_out: tuple[str, ...] = ()


def mask_diff(text: str, masker: Masker) -> MaskedDiff:
    """Mask the secrets of a diff.

    Only added lines are changed, and the line ``index`` is left out with them: git's id of a
    file is a digest of what was masked. A hunk with a secret among the lines that were there
    before is left out, because with such a line changed git would not find its place.
    Comments on top say what was done.
    """
    if not _finds(text, masker):
        return MaskedDiff(text)
    starts = [match.start() for match in _FILE.finditer(text)]
    if not starts:
        masked = masker.mask(text)
        return MaskedDiff(masked.text, masked.found)
    found: Counter[str] = Counter()
    left_out: list[str] = []
    parts = [masker.mask(text[: starts[0]]).text]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        parts.append(_file(text[start:end], masker, found, left_out))
    notes = [f"# Left out, for it holds a secret: {name}\n" for name in left_out]
    if found:
        kinds = ", ".join(f"{name} ({n})" for name, n in found.items())
        notes.insert(0, f"# Secrets masked when this was recorded: {kinds}\n")
    return MaskedDiff("".join([*notes, *parts]), found, tuple(left_out))


def shortened(text: str) -> str:
    """Return as many whole lines of a diff as a tag can hold, and where the others are."""
    if len(text) <= _SHORT:
        return text
    kept = text[: text.rfind("\n", 0, _SHORT) + 1]
    return f"{kept}# {text.count(chr(10), len(kept)):,} more lines: {DIFF}\n"


def _finds(text: str, masker: Masker) -> bool:
    return any(masker.mask(seen).found for seen in (*_sides(text), _unmarked(text), text))


def _unmarked(text: str) -> str:
    return "".join(_content(line) for line in _lines(text))


def _sides(text: str) -> tuple[str, str]:
    """Return a text as it was and as it is: a value may follow a name that was there."""
    lines = [line for line in _lines(text) if not line.startswith("\\")]  # no end of line
    before, after = ([line for line in lines if line[:1] != mark] for mark in "+-")
    return "".join(map(_content, before)), "".join(map(_content, after))


def _content(line: str) -> str:
    return line[1:] if line[:1] in ("+", "-", " ") else line


def _lines(text: str) -> list[str]:
    """Cut a text at what git ends lines with; a form feed is of a line."""
    return list(io.StringIO(text, newline="\n"))


def _file(section: str, masker: Masker, found: Counter[str], left_out: list[str]) -> str:
    """Mask one file's part; empty where nothing of it can be kept."""
    lines = _lines(section)
    first = next((i for i, line in enumerate(lines) if line.startswith("@@")), len(lines))
    head = "".join(lines[:first])
    name = masker.mask(lines[0].rpartition(" b/")[2].strip() or "a file").text
    if _finds(head, masker):
        left_out.append(name)
        return ""
    if first < len(lines) and lines[first].startswith("@@@"):  # a merge, which git cannot apply
        if _finds(section, masker):
            left_out.append(name)
            return ""
        return section
    hunks = _hunks(lines[first:])
    kept = [_hunk(hunk, name, masker, found, left_out) for hunk in hunks]
    body = "".join(kept)
    if hunks and not body and "\nold mode" not in head:
        return ""
    left_over = ["index "] if body != "".join(lines[first:]) else []
    if hunks and not body:  # only the change of mode is left
        left_over += ["--- ", "+++ "]
    return "".join(x for x in lines[:first] if not x.startswith(tuple(left_over))) + body


def _hunks(lines: list[str]) -> list[list[str]]:
    """Cut lines into hunks by the counts in their first lines: content may look like one."""
    hunks: list[list[str]] = []
    at = 0
    while at < len(lines):
        match = _HUNK.match(lines[at])
        if match is None:  # a binary patch, or a comment at the end
            hunks.append([])
            hunks[-1] += lines[at:]
            break
        old, new = (int(n) if n is not None else 1 for n in match.groups())
        end = at + 1
        while end < len(lines) and (old > 0 or new > 0 or lines[end].startswith("\\")):
            mark = lines[end][:1]
            old -= mark in " -\n\r"
            new -= mark in " +\n\r"
            end += 1
        hunks.append(lines[at:end])
        at = end
    return hunks


def _hunk(
    lines: list[str], name: str, masker: Masker, found: Counter[str], left_out: list[str]
) -> str:
    whole = "".join(lines)
    if not _finds(whole, masker):
        return whole
    before, _ = _sides("".join(lines[1:]))
    head = lines[0].rpartition("@@")[2]
    there = [i for i, line in enumerate(lines) if i and line[:1] not in ("-", "\\")]
    masked = masker.mask("".join(_content(lines[i]) for i in there))
    fresh = _lines(masked.text)
    if masker.mask(before).found or masker.mask(head).found or len(fresh) != len(there):
        left_out.append(f"{name} {lines[0].strip().partition(' @@')[0]} @@")
        return ""
    for i, line in zip(there, fresh, strict=True):
        if lines[i].startswith("+"):
            lines[i] = "+" + line
    out = "".join(lines)
    if _finds(out, masker):  # one that goes over lines of both kinds
        left_out.append(f"{name} {lines[0].strip().partition(' @@')[0]} @@")
        return ""
    found.update(masked.found)
    return out
