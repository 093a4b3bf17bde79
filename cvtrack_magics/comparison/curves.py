"""Where the curves of two runs part: the first point that is not the same to the last bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from cvtrack_magics.comparison.result import Parting, is_timed, same

Point = tuple[str, float, int, int]
"""Name, value, Unix milliseconds and step, as the store gives it."""
Curves = Mapping[str, Sequence[Point]]


def partings(run: str, base: str, curves: Curves, of_base: Curves) -> list[Parting]:
    """Return where the metrics that both runs have part, the first one first."""
    names = [name for name in of_base if name in curves and not is_timed(name)]
    found = (_parting(run, base, name, of_base[name], curves[name]) for name in names)
    order = {name: at for at, name in enumerate(names)}
    return sorted(
        (one for one in found if one is not None), key=lambda one: (one.step, order[one.metric])
    )


def _parting(
    run: str, base: str, name: str, one: Sequence[Point], other: Sequence[Point]
) -> Parting | None:
    for mine, theirs in zip_longest(_by_step(one), _by_step(other)):
        if mine is None or theirs is None or mine[3] != theirs[3] or not same(mine[1], theirs[1]):
            return _at(run, base, name, mine, theirs)
    return None


def _at(run: str, base: str, name: str, mine: Point | None, theirs: Point | None) -> Parting:
    step = min(point[3] for point in (mine, theirs) if point is not None)
    first, second = (p[1] if p is not None and p[3] == step else None for p in (mine, theirs))
    return Parting(run, base, name, step, (first, second))


def _by_step(points: Iterable[Point]) -> list[Point]:
    return sorted(points, key=lambda point: point[3])
