"""Masks records: the one gate that everything recorded as text goes through."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from cvtrack_magics.artifacts.paths import PICTURES
from cvtrack_magics.records import Artifact, Dataset, Notice, Param, Record, Tag
from cvtrack_magics.secrets.diffs import GIT_DIFF_TAG, MaskedDiff, mask_diff, shortened
from cvtrack_magics.secrets.masker import Masker
from cvtrack_magics.secrets.names import looks_secret
from cvtrack_magics.secrets.notebooks import mask_notebook
from cvtrack_magics.secrets.stored import name_without_secrets

HIDDEN = "***"
LARGEST = 4_000_000  # bytes of a file of the user's that is looked through
_COMMENTED = {".py", ".ipy", ".yaml", ".yml", ".toml", ".sh", ".diff", ".patch", ".cfg"}
_PLAIN = {
    *(".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".log", ".ini", ".env", ".conf"),
    *(".xml", ".rst", ".ipynb", ".properties", ".ts", ".js", ".r", ".jl", ""),
}
_TEXT = _COMMENTED | _PLAIN
_DRAWN = {".html", ".svg"}
"""Of pages that are drawn of records, which were masked; they are large."""
_SETTINGS = {".ini", ".cfg", ".conf", ".properties", ".env", ".toml"}


class RecordMasker:
    """Masks records, and counts what it found and where.

    Parameters
    ----------
    masker : Masker
        Shared by the runs of a session: it remembers values.
    """

    def __init__(self, masker: Masker) -> None:
        self.masker = masker
        self._kinds: Counter[str] = Counter()
        self._places: dict[str, None] = {}
        self._left_out: list[str] = []
        self._last_diff = "", MaskedDiff("")

    def text(self, text: str, place: str = "") -> str:
        """Return a text without secrets."""
        masked = self.masker.mask(text)
        self._count(masked.found, place)
        return masked.text

    def metric(self, name: str) -> str:
        """Return the name of a metric without secrets; see `name_without_secrets`."""
        return self._name(name, "a metric's name")

    def _name(self, name: str, place: str = "") -> str:
        self._count(self.masker.mask(name).found, place)
        return name_without_secrets(name, self.masker)

    def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return tags without secrets."""
        for key, value in tags.items():
            self._learn(key, value)
        return {self._name(k): self._named(k, v, "tag") for k, v in tags.items()}

    def records(self, records: Iterable[Record]) -> list[Record]:
        """Return records without secrets: none has what the name of another one gives away."""
        items = list(records)
        for item in items:
            if isinstance(item, (Param, Tag)):
                self._learn(item.key, item.value)
        return [self._record(item) for item in items]

    def _learn(self, key: str, value: str) -> None:
        if self.masker.mode != "off" and value != HIDDEN and looks_secret(key, value):
            self.masker.learn(value, "secret")

    def said(self) -> str:
        """Say in one line what was masked; empty where nothing was."""
        if not self._kinds and not self._left_out:
            return ""
        kinds = ", ".join(f"{n} {name}" if n > 1 else name for name, n in self._kinds.items())
        places = list(self._places)
        where = ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "")
        count = sum(self._kinds.values())
        line = f"Masked {count} secret{'s' * (count != 1)} ({kinds}) in {where}." if count else ""
        if self._left_out:
            line += f" Left out of the diff: {', '.join(self._left_out[:4])}."
        return f"{line} Allow one with %config CvTrack.secret_allow.".strip()

    def _count(self, found: Counter[str], place: str) -> None:
        if found:
            self._kinds += found
            self._places[place or "a name"] = None

    def _named(self, key: str, value: str, place: str) -> str:
        if self.masker.mode != "off" and value != HIDDEN and looks_secret(key, value):
            self._count(Counter({"named": 1}), f"{place} {self.masker.mask(key).text!r}")
            return HIDDEN
        return self.text(value, f"{place} {key!r}" if value else "")

    def _record(self, record: Record) -> Record:
        if isinstance(record, Tag) and record.key == GIT_DIFF_TAG:
            # whole: a secret may go over the place where it is cut
            return Tag(record.key, shortened(self._diff(record.value).text))
        if isinstance(record, (Param, Tag)):
            place = type(record).__name__.lower()
            value = self._named(record.key, record.value, place)
            return type(record)(self._name(record.key), value)
        if isinstance(record, Artifact):
            return self._artifact(record)
        if isinstance(record, Dataset):
            return dataclasses.replace(
                record,
                name=self.text(record.name, "data set"),
                source=self.text(record.source, "data set"),
                schema=self.value(record.schema, "data set"),
                profile=self.value(record.profile, "data set"),
            )
        if isinstance(record, Notice):
            return Notice(self.masker.mask(record.text).text)
        return record

    def value(self, value: Any, place: str) -> Any:
        """Return what JSON can hold with no secret in any of its texts."""
        if isinstance(value, str):
            return self.text(value, place)
        if isinstance(value, dict):
            return {self.value(k, place): self.value(v, place) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item, place) for item in value]
        return value

    def _artifact(self, artifact: Artifact) -> Artifact:
        suffix = PurePosixPath(artifact.path).suffix.lower()
        name = self.text(artifact.path)
        content = artifact.content
        if suffix in _DRAWN and artifact.path.startswith(f"{PICTURES}/"):
            return artifact if name == artifact.path else dataclasses.replace(artifact, path=name)
        if content is None:
            content = _read(artifact.source, whole=suffix in _TEXT)
        if content is None:
            return dataclasses.replace(artifact, path=name)
        if isinstance(content, str):
            content = _encodable(content)
        text, encoding = (content, "") if isinstance(content, str) else _decoded(content, suffix)
        masked = self._content(text, name, suffix) if text else text
        if masked == text:
            kept = content if artifact.content is not None else None
            return dataclasses.replace(artifact, path=name, content=kept)
        return Artifact(name, masked.encode(encoding) if encoding else masked)

    def _diff(self, text: str) -> MaskedDiff:
        """Return a diff without secrets; the same is looked through once."""
        if self.masker.mode == "off":
            return MaskedDiff(text)
        if self._last_diff[0] != text:
            self._last_diff = text, mask_diff(text, self.masker)
        return self._last_diff[1]

    def _content(self, text: str, path: str, suffix: str) -> str:
        if self.masker.mode == "off":
            return text
        if suffix in (".diff", ".patch"):
            diff = self._diff(text)
            self._count(diff.found, path)
            self._left_out += diff.left_out
            return diff.text
        if suffix == ".ipynb":
            masked, found = mask_notebook(text, self.masker)
            self._count(found, path)
            return masked
        whole = self.masker.mask(text, settings=_has_settings(path))
        self._count(whole.found, path)
        if not whole.found or suffix not in _COMMENTED:
            return whole.text
        return with_comment(whole.text, whole.found)


def _has_settings(path: str) -> bool:
    """Say whether a file is one of settings: what stands behind a name there is its value."""
    name = PurePosixPath(path.lower())
    return name.suffix in _SETTINGS or name.name.startswith(".env")


def with_comment(text: str, found: Counter[str]) -> str:
    """Return a text whose first line says what was masked in it."""
    kinds = ", ".join(f"{name} ({n})" for name, n in found.items())
    said = f"# Secrets masked when this was recorded: {kinds}\n"
    first, newline, rest = text.partition("\n")
    if first.startswith("#!") or (first.startswith("#") and "coding:" in first):
        return first + newline + said + rest
    return said + text


def _decoded(content: bytes, suffix: str) -> tuple[str, str]:
    """Return the text of a file and its encoding; empty for a binary or a very large one."""
    if b"\0" in content[:8192] or len(content) > LARGEST:
        return "", ""
    try:
        return content.decode(), "utf-8"
    except UnicodeDecodeError:
        if suffix not in _TEXT:
            return "", ""
        return content.decode("latin-1"), "latin-1"  # each byte comes back as it was


def _encodable(text: str) -> str | bytes:
    """Return a text, or its own bytes where some of them were no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return text.encode("utf-8", "backslashreplace")
    return text


def _read(source: Path | None, *, whole: bool) -> bytes | None:
    """Return a file's bytes; None for a large one, or where it is ``whole`` only if it is text."""
    try:
        if source is None or source.stat().st_size > LARGEST:
            return None
        with source.open("rb") as file:
            head = file.read(8192)
            if not whole and b"\0" in head:
                return None
            return head + file.read()
    except OSError:
        return None
