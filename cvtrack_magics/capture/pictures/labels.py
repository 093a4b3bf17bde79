"""Labels and boxes that cannot be right, or not be learnt: by themselves, without the pictures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from cvtrack_magics.artifacts.data_check import Finding
from cvtrack_magics.capture.pictures.items import Box, Problem
from cvtrack_magics.capture.pictures.samples import Samples

FEW = 5
"""Pictures of a class below which it is tiny."""
_SLACK = 1.0  # pixels that a box may leave the picture: rounding


def label_findings(samples: Samples) -> Iterator[Finding]:
    """Yield what is wrong with labels, boxes and names."""
    for at, split in enumerate(samples.splits):
        for problem in split.problems:
            yield _of(samples.names[at], problem)
    for at, picture in enumerate(samples.pictures):
        size = samples.seen[at].size if samples.seen[at].sketch is not None else picture.size
        for name, box in picture.boxes:
            kind, said = _of_box(name, box, size)
            if kind:
                yield Finding(kind, (samples.where(at),), (samples.label(at),), said)
    yield from _of_classes(samples)


def _of(name: str, problem: Problem) -> Finding:
    return Finding(problem.kind, ((name, problem.name),), ("",), problem.detail)


def _of_box(name: str, box: Box, size: tuple[int, int] | None) -> tuple[str, str]:
    left, top, right, bottom = box
    if not all(map(math.isfinite, box)):
        return "box without area", f"{name}: no four numbers"
    if right <= left or bottom <= top:
        return "box without area", f"{name}: {right - left:g} × {bottom - top:g}"
    if min(left, top) < -_SLACK or (size and _beyond(right, bottom, size)):
        of = f" of {size[0]:,} × {size[1]:,}" if size else ""
        return "box outside", f"{name}: {left:g}, {top:g} to {right:g}, {bottom:g}{of}"
    return "", ""


def _beyond(right: float, bottom: float, size: tuple[int, int]) -> bool:
    return right > size[0] + _SLACK or bottom > size[1] + _SLACK


def _of_classes(samples: Samples) -> Iterator[Finding]:
    counts = [_counted(samples, at) for at in range(len(samples.names))]
    if len(counts) == 2 and all(counts):
        for at, other in ((0, 1), (1, 0)):
            for name in sorted(set(counts[at]) - set(counts[other])):
                yield _class("class of one set", samples.names[at], name, counts[at][name])
    for at, found in enumerate(counts):
        if len(found) > 1 and sum(found.values()) > 2 * FEW:
            for name, count in sorted(found.items()):
                if count < FEW:
                    yield _class("tiny class", samples.names[at], name, count)


def _counted(samples: Samples, split: int) -> Counter[str]:
    """Return of how many pictures each class is; of objects each of them counts."""
    found: Counter[str] = Counter(dict.fromkeys(samples.splits[split].classes, 0))
    for at, picture in enumerate(samples.pictures):
        if samples.of[at] != split:
            continue
        if picture.boxes:
            found.update({name for name, _ in picture.boxes})
        elif picture.label is not None:
            found[picture.label] += 1
    return found


def _class(kind: str, name: str, label: str, count: int) -> Finding:
    pictures = "1 picture" if count == 1 else f"{count:,} pictures"
    return Finding(kind, ((name, label),), (label,), pictures)
