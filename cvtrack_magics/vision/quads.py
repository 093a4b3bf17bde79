"""Oriented boxes as four corners: made of centre, sides and angle, and how far two overlap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvtrack_magics.vision.arrays import Array

Floats = npt.NDArray[np.float64]
_NEAR = 1e-9  # of a side: what rounding makes of a corner that lies on an edge
_BLOCK = 20_000  # pairs at a time


def corners_of(boxes: Array) -> Floats:
    """Return the corners of boxes (centre x and y, width, height, angle in radians).

    Parameters
    ----------
    boxes : float, M × 5

    Returns
    -------
    float64, M × 4 × 2
    """
    x, y, wide, high, angle = np.asarray(boxes, np.float64).reshape(-1, 5).T
    cos, sin = np.cos(angle), np.sin(angle)
    along = np.stack((wide * cos, wide * sin), axis=1)[:, None] / 2
    across = np.stack((-high * sin, high * cos), axis=1)[:, None] / 2
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    centre = np.stack((x, y), axis=1)[:, None]
    return np.asarray(centre + signs[None, :, :1] * along + signs[None, :, 1:] * across)


def areas_of(corners: Array) -> Floats:
    """Return the area of each quadrilateral, M × 4 × 2, by the shoelace formula."""
    return np.abs(_signed(np.asarray(corners, np.float64)))


def _signed(corners: Floats) -> Floats:
    x, y = corners[..., 0], corners[..., 1]
    ahead = np.roll(x, -1, axis=-1) * y, x * np.roll(y, -1, axis=-1)
    return np.asarray((ahead[1] - ahead[0]).sum(axis=-1) / 2)


def convex(corners: Array) -> Floats:
    """Return the same quadrilaterals, turning one way; of one that is not convex its hull.

    A hull of three corners has one of them twice.
    """
    made = np.array(corners, np.float64).reshape(-1, 4, 2)
    backward = _signed(made) < 0
    made[backward] = made[backward, ::-1]
    edges = np.roll(made, -1, axis=1) - made
    following = np.roll(edges, -1, axis=1)
    turns = edges[..., 0] * following[..., 1] - edges[..., 1] * following[..., 0]
    for at in np.flatnonzero(
        (turns < -_NEAR * np.abs(turns).max(axis=1, initial=0)[:, None]).any(axis=1)
    ):
        made[at] = _hull(made[at])
    return made


def _hull(points: Floats) -> Floats:
    """Return the convex hull of four points (Andrew's monotone chain)."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]

    def half(several: Floats) -> list[Floats]:
        chain: list[Floats] = []
        for point in several:
            while len(chain) > 1 and _cross(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    found = half(ordered) + half(ordered[::-1])
    return np.array([*found, *[found[-1]] * (4 - len(found))])


def _cross(a: Floats, b: Floats, c: Floats) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def ious(one: Array, other: Array, crowd: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Return the IoU of each quadrilateral with each other one.

    The common part of two convex polygons is the hull of the corners of each that lie in the
    other and of the points where their edges cross.

    Parameters
    ----------
    one, other : float, D × 4 × 2 and M × 4 × 2
        As :func:`convex` returns them.
    crowd : bool, M, optional
        Of these the share of the first that lies in them, as COCO has it for crowds.

    Returns
    -------
    float64, D × M
    """
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    mine, theirs = areas_of(first), areas_of(second)
    both = np.zeros((len(first), len(second)))
    if both.size:
        low = np.maximum(first.min(axis=1)[:, None], second.min(axis=1)[None])
        high = np.minimum(first.max(axis=1)[:, None], second.max(axis=1)[None])
        rows, columns = np.nonzero((low < high).all(axis=2))
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            found = _common(first[rows[part]], second[columns[part]])
            both[rows[part], columns[part]] = found
    whole = mine[:, None] + theirs[None] - both
    if crowd is not None:
        whole = np.where(crowd[None], mine[:, None], whole)
    return np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)


def _common(one: Floats, other: Floats) -> Floats:
    """Return the area that P pairs of convex quadrilaterals have in common, P × 4 × 2 each."""
    size = np.maximum(np.ptp(one, axis=1).max(axis=1), np.ptp(other, axis=1).max(axis=1))
    points = [one, other]
    there = [_inside(one, other, size), _inside(other, one, size)]
    crossing, meets = _crossings(one, other)
    points.append(crossing)
    there.append(meets)
    every, kept = np.concatenate(points, axis=1), np.concatenate(there, axis=1)
    count = kept.sum(axis=1)
    middle = np.where(kept[..., None], every, 0).sum(axis=1) / np.maximum(count, 1)[:, None]
    away = every - middle[:, None]
    angle = np.where(kept, np.arctan2(away[..., 1], away[..., 0]), np.inf)
    order = np.argsort(angle, axis=1)
    around = np.take_along_axis(away, order[..., None], axis=1)
    last = np.arange(around.shape[1])[None] >= count[:, None]
    # what is left over lies on the first corner, and adds nothing
    around = np.where(last[..., None], around[:, :1], around)
    return np.where(count > 2, np.abs(_signed(around)), 0.0)


def _inside(points: Floats, polygon: Floats, size: Floats) -> npt.NDArray[np.bool_]:
    """Return which of P × 4 points lie in, or on, their convex polygon."""
    start, edge = polygon, np.roll(polygon, -1, axis=1) - polygon
    away = points[:, :, None] - start[:, None]
    side = edge[:, None, :, 0] * away[..., 1] - edge[:, None, :, 1] * away[..., 0]
    return np.asarray((side >= -_NEAR * (size**2)[:, None, None]).all(axis=2))


def _crossings(one: Floats, other: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return where the edges of P pairs cross, P × 16 × 2, and which of them do."""
    a, b = one[:, :, None], other[:, None]
    r = (np.roll(one, -1, axis=1) - one)[:, :, None]
    s = (np.roll(other, -1, axis=1) - other)[:, None]
    turn = r[..., 0] * s[..., 1] - r[..., 1] * s[..., 0]
    off = b - a
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (off[..., 0] * s[..., 1] - off[..., 1] * s[..., 0]) / turn
        u = (off[..., 0] * r[..., 1] - off[..., 1] * r[..., 0]) / turn
    meets = (turn != 0) & (t >= 0) & (t <= 1) & (u >= 0) & (u <= 1)
    place = a + np.where(meets, t, 0)[..., None] * r
    return place.reshape(len(one), 16, 2), meets.reshape(len(one), 16)
