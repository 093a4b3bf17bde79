"""Finds the pairs of the same picture among many, by their sketches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cvtrack_magics.vision.likeness.sketches import (
    Floats,
    Grey,
    Sketch,
    Window,
    coarse_of,
    colours_fit,
    fine_of,
    mirrored,
)

Kind: TypeAlias = Literal["near", "mirrored", "cropped"]
Progress: TypeAlias = Callable[[int, int], None]

MOST = 60_000
"""Pictures that are compared with each other; the work grows with their square."""
_MAYBE = 0.75  # coarse parts from which on two are looked at
_SAME = 0.85  # fine parts from which on they are the same
_SAME_CROP = 0.945  # of a crop whose place was looked for, which chance can do as well
_PROMISING = 0.5  # of a crop at the place of the grid that is nearest
_CROP = 0.9
_CROPS = tuple(Window(_CROP, top, left) for top, left in product((0, 0.05, 0.1), repeat=2))
_FLIPS = ((False, True), (True, False), (True, True))
_ROWS, _COLUMNS = 1024, 4096
_FEW_CROPS = 8  # pictures that one is tried as a crop of
_BEST = 16  # candidates of a picture in a block of columns
_STEP = 0.025
_LEAST_STEP = 0.003
_MOVES = ((0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1), (1, -0.5, -0.5), (-1, 0.5, 0.5))
Pairs: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Link:
    """Two pictures that are the same, by their places; of a crop ``first`` is the whole.

    Attributes
    ----------
    first, second : int
    kind : {'near', 'mirrored', 'cropped'}
        What was done to one beside storing, lighting and resizing.
    score : float
        How alike they are, up to 1.
    """

    first: int
    second: int
    kind: Kind
    score: float


def same_pictures(given: Sequence[Sketch], progress: Progress | None = None) -> list[Link]:
    """Return the pairs of sketches that are of one picture, each pair once.

    Parameters
    ----------
    given : sequence of Sketch
        Not of plain pictures, which are all alike.
    progress : callable, optional
        Called with the passes done and all of them.
    """
    if len(given) < 2:
        return []
    links: dict[tuple[int, int], Link] = {}
    sketches = np.stack([one.grey for one in given])
    colours = np.stack([one.colours for one in given])
    coarse = coarse_of(sketches)
    passes = 1 + len(_FLIPS) + len(_CROPS)
    done = 0

    def next_pass() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, passes)

    for flip in ((False, False), *_FLIPS):
        kind: Kind = "mirrored" if any(flip) else "near"
        for pairs in _candidates(coarse, mirrored(coarse, *flip), ordered=True):
            fit = pairs[_fitting(colours, pairs, flip)]
            _keep(links, _whole(sketches, fit, flip, kind))
        next_pass()
    crops: dict[tuple[int, int], tuple[float, Window]] = {}
    for window in _CROPS:
        seen = coarse_of(sketches, window)
        for found in _candidates(seen, coarse, ordered=False):
            pairs = found[_fitting(colours, found, None)]
            scores = (seen[pairs[:, 0]] * coarse[pairs[:, 1]]).sum(axis=1)
            for (whole, part), score in zip(pairs.tolist(), scores.tolist(), strict=True):
                if score > crops.get((whole, part), (0.0, window))[0]:
                    crops[whole, part] = (score, window)
        next_pass()
    known = joined(len(sketches), links)
    new = {pair: seen for pair, seen in crops.items() if known[pair[0]] != known[pair[1]]}
    for whole, part, window in _promising(sketches, new):
        _keep(links, _crop(sketches, whole, part, window))
    return sorted(links.values(), key=lambda link: (link.first, link.second))


def _fitting(colours: Grey, pairs: Pairs, flip: tuple[bool, bool] | None) -> npt.NDArray[np.bool_]:
    """Say which pairs have the same colours; without a flip they are of crops."""
    second = colours[pairs[:, 1]]
    if flip is not None:
        second = second[:, :: -1 if flip[0] else 1, :: -1 if flip[1] else 1]
    return colours_fit(colours[pairs[:, 0]], second, parts=flip is not None)


def joined(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return a number for each of so many, the same for all that pairs join, end to end."""
    above = list(range(count))

    def root(at: int) -> int:
        while above[at] != at:
            above[at] = above[above[at]]
            at = above[at]
        return at

    for one, other in pairs:
        above[root(one)] = root(other)
    return [root(at) for at in range(count)]


def _keep(links: dict[tuple[int, int], Link], found: Iterator[Link]) -> None:
    for link in found:
        key = (min(link.first, link.second), max(link.first, link.second))
        known = links.get(key)
        if known is None or (known.kind == link.kind and known.score < link.score):
            links[key] = link


def _candidates(rows: Floats, columns: Floats, *, ordered: bool) -> Iterator[Pairs]:
    """Yield pairs whose coarse parts are alike, those of a block at once.

    ``ordered`` takes each pair once, for what holds both ways.
    """
    count = len(rows)
    for top in range(0, count, _ROWS):
        block = rows[top : top + _ROWS]
        for left in range(top // _COLUMNS * _COLUMNS if ordered else 0, count, _COLUMNS):
            alike = block @ columns[left : left + _COLUMNS].T
            found = np.argwhere(alike > _MAYBE)
            if not len(found):
                continue
            scores = alike[found[:, 0], found[:, 1]]
            found = (found + np.array([top, left])).astype(np.int64)
            kept = found[:, 0] < found[:, 1] if ordered else found[:, 0] != found[:, 1]
            yield _best(found[kept], scores[kept])


def _best(pairs: Pairs, scores: Floats) -> Pairs:
    """Return the best candidates of each row: of one scene there may be thousands."""
    order = np.lexsort((-scores, pairs[:, 0]))
    rows = pairs[order, 0]
    starts = np.searchsorted(rows, rows)
    return np.asarray(pairs[order][np.arange(len(rows)) - starts < _BEST], np.int64)


def _whole(sketches: Grey, pairs: Pairs, flip: tuple[bool, bool], kind: Kind) -> Iterator[Link]:
    for start in range(0, len(pairs), 4096):
        part = pairs[start : start + 4096]
        first = fine_of(sketches[part[:, 0]], 1.0)
        second = mirrored(fine_of(sketches[part[:, 1]], 1.0), *flip)
        scores = (first * second).sum(axis=1)
        for at in np.flatnonzero(scores >= _SAME):
            yield Link(int(part[at, 0]), int(part[at, 1]), kind, float(scores[at]))


def _promising(
    sketches: Grey, crops: dict[tuple[int, int], tuple[float, Window]]
) -> Iterator[tuple[int, int, Window]]:
    """Yield the crops whose fine parts are somewhat alike before their place is looked for."""
    few = _few_of_each(crops)
    for window in _CROPS:
        pairs = np.array([pair for pair in few if crops[pair][1] is window], np.int64)
        for start in range(0, len(pairs), 4096):
            part = pairs[start : start + 4096]
            seen = fine_of(sketches[part[:, 0]], 0.5, window)
            scores = (seen * fine_of(sketches[part[:, 1]], 0.5)).sum(axis=1)
            for at in np.flatnonzero(scores >= _PROMISING):
                yield int(part[at, 0]), int(part[at, 1]), window


def _few_of_each(crops: Mapping[tuple[int, int], tuple[float, Window]]) -> list[tuple[int, int]]:
    """Return the likeliest few of the pictures that each may be a crop of."""
    counts: Counter[int] = Counter()
    found = []
    for pair in sorted(crops, key=lambda pair: (-crops[pair][0], pair)):
        counts[pair[1]] += 1
        if counts[pair[1]] <= _FEW_CROPS:
            found.append(pair)
    return found


def _crop(sketches: Grey, whole: int, part: int, window: Window) -> Iterator[Link]:
    """Yield the link of a picture and its crop, once the place that fits best does."""
    wanted = fine_of(sketches[part : part + 1], 0.5)[0]
    source = sketches[whole : whole + 1]
    best = float(fine_of(source, 0.5, window)[0] @ wanted)
    step = _STEP
    while step > _LEAST_STEP and best > 0.1:
        moved = False
        for side, top, left in _MOVES:
            tried = Window(
                window.side + side * step, window.top + top * step, window.left + left * step
            )
            score = float(fine_of(source, 0.5, tried)[0] @ wanted) if _inside(tried) else best
            if score > best + 1e-5:
                best, window, moved = score, tried, True
        step = step if moved else step / 2
    if best >= _SAME_CROP:
        yield Link(whole, part, "cropped", best)


def _inside(window: Window) -> bool:
    slack = 0.005
    ends = window.top + window.side, window.left + window.side
    within = min(window.top, window.left) >= -slack and max(ends) <= 1 + slack
    return within and 0.87 <= window.side <= 0.99
