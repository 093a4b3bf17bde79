"""Rules about the data itself: pictures that two sets share, and labels that contradict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.data_check import CheckedSet, DataCheck, means
from cvtrack_magics.artifacts.paths import is_check
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.release.facts import Candidate, DataFact
from cvtrack_magics.release.gate.metric_rules import standing
from cvtrack_magics.release.gate.rules import Found, Rule, compared, missing
from cvtrack_magics.release.gate.wording import plain
from cvtrack_magics.store.evidence import is_bound

_UNDECIDED = "undecided: "


def data_sets(candidate: Candidate, name: str) -> list[DataFact]:
    """Return the inputs of a run that a name or a context means."""
    found = [data for data in candidate.datasets if data.name == name]
    return found or [data for data in candidate.datasets if means(name, data.context)]


def leak(candidate: Candidate, rule: Rule) -> Found:
    """Judge how many samples of the second set are in the first too."""
    names = [part.strip() for part in rule.subject.split(",")]
    found, why = _checks(candidate, names)
    if why:
        return missing(why)
    if not all(check.near for check in found):
        return missing(f"{_UNDECIDED}only exact copies were looked for, of so many pictures")
    made = compared(float(max(check.leaked for check in found)), rule)
    unread = max(sum(one.unreadable for one in check.sets) for check in found)
    return replace(made, got=f"{made.got} ({unread:,} unreadable)") if unread else made


def conflicts(candidate: Candidate, rule: Rule) -> Found:
    """Judge the share of a set's samples whose picture stands with another label too."""
    found, why = _checks(candidate, [rule.subject])
    if why:
        return missing(why)
    known = data_sets(candidate, rule.subject)
    sets = [one for check in found for one in check.sets if any(_is(one, data) for data in known)]
    if not all(one.samples for one in sets):
        return missing(f"{_UNDECIDED}it has no pictures")
    return compared(max(one.conflicts / one.samples for one in sets), rule)


def no_pair(subject: str) -> str:
    """Say that a subject does not name two sets, or nothing."""
    parts = [part.strip() for part in subject.split(",")]
    good = len(parts) == 2 and all(parts) and parts[0] != parts[1]
    return "" if good else "it takes two data sets, as in leak(train, val)"


def _checks(candidate: Candidate, names: Sequence[str]) -> tuple[list[DataCheck], str]:
    """Return the checks of all that is meant, as the run has it; or why there are none.

    What was checked is known by its digest, so that a check of other data says nothing.
    """
    why = standing(candidate)
    if why:
        return [], why
    meant = [data_sets(candidate, name) for name in names]
    for name, known in zip(names, meant, strict=True):
        if not known:
            return [], f"{_UNDECIDED}the run has no data set {plain(name, 40)}"
    try:
        checks = list(_all(candidate))
    except UnreadableArtifact as error:
        return [], plain(error.problem)
    found = []
    for wanted in product(*meant):
        fits = [check for check in checks if _fits(check, wanted)]
        if not fits:
            shown = [plain(data.name, 40) for data in wanted]
            how = " --against ".join(shown) if len(shown) > 1 else f"{shown[0]} --check"
            said = f"{' and '.join(shown)} {'were' if len(shown) > 1 else 'was'} not checked"
            return [], f"{_UNDECIDED}{said} as the run has it; %mldata {how} does"
        found += fits
    return found, ""


def _fits(check: DataCheck, wanted: Sequence[DataFact]) -> bool:
    """Say whether a check is of one data set, or of the second against the first."""
    if len(wanted) == 1:
        return any(_is(one, wanted[0]) for one in check.sets)
    both = len(check.sets) == len(wanted)
    return both and all(_is(one, data) for one, data in zip(check.sets, wanted, strict=True))


def _is(one: CheckedSet, data: DataFact) -> bool:
    # older stores keep the first digits only
    return bool(data.digest and one.sha256) and one.sha256.lower().startswith(data.digest.lower())


def _all(candidate: Candidate) -> Iterator[DataCheck]:
    for path in sorted(candidate.files):
        if is_check(path):
            check = read_from(candidate.texts, DataCheck, path)
            if check is None:
                raise UnreadableArtifact(path, "", "is too large to be read")
            if not is_bound(
                path, candidate.tags
            ):  # whoever can write files could have put it there
                raise UnreadableArtifact(path, "", "has no digest among the run's tags")
            yield check
