"""Builds the sheet of one or several frames, within a limit of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cvtrack_magics.display.viewer.frames import PlacedLayers
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.sample_scores import Ratings, rate
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.colours import colours
from cvtrack_magics.vision.columns import Json, Packs, Places, column
from cvtrack_magics.vision.pixels import Blob, Pixels

FORMAT = "cvtrack-sheet/1"


@dataclass(frozen=True)
class Frame:
    """Predictions of one step of a run, and the IoU from which on an object is found."""

    predictions: Predictions
    step: int | None = None
    run: str = ""
    iou: float = 0.5

    @cached_property
    def ratings(self) -> Ratings:
        """How the model did on each sample; worked out when it is first asked for."""
        return rate(self.predictions, iou=self.iou)

    def label(self, *, with_run: bool) -> str:
        """Return what a slider says of it, or, between runs, a menu."""
        step = "" if self.step is None else f"step {self.step}"
        words = [self.run or "these", step] if with_run else [step or self.run or "predictions"]
        return " · ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a viewer is given: the document, and the pictures it names."""

    document: Json
    packs: tuple[bytes, ...]


def build_sheet(
    frames: Sequence[Frame],
    *,
    title: str = "",
    limit: int,
    side: int = 1024,
    compare: tuple[int, int] | None = None,
    settings: Mapping[str, object] | None = None,
    where_all: str = "",
    digits: int = 4,
) -> Sheet:
    """Build the sheet of frames that show the same samples, or some of them.

    Parameters
    ----------
    frames : sequence of Frame
        In order of time; the samples of all are shown.
    title : str
        A line above the grid.
    limit : int
        The most bytes of pictures; the samples that the last frame got most wrong go first.
    side : int
        The most pixels of a side of a label, heat or depth map.
    compare : (int, int), optional
        The frames that are before and after.
    settings : mapping, optional
        The state that the viewer begins with.
    where_all : str
        Where all pictures are, for the note when some do not fit.
    digits : int
        Significant digits of a figure.

    Raises
    ------
    UsageProblem
        The frames are of different tasks or classes, or share no sample to be compared.
    """
    first = frames[0].predictions
    for frame in frames[1:]:
        other = frame.predictions
        if other.task != first.task or other.classes != first.classes:
            raise UsageProblem(
                f"{first!r} and {other!r} cannot be shown together.",
                "Task and classes must agree.",
            )
    ids = list(dict.fromkeys(name for frame in frames for name in frame.predictions.ids))
    rows = [_rows(ids, frame.predictions) for frame in frames]
    if compare is not None and not np.any((rows[compare[0]] >= 0) & (rows[compare[1]] >= 0)):
        raise UsageProblem(
            "The two runs share no sample.",
            "Give both the same ids= (places in the data set), or the same pictures.",
        )
    order = _order(ids, frames[-1].ratings, rows[-1])
    packs = Packs(limit)
    pictures = _Pictures(ids, frames, rows)
    count = len(ids)
    tiles, fulls = Places(count), Places(count)
    widths, heights = np.zeros(count, np.uint16), np.zeros(count, np.uint16)
    layers = [
        PlacedLayers(frame.predictions, row, packs, side)
        for frame, row in zip(frames, rows, strict=True)
    ]
    shown = 0
    for at in order:
        tile = pictures.tile(at)
        if tile is None or not tiles.put(at, packs.add(tile.data)):
            continue
        shown += 1
        widths[at], heights[at] = tile.width, tile.height
        for layer in layers:
            layer.add(at)
    for at in order:
        full = pictures.larger(at)
        if full is not None and tiles.rows[at, 2]:
            fulls.put(at, packs.add(full.data))
    done = packs.done()
    document: Json = {
        "format": FORMAT,
        "task": first.task,
        "title": title,
        "classes": [
            {"name": name, "colour": colour}
            for name, colour in zip(first.classes, colours(first.classes), strict=True)
        ],
        "count": count,
        "ids": ids,
        "names": pictures.names,
        "width": column(pictures.sizes[:, 1], "u4"),
        "height": column(pictures.sizes[:, 0], "u4"),
        "tile": tiles.json(),
        "tile_width": column(widths, "u2"),
        "tile_height": column(heights, "u2"),
        "full": fulls.json(),
        "packs": len(done),
        "shown": {"tiles": shown, "of": count, "note": _note(shown, count, limit, where_all)},
        "metrics": {},
        "frames": [
            {
                "label": frame.label(with_run=compare is not None),
                "run": frame.run,
                "step": frame.step,
                "present": None if (row >= 0).all() else column(row >= 0, "u1"),
                "scores": {
                    name: column(_spread(values, row), "f4")
                    for name, values in frame.ratings.scores.items()
                },
                "data": _data(frame, row, layer),
            }
            for frame, row, layer in zip(frames, rows, layers, strict=True)
        ],
        "compare": None if compare is None else list(compare),
        "digits": digits,
        "settings": {**_usual(frames[-1]), **(settings or {})},
    }
    return Sheet(document, tuple(done))


def _data(frame: Frame, row: npt.NDArray[np.int64], layer: PlacedLayers) -> Json:
    data = kind_of(frame.predictions.task).frame(frame.predictions, row, layer)
    return {**data, "iou": frame.iou} if "iou" in data else data


def _usual(frame: Frame) -> Json:
    """Return the state to begin with: of a detector's many boxes only those that count."""
    best = frame.ratings.threshold
    if best is None or not kind_of(frame.predictions.task).counts_from_threshold:
        return {}
    return {"threshold": best}


class _Pictures:
    """The pictures of all samples, each from the first frame that has it."""

    def __init__(
        self, ids: list[str], frames: Sequence[Frame], rows: list[npt.NDArray[np.int64]]
    ) -> None:
        self.sizes = np.zeros((len(ids), 2), np.int64)
        self.names = [""] * len(ids) if any(f.predictions.names for f in frames) else []
        self._where: list[tuple[Pixels, int] | None] = [None] * len(ids)
        for frame, row in zip(frames, rows, strict=True):
            one = frame.predictions
            for at, place in enumerate(row):
                if place < 0 or self._where[at] is not None:
                    continue
                self.sizes[at] = one.sizes[place]
                if one.names:
                    self.names[at] = one.names[place]
                if one.pixels is not None:
                    self._where[at] = one.pixels, int(place)

    def tile(self, at: int) -> Blob | None:
        where = self._where[at]
        return None if where is None else where[0].tile(where[1])

    def larger(self, at: int) -> Blob | None:
        """Return the native picture where the tile is a smaller one."""
        where = self._where[at]
        if where is None:
            return None
        full = where[0].full(where[1])
        return full if full is not where[0].tile(where[1]) else None


def _rows(ids: list[str], predictions: Predictions) -> npt.NDArray[np.int64]:
    """Return the place in the predictions of each sample, -1 where it is not there."""
    place = {name: at for at, name in enumerate(predictions.ids)}
    return np.array([place.get(name, -1) for name in ids], np.int64)


def _order(ids: list[str], last: Ratings, row: npt.NDArray[np.int64]) -> list[int]:
    """Return the samples, those that were got most wrong first."""
    inverse = {int(place): at for at, place in enumerate(row) if place >= 0}
    first = [inverse[int(place)] for place in last.worst_first]
    known = set(first)
    return first + [at for at in range(len(ids)) if at not in known]


def _spread(values: Array, row: npt.NDArray[np.int64]) -> Array:
    spread = np.full(len(row), np.nan)
    spread[row >= 0] = values[row[row >= 0]]
    return spread


def _note(shown: int, count: int, limit: int, where_all: str) -> str:
    if shown >= count:
        return ""
    if shown == 0:
        return "There are no pictures, only figures."
    size = f"{limit / 1e6:.0f} MB"
    return f"{shown:,} of {count:,} pictures fit into {size}, the worst first. {where_all}".strip()
