"""Whether files that surround a run still are what was recorded: code, configs, pages, a card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from cvtrack_magics.artifacts.paths import CARD, CODE, CONFIGS, ENVIRONMENT, PICTURES
from cvtrack_magics.records import Artifact, Record, Tag

FILES_TAG = "cvtrack.files_sha256"
CARD_TAG = f"{FILES_TAG}.card"
_LENGTH = 20  # characters of a digest in a list of many
_ROOM = 7_500  # characters of a tag's value
_HELD = re.compile(
    rf"(stretch-\d+/)?({ENVIRONMENT.partition('/')[0]}/|{CODE}/|{CONFIGS}/|{PICTURES}/.*\.html$)"
)


def is_held(path: str) -> bool:
    """Whether a file is one whose digest stands in a tag of its run."""
    return path == CARD or _HELD.match(path) is not None


class FileDigests:
    """The digests of the files that one process records of one run."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def begin_with(self, tags: Mapping[str, str]) -> None:
        """Go on from what a run's tags say of it."""
        self._known = {**_listed(tags), **self._known}

    def beside(self, records: Iterable[Record]) -> list[Tag]:
        """Return the tag that speaks of all files so far; none where no file of them is new."""
        fresh = {
            record.path: _sha256(record.content)
            for record in records
            if isinstance(record, Artifact) and record.content is not None and is_held(record.path)
        }
        if not fresh:
            return []
        self._known |= {path: digest[:_LENGTH] for path, digest in fresh.items()}
        lines: list[str] = []
        room = _ROOM
        # What lies deep is the most and says the least: it is left out where there is no room.
        for path in sorted(self._known, key=lambda path: (path.count("/"), path)):
            line = f"{self._known[path]} {path}"
            room -= len(line) + 1
            if room < 0:
                break
            lines.append(line)
        return [Tag(FILES_TAG, "\n".join(lines))]


def card_tag(text: str) -> Tag:
    """Return the tag by which a changed card is noticed."""
    return Tag(CARD_TAG, _sha256(text))


def changed_files(texts: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with files that were read, by their path.

    Parameters
    ----------
    texts : mapping of str to str
        What was read of the run's files.
    tags : mapping of str to str
        The run's; of a file that they do not name nothing is known.
    """
    known = _listed(tags)
    if tags.get(CARD_TAG):
        known[CARD] = tags[CARD_TAG]
    return {
        path: f"{path} was changed after it was recorded: its SHA-256 differs"
        for path, digest in known.items()
        if path in texts and not _sha256(texts[path]).startswith(digest)
    }


def _listed(tags: Mapping[str, str]) -> dict[str, str]:
    lines = (line.partition(" ") for line in tags.get(FILES_TAG, "").split("\n"))
    return {path: digest for digest, _, path in lines if path and len(digest) == _LENGTH}


def _sha256(content: str | bytes) -> str:
    # As it is read again: what is no UTF-8 is a sign that stands for it.
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
