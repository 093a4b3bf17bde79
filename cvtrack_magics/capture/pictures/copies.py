"""Copies: of one set in the other, in one set, and with another label."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cvtrack_magics.artifacts.data_check import COPIES, Finding
from cvtrack_magics.capture.data.manyfiles import Progress
from cvtrack_magics.capture.pictures.reading import SMALLEST, Seen
from cvtrack_magics.capture.pictures.samples import Samples
from cvtrack_magics.vision.likeness.search import MOST, joined, same_pictures
from cvtrack_magics.vision.likeness.sketches import is_plain

_SAME_LABEL = "near"
"""Beside exact copies, what must have one label; a mirrored picture may rightly have another."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two samples of one picture; ``kind`` is one of :data:`COPIES`."""

    one: int
    other: int
    kind: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Copies:
    """All pairs that were found.

    Attributes
    ----------
    pairs : tuple of Pair
        Those that are not of the same content.
    exact : tuple of tuple of int
        Samples of the same content.
    plain : frozenset of int
        Samples of which only exact copies can be known.
    near : bool
        Whether near copies were looked for.
    """

    pairs: tuple[Pair, ...]
    exact: tuple[tuple[int, ...], ...]
    plain: frozenset[int]
    near: bool


def copies_of(seen: Sequence[Seen], progress: Progress | None = None) -> Copies:
    """Return which of some pictures are the same."""
    groups = _exact(seen)
    first = {at: group[0] for group in groups for at in group}
    members = {group[0]: group for group in groups}
    plain = frozenset(
        at for at, one in enumerate(seen) if one.sketch is not None and _is_plain(one)
    )
    alone = [
        at
        for at, one in enumerate(seen)
        if one.sketch is not None and at not in plain and first.get(at, at) == at
    ]
    pairs: list[Pair] = []
    near = len(alone) <= MOST
    if near and len(alone) > 1:
        sketches = [sketch for at in alone if (sketch := seen[at].sketch) is not None]
        for link in same_pictures(sketches, progress):
            ends = (alone[link.first], alone[link.second])
            pairs += _spread(ends, members, link.kind, link.score)
    return Copies(tuple(pairs), tuple(groups), plain, near)


def _is_plain(one: Seen) -> bool:
    assert one.sketch is not None
    return min(one.size) < SMALLEST or is_plain(one.sketch)


def _spread(
    ends: tuple[int, int], members: Mapping[int, Sequence[int]], kind: str, score: float
) -> Iterator[Pair]:
    """Yield a pair for each exact copy of the two, with the first of the other side."""
    one, other = ends
    yield Pair(one, other, kind, score)
    yield from (Pair(at, other, kind, score) for at in members.get(one, ())[1:])
    yield from (Pair(one, at, kind, score) for at in members.get(other, ())[1:])


def _exact(seen: Sequence[Seen]) -> list[tuple[int, ...]]:
    """Return the samples that share a content, and so on from content to content."""
    known: dict[bytes, int] = {}
    pairs = [
        (at, known.setdefault(content, at))
        for at, one in enumerate(seen)
        for content in one.contents
    ]
    root = joined(len(seen), pairs)
    groups = defaultdict(list)
    for at in range(len(seen)):
        groups[root[at]].append(at)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _blank(samples: Samples, at: int) -> bool:
    """Say whether a picture is of one colour: a stand-in, which is no copy of another."""
    sketch = samples.seen[at].sketch
    return sketch is not None and int(sketch.grey.max()) - int(sketch.grey.min()) < 2


def leaks(samples: Samples, copies: Copies) -> dict[int, Pair]:
    """Return the samples of the second set that the first has too, with their surest pair."""
    found: dict[int, Pair] = {}
    rank = {kind: at for at, kind in enumerate(COPIES)}
    for pair in (*_exact_leaks(samples, copies), *copies.pairs):
        if samples.of[pair.one] == samples.of[pair.other]:
            continue
        late = pair.one if samples.of[pair.one] else pair.other
        known = found.get(late)
        if known is None or (rank[pair.kind], -pair.score) < (rank[known.kind], -known.score):
            found[late] = pair
    return found


def _exact_leaks(samples: Samples, copies: Copies) -> Iterator[Pair]:
    for group in copies.exact:
        early = [at for at in group if not samples.of[at]]
        if early and not _blank(samples, early[0]):
            yield from (Pair(early[0], at, "exact") for at in group if samples.of[at])


def conflicts(samples: Samples, copies: Copies) -> tuple[list[Finding], Counter[int]]:
    """Return pictures that stand with several labels, and how many samples of each set do."""
    findings, meant = [], set()
    for group in copies.exact:
        labels = {samples.pictures[at].label for at in group} - {None}
        if len(labels) > 1 and not _blank(samples, group[0]):
            named = [at for at in group if samples.pictures[at].label is not None]
            meant.update(named)
            findings.append(_finding(samples, "conflict", _of_each_label(samples, named), "exact"))
    for pair in copies.pairs:
        if pair.kind == _SAME_LABEL and samples.differ(pair.one, pair.other):
            meant.update((pair.one, pair.other))
            both = (pair.one, pair.other)
            findings.append(_finding(samples, "conflict", both, pair.kind, pair.score))
    return findings, Counter(samples.of[at] for at in meant)


def _of_each_label(samples: Samples, places: Sequence[int]) -> list[int]:
    return list({samples.label(at): at for at in reversed(places)}.values())[::-1]


def copy_findings(samples: Samples, copies: Copies) -> Iterator[Finding]:
    """Yield the leaks, and the copies within a set."""
    for late, pair in leaks(samples, copies).items():
        early = pair.other if late == pair.one else pair.one
        yield _finding(samples, "leak", (early, late), pair.kind, pair.score)
    for group in copies.exact:
        for at in range(len(samples.names)):
            own = [one for one in group if samples.of[one] == at]
            if len(own) > 1 and not _blank(samples, own[0]):
                yield _finding(samples, "copy", own, "exact")
    for pair in copies.pairs:
        if samples.of[pair.one] == samples.of[pair.other]:
            yield _finding(samples, "copy", (pair.one, pair.other), pair.kind, pair.score)


def _finding(
    samples: Samples, kind: str, places: Sequence[int], detail: str, score: float = 1.0
) -> Finding:
    return Finding(
        kind,
        tuple(samples.where(at) for at in places),
        tuple(samples.label(at) for at in places),
        detail,
        score,
    )
