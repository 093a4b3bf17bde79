"""Whether what was measured of a run still stands in its files as it was recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from cvtrack_magics.artifacts.paths import (
    CHECKS,
    LATENCY,
    is_check,
    is_metrics,
    is_samples,
    is_slices,
)
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Record, Tag

EVIDENCE_TAG = "cvtrack.evidence_sha256."  # of a run, and the folder behind it
_AGAIN = {LATENCY.rpartition("/")[0]: "%mlbench"}


def _again(place: str) -> str:
    """Return the command that made what lies in a folder."""
    return "%mldata --against" if place.startswith(CHECKS) else _AGAIN.get(place, "%mleval")


def _is_evidence(path: str) -> bool:
    kinds = (is_metrics, is_samples, is_slices, is_check)
    return path == LATENCY or any(kind(path) for kind in kinds)


def evidence_tags(records: Iterable[Record]) -> list[Tag]:
    """Return a tag for each folder of evidence among records that are about to be stored.

    The tags lie apart from the files: whoever can write to the one cannot always to the other.
    """
    texts = {
        record.path: record.content if isinstance(record.content, str) else ""
        for record in records
        if isinstance(record, Artifact) and _is_evidence(record.path)
    }
    folders = dict.fromkeys(path.rpartition("/")[0] for path in texts)
    return [Tag(_key(folder), _digest(texts, folder)) for folder in folders]


def altered_evidence(
    texts: Mapping[str, str], files: Mapping[str, int], tags: Mapping[str, str]
) -> str:
    """Say which of a run's evidence is not what was recorded, or nothing.

    Parameters
    ----------
    texts : mapping of str to str
        What was read of the run's files.
    files : mapping of str to int
        All of them; one that was too large to be read proves nothing here.
    tags : mapping of str to str
        The run's; without a digest, of an older release, nothing is known.
    """
    kept = {path: text for path, text in texts.items() if _is_evidence(path)}
    unread = {path.rpartition("/")[0] for path in files if _is_evidence(path) and path not in kept}
    known = {_key(folder): folder for folder in (path.rpartition("/")[0] for path in kept)}
    for key in sorted(key for key in tags if key.startswith(EVIDENCE_TAG)):
        folder = known.get(key)
        if folder in unread or (folder is None and key in map(_key, unread)):
            continue
        place = key.removeprefix(EVIDENCE_TAG)
        again = f"{_again(place)} measures anew"
        if folder is None:
            return f"what was measured in {place} is gone; {again}"
        if _digest(kept, folder) != tags[key]:
            return f"what was measured in {place} was altered: its SHA-256 differs; {again}"
    return ""


def is_bound(path: str, tags: Mapping[str, str]) -> bool:
    """Whether a run's tags say what a file of evidence was when it was recorded."""
    return _key(path.rpartition("/")[0]) in tags


def _key(folder: str) -> str:
    return safe_key(f"{EVIDENCE_TAG}{folder}")


def _digest(texts: Mapping[str, str], folder: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in texts if path.rpartition("/")[0] == folder):
        content = hashlib.sha256(texts[path].encode("utf-8", "replace")).hexdigest()
        digest.update(f"{path}\0{content}\n".encode())
    return digest.hexdigest()
