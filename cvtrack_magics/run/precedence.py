"""Which of several words about a run counts: the one that was said closest to it.

From the widest to the closest: what an object given before the run implies, what
``%mltags``, the notebook's parameters and ``%mlseed`` say for every run, the seed of the run
it is nested in, params and configs given for the next run, what the run's own line or call
implies, what it says, and its own seed. Whatever is read off the machine counts less than any
of them, and what is said in the open run is handled by :meth:`RunScope.add`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cvtrack_magics.capture.params.seeds import deterministic_now
from cvtrack_magics.records import Artifact, Notice, Param, Record, Tag
from cvtrack_magics.run.seeding import SEED_PARAM
from cvtrack_magics.run.spec import RunSpec

_QUIET = (SEED_PARAM, "deterministic")
"""A run's own seed replaces the session's without a word: that is what it is for."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a run is opened with, each param, tag and file once.

    Attributes
    ----------
    records : tuple of Record
        Everything, with a notice for each param that a closer one replaced.
    seeds : tuple of Record
        The seed in force, for the runs that are nested in this one.
    own : frozenset of str
        The tags that the run's own line or call says.
    """

    records: tuple[Record, ...]
    seeds: tuple[Record, ...]
    own: frozenset[str]

    @property
    def tags(self) -> dict[str, str]:
        """The tags."""
        return tags_of(self.records)


def opening_of(
    spec: RunSpec,
    *,
    every_run: Mapping[str, str],
    parameters: Sequence[Param],
    seeds: Sequence[Record],
    pending: Sequence[Record],
) -> Opening:
    """Lay out what is known of a run when it opens.

    Parameters
    ----------
    spec : RunSpec
        The run's own line or call.
    every_run : mapping of str to str
        Tags set for every run.
    parameters : sequence of Param
        What the notebook is run with.
    seeds : sequence of Record
        The seed of the run it is nested in, or else the one set for every run.
    pending : sequence of Record
        Params, configs and data given for the next run; their tags are implied by objects.
    """
    implied_before = [item for item in pending if isinstance(item, Tag)]
    before = [item for item in pending if not isinstance(item, Tag)]
    tags = [Tag(key, value) for key, value in every_run.items()]
    implied, said = list(spec.implied), list(spec.records)
    layers: list[Sequence[Record]] = [
        implied_before,
        [item for item in implied if isinstance(item, Tag)],
        tags,
        parameters,
        with_current_determinism(seeds),
        before,
        [item for item in implied if not isinstance(item, Tag)],
        said,
        list(spec.seeds),
    ]
    return Opening(
        tuple(closest(layers)),
        spec.seeds or tuple(seeds),
        frozenset(item.key for item in said if isinstance(item, Tag)),
    )


def closest(layers: Iterable[Iterable[Record]]) -> list[Record]:
    """Keep of each param, tag and file the last one, and say which params it replaced."""
    found: dict[object, Record] = {}
    notices: list[Record] = []
    for number, record in enumerate(item for layer in layers for item in layer):
        key = _key(record) or number
        before = found.pop(key, None)
        if isinstance(before, Param) and isinstance(record, Param):
            notices += _replaced(before, record)
        found[key] = record
    return [*found.values(), *notices]


def tags_of(records: Iterable[Record]) -> dict[str, str]:
    """Return the tags among some records."""
    return {item.key: item.value for item in records if isinstance(item, Tag)}


def with_current_determinism(seeds: Sequence[Record]) -> list[Record]:
    """Return the records of a seed that was set earlier, with what torch does now."""
    now = deterministic_now()
    return [
        Param(item.key, str(now))
        if isinstance(item, Param) and item.key == "deterministic" and now is not None
        else item
        for item in seeds
    ]


def _key(record: Record) -> tuple[type, str] | None:
    if isinstance(record, (Param, Tag)):
        return type(record), record.key
    return (Artifact, record.path) if isinstance(record, Artifact) else None


def _replaced(before: Param, now: Param) -> list[Record]:
    if before.value == now.value or now.key in _QUIET:
        return []
    return [
        Notice(
            f"Param {now.key!r} is {now.value}, which was said closest to the run; "
            f"{before.value}, said before, was not recorded."
        )
    ]
