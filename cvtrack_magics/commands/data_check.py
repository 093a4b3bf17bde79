"""What ``%mldata --check`` and ``--against`` look for, recorded and shown."""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.paths import check_listing_path, check_path
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Dataset, Notice, Record
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.message import recorded
from cvtrack_magics.secrets.stored import stored_key

if TYPE_CHECKING:
    from cvtrack_magics.capture.pictures.check import Checked, Given
    from cvtrack_magics.display.data_check_view import DataCheckView

_THUMBNAIL = (256, 192)
Describe = Callable[["Given"], Sequence[Record]]


def checked(
    given: Sequence[Given], describe: Describe, *, group: Any, show_progress: bool
) -> DataCheckView:
    """Check one set, or the second of two against the first; record both and what was found.

    Parameters
    ----------
    given : sequence of Given
        The sets.
    describe : callable
        Returns the records of a set's identity.
    group : str, mapping or callable, optional
        What belongs together.
    show_progress : bool
        Whether a person waits for it.
    """
    from cvtrack_magics.capture.pictures.check import check_pictures
    from cvtrack_magics.capture.pictures.leaked import CheckedAgainst
    from cvtrack_magics.display.data_check_view import DataCheckView
    from cvtrack_magics.store.evidence import evidence_tags

    with ExitStack() as bars:
        found = check_pictures(
            given, group=group, progress=_Bars(bars).told if show_progress else None
        )
    records: list[Record] = []
    known = []
    for one in given:
        described = _described(one, describe)
        records += described
        digests = [digest for item in described if (digest := _digest(item))]
        known.append(digests[0] if digests else "")
    place = stored_key("-".join(one.name for one in given)).replace("/", "_")
    sets = tuple(
        dataclasses.replace(one, sha256=sha256)
        for one, sha256 in zip(found.facts.sets, known, strict=True)
    )
    facts = dataclasses.replace(found.facts, sets=sets, listing=check_listing_path(place))
    files: list[Record] = [
        Artifact(check_path(place), written(facts)),
        Artifact(check_listing_path(place), found.listing()),
    ]
    files += evidence_tags(get_session().masking().records(files))
    if len(given) == 2:
        first, second = given
        get_session().leak_checks.keep(
            CheckedAgainst(second.name, second.context, first.name, found.second)
        )
    said = recorded([*records, *files], "The check and ")
    told = [line for line in said.text.split("\n") if line not in facts.notes]
    return DataCheckView(facts, thumbnails(found), " ".join(told))


def _digest(item: Record) -> str:
    """Return the digest of a data set that was identified."""
    return item.digest if isinstance(item, Dataset) and "identity" not in item.profile else ""


def _described(one: Given, describe: Describe) -> Sequence[Record]:
    try:
        return describe(one)
    except UsageProblem as error:  # a file that cannot be read is among the findings
        return [Notice(f"{one.name} is not identified: {error.problem}")]


def thumbnails(found: Checked) -> Mapping[tuple[str, str], bytes]:
    """Return PNGs of the pictures that the worst findings are about, as far as they open."""
    from cvtrack_magics.capture.pictures.reading import opened

    made = {}
    for place, picture in found.pictures.items():
        with suppress(Exception):  # one that cannot be read is said to be so
            image = opened(picture).convert("RGB")
            image.thumbnail(_THUMBNAIL)
            out = io.BytesIO()
            image.save(out, "PNG", optimize=True)
            made[place] = out.getvalue()
    return made


class _Bars:
    """A progress line for each part of the work."""

    def __init__(self, kept: ExitStack) -> None:
        self._kept = kept
        self._bars: dict[str, Any] = {}

    def told(self, what: str, done: int, whole: int) -> None:
        from cvtrack_magics.display.work_bar import WorkBar

        if what not in self._bars:
            self._kept.close()
            unit = "passes" if "comparing" in what else "pictures"
            self._bars[what] = self._kept.enter_context(WorkBar(what, sys.stderr, unit))
        self._bars[what].update(done, whole)
