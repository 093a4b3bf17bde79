"""What in COCO's files speaks for another reading; each is one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cvtrack_magics.vision import foreign


def given(value: Any) -> bool:
    """Whether there is something: neither null nor an empty list."""
    return value is not None and (not hasattr(value, "__len__") or len(value) > 0)


def of_twice(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say that true objects have an id that an earlier one had: a file joined with itself."""
    counts = Counter(str(item["id"]) for item in items if item.get("id") is not None)
    twice = [key for key, count in counts.items() if count > 1]
    if not twice:
        return []
    return [
        f"truth: {sum(counts.values()) - len(counts):,} of {len(items):,} objects have an id that "
        f"another one has ({foreign.shown(twice[0])} …); each is counted."
    ]


def of_points(items: Sequence[Mapping[str, Any]], what: str) -> list[str]:
    """Say that boxes were made of key points, whose AP is not COCO's of key points."""
    made = sum(
        item.get("bbox") is None
        and not given(item.get("segmentation"))
        and given(item.get("keypoints"))
        for item in items
    )
    if not made:
        return []
    return [
        f"{what}: {made:,} of {len(items):,} objects have key points and no bbox: the box around "
        "the points is taken."
    ]
