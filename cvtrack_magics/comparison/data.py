"""What runs differ in as to their data: by recorded digests, manifests and listings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cvtrack_magics.artifacts.paths import manifest_path, samples_listing_path
from cvtrack_magics.capture.data.manifest import compare_manifests, unescape
from cvtrack_magics.comparison.result import Cause, Difference
from cvtrack_magics.names import safe_key
from cvtrack_magics.release.facts import Candidate, DataFact

NAMED = 5
"""Files of each kind that are named; all are counted."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """The data set of one place in the first run and in another one."""

    place: str
    run: int
    one: DataFact
    other: DataFact


def data_of(runs: Sequence[Candidate], texts: Sequence[Mapping[str, str]] = ()) -> Cause:
    """Compare data sets by their digests; of those that differ say which files and labels do.

    Parameters
    ----------
    runs : sequence of Candidate
        The first one is what the others are compared with.
    texts : sequence of mapping of str to str
        Of each run, the manifests and listings below ``datasets/`` that were read.
    """
    tables = [dict(_by_place(run.datasets)) for run in runs]
    places = sorted({place for table in tables for place in table})
    every = [
        Difference(place, tuple(_said(table.get(place)) for table in tables)) for place in places
    ]
    rows = tuple(row for row in every if len(set(row.values)) > 1)
    known = texts or [{} for _ in runs]
    notes = dict.fromkeys(
        note
        for pair in _pairs(tables)
        for note in _notes(pair, known[0], known[pair.run], runs[pair.run].run_name, len(runs))
    )
    return Cause("data", rows, "", tuple(notes))


def wanted_texts(runs: Sequence[Candidate]) -> list[tuple[str, str]]:
    """Return which manifests and listings are needed to say more, as (run id, path)."""
    tables = [dict(_by_place(run.datasets)) for run in runs]
    found: dict[tuple[str, str], None] = {}
    for pair in _pairs(tables):
        for run, data in ((runs[0], pair.one), (runs[pair.run], pair.other)):
            for path in (_manifest(data), _listing(data)):
                if path in run.files:
                    found[run.run_id, path] = None
    return list(found)


def _by_place(datasets: Sequence[DataFact]) -> Iterator[tuple[str, DataFact]]:
    """Yield the data sets by what they are used for; a second one for it has a number."""
    count: dict[str, int] = {}
    for data in datasets:
        place = data.context or "data"
        count[place] = count.get(place, 0) + 1
        yield place if count[place] == 1 else f"{place} {count[place]}", data


def _pairs(tables: Sequence[Mapping[str, DataFact]]) -> Iterator[_Pair]:
    for number, table in enumerate(tables[1:], 1):
        for place in sorted(tables[0].keys() & table.keys()):
            one, other = tables[0][place], table[place]
            if one.digest != other.digest:
                yield _Pair(place, number, one, other)


def _said(data: DataFact | None) -> str | None:
    if data is None:
        return None
    return f"{data.name} {data.digest[:12] or 'not identified'}"


def _file(data: DataFact) -> str:
    return safe_key(data.name).replace("/", "_")


def _manifest(data: DataFact) -> str:
    return manifest_path(_file(data))


def _listing(data: DataFact) -> str:
    return samples_listing_path(_file(data))


def _notes(
    pair: _Pair, mine: Mapping[str, str], theirs: Mapping[str, str], name: str, runs: int
) -> Iterator[str]:
    start = f"{pair.place}: " if runs < 3 else f"{pair.place}, of {name}: "
    if not (pair.one.digest and pair.other.digest):
        yield f"{start}a data set was not identified; nothing is known of what differs."
        return
    if pair.one.samples and pair.one.samples == pair.other.samples:
        yield f"{start}the same samples in another order."
        return
    said = [
        *_files(mine.get(_manifest(pair.one), ""), theirs.get(_manifest(pair.other), "")),
        *_labels(mine.get(_listing(pair.one), ""), theirs.get(_listing(pair.other), "")),
    ]
    yield start + ("; ".join(said) or "the content differs; no list of it tells where") + "."


def _files(one: str, other: str) -> Iterator[str]:
    if not (one and other):
        return
    try:
        found = compare_manifests(one, other)
    except ValueError:
        yield "a manifest cannot be read"
        return
    for what, names in (
        ("added", found.added),
        ("removed", found.removed),
        ("changed", found.changed),
    ):
        if names:
            yield f"{len(names):,} {what} ({_some(names)})"
    if found.same and not found.equal:
        yield f"{found.same:,} the same"


def _labels(one: str, other: str) -> Iterator[str]:
    """Say which samples of the same content and name have another label."""
    mine, theirs = _labelled(one), _labelled(other)
    changed = [
        name
        for (name, content), labels in mine.items()
        if theirs.get((name, content), labels) != labels
    ]
    if changed:
        key = next(key for key in mine if key[0] == changed[0] and theirs.get(key) != mine[key])
        example = f"{changed[0]}: {' '.join(mine[key])} → {' '.join(theirs[key])}"
        yield f"{len(changed):,} label{'s' if len(changed) > 1 else ''} changed ({example})"


def _labelled(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the labels of each name and content: a data set may repeat a sample."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for line in text.split("\n"):
        parts = line.split("\t")
        if len(parts) == 3 and not line.startswith("# "):
            content, label, name = parts
            key = (_plain(name), content)
            found[key] = tuple(sorted((*found.get(key, ()), _plain(label))))
    return found


def _plain(text: str) -> str:
    try:
        return unescape(text)
    except (ValueError, IndexError):  # written by somebody else
        return text


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
