"""Checks the pictures of one set, or of a set against another, and puts together what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from cvtrack_magics.artifacts.data_check import KINDS, CheckedSet, DataCheck, Finding
from cvtrack_magics.capture.data.manifest import escape
from cvtrack_magics.capture.data.randomness import generators_kept
from cvtrack_magics.capture.pictures.copies import (
    Copies,
    conflicts,
    copies_of,
    copy_findings,
    leaks,
)
from cvtrack_magics.capture.pictures.groups import Group, keys_of, shared_groups
from cvtrack_magics.capture.pictures.items import Picture
from cvtrack_magics.capture.pictures.labels import label_findings
from cvtrack_magics.capture.pictures.leaked import KnownSample, known_samples
from cvtrack_magics.capture.pictures.reading import SMALLEST, read_pictures
from cvtrack_magics.capture.pictures.samples import Samples
from cvtrack_magics.capture.pictures.sources import split_of
from cvtrack_magics.vision.likeness.search import MOST

WORST = 10
_OF_A_KIND = 4  # of the worst, while there are others
_RANKS = {kind: at for at, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Given:
    """A set as it was given.

    Attributes
    ----------
    value : object
        As :func:`~cvtrack_magics.capture.pictures.sources.split_of` takes it.
    name, context : str
        As it is recorded.
    images : str
        The folder of a COCO file's pictures.
    sha256 : str
        Of its data; ``""`` where it was not identified.
    """

    value: Any
    name: str
    context: str = ""
    images: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes
    ----------
    facts : DataCheck
        In figures, and the worst.
    findings : tuple of Finding
        All, the worst first.
    pictures : dict
        Those that the worst are about, by set and name.
    second : tuple of KnownSample
        All of the set that was checked against another.
    """

    facts: DataCheck
    findings: tuple[Finding, ...]
    pictures: dict[tuple[str, str], Picture]
    second: tuple[KnownSample, ...] = ()

    def listing(self) -> str:
        """Return all findings as tab-separated lines under a head."""
        lines = ["kind\tdetail\tscore\tset\tsample\tlabel\tset\tsample\tlabel"]
        lines += ["\t".join(_cells(finding)) for finding in self.findings]
        return "".join(f"{line}\n" for line in lines)


def _cells(finding: Finding) -> Iterator[str]:
    yield from (finding.kind, escape(finding.detail), f"{finding.score:.4f}")
    for (name, sample), label in zip(finding.samples, finding.labels, strict=True):
        yield from (escape(name), escape(sample), escape(label))


def check_pictures(
    given: Sequence[Given],
    *,
    group: Group | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Checked:
    """Check one set, or the second of two against the first.

    Parameters
    ----------
    given : sequence of Given
        One or two.
    group : str, mapping or callable, optional
        What belongs together, as :func:`~cvtrack_magics.capture.pictures.groups.keys_of` takes it.
    progress : callable, optional
        Called with what is done, how much of it, and the whole.

    Raises
    ------
    UsageProblem
        There are no pictures in a set.
    """

    def told(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, whole: progress(what, done, whole)

    keys_of([], group)  # a pattern that is none is said before all is read
    with ExitStack() as kept:
        for one in given:
            kept.enter_context(generators_kept(one.value))
        splits = [split_of(one.value, one.images) for one in given]
        pictures = [picture for split in splits for picture in split.pictures]
        seen = read_pictures(pictures, told("reading pictures"))
    samples = Samples(
        [one.name for one in given],
        splits,
        pictures,
        [at for at, split in enumerate(splits) for _ in split.pictures],
        seen,
    )
    copies = copies_of(seen, told("comparing pictures"))
    return _checked(samples, copies, given, group)


def _checked(
    samples: Samples, copies: Copies, given: Sequence[Given], group: Group | None
) -> Checked:
    leaked = leaks(samples, copies)
    conflicting, conflicts_by = conflicts(samples, copies)
    shared, of_groups = shared_groups(samples, group) if len(given) == 2 else ([], set())
    counted = set(leaked) | (of_groups if group is not None else set())
    found = [*copy_findings(samples, copies), *conflicting, *shared]
    found += [*_unreadable(samples), *label_findings(samples)]
    found.sort(key=_severity)
    worst = _worst(found)
    by = Counter(pair.kind for pair in leaked.values())
    if group is not None and len(given) == 2:
        by["group"] = len(counted) - len(leaked)
    facts = DataCheck(
        sets=tuple(
            CheckedSet(
                name=one.name,
                context=one.context,
                sha256=one.sha256,
                samples=len(samples.splits[at].pictures),
                unreadable=sum(
                    seen.sketch is None
                    for seen, of in zip(samples.seen, samples.of, strict=True)
                    if of == at
                ),
                plain=sum(samples.of[place] == at for place in copies.plain),
                conflicts=conflicts_by[at],
            )
            for at, one in enumerate(given)
        ),
        leaked=len(counted),
        leaked_by=dict(by),
        near=copies.near,
        grouped_by=_said(group),
        counts=dict(Counter(finding.kind for finding in found)),
        worst=worst,
        notes=tuple(_notes(samples, copies, shared, group)),
    )
    about = {place for finding in worst for place in finding.samples}
    pictures = {
        samples.where(at): picture
        for at, picture in enumerate(samples.pictures)
        if samples.where(at) in about
    }
    return Checked(facts, tuple(found), pictures, known_samples(samples, counted))


def _severity(finding: Finding) -> tuple[int, int, float]:
    labels = {label for label in finding.labels if label}
    twice = finding.kind == "leak" and len(labels) > 1
    surest = 0 if finding.detail == "exact" else 1
    return (-1 if twice else _RANKS.get(finding.kind, len(_RANKS)), surest, -finding.score)


def _worst(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the first few, several of each kind before more of one."""
    of_kind: Counter[str] = Counter()
    first: list[Finding] = []
    rest: list[Finding] = []
    for finding in found:
        of_kind[finding.kind] += 1
        (first if of_kind[finding.kind] <= _OF_A_KIND else rest).append(finding)
    chosen = sorted([*first, *rest][:WORST], key=_severity)
    return tuple(replace(one, samples=one.samples[:2], labels=one.labels[:2]) for one in chosen)


def _unreadable(samples: Samples) -> Iterator[Finding]:
    for at, one in enumerate(samples.seen):
        if one.sketch is None:
            where, label = (samples.where(at),), (samples.label(at),)
            yield Finding("unreadable", where, label, one.problem)


def _said(group: Group | None) -> str:
    if group is None or isinstance(group, str):
        return group or ""
    return getattr(group, "__name__", type(group).__name__)


def _notes(
    samples: Samples, copies: Copies, shared: Sequence[Finding], group: Group | None
) -> Iterator[str]:
    for split in samples.splits:
        yield from split.notes
    if not copies.near:
        yield (
            f"More than {MOST:,} pictures: only exact copies were looked for, no near ones. "
            "Check a part of them for the others."
        )
    if copies.plain:
        several, these = (
            ("pictures are", "these") if len(copies.plain) > 1 else ("picture is", "it")
        )
        yield (
            f"{len(copies.plain):,} {several} plain or smaller than {SMALLEST} pixels: "
            f"only exact copies of {these} are known."
        )
    if shared and group is None:
        yield (
            "Names look like frames of videos that both sets have; --group PATTERN says what "
            "belongs together, and then it counts as a leak."
        )
