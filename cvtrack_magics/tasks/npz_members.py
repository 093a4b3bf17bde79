"""Boxes, maps and byte strings as plain arrays of an ``.npz`` file, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.maps import Maps, Packed
from cvtrack_magics.vision.masks import Mask


def of_boxes(name: str, boxes: Boxes) -> dict[str, Array]:
    """Return boxes as members whose names begin so."""
    members = {
        f"{name}_offsets": boxes.offsets,
        f"{name}_xyxy": boxes.xyxy,
        f"{name}_labels": boxes.labels,
    }
    if boxes.scores is not None:
        members[f"{name}_scores"] = boxes.scores
    if boxes.crowd is not None:
        members[f"{name}_crowd"] = boxes.crowd
    if boxes.points is not None:
        members[f"{name}_points"] = boxes.points
    if boxes.corners is not None:
        members[f"{name}_corners"] = boxes.corners
    if boxes.areas is not None:
        members[f"{name}_areas"] = boxes.areas
    if boxes.ignored is not None:
        members[f"{name}_ignored"] = boxes.ignored
    if boxes.masks is not None:
        members[f"{name}_mask_sizes"] = np.array(
            [(mask.height, mask.width, len(mask.counts)) for mask in boxes.masks], np.int64
        ).reshape(-1, 3)
        members[f"{name}_mask_counts"] = np.concatenate(
            [mask.counts for mask in boxes.masks] or [np.zeros(0, np.uint32)]
        )
    return members


def to_boxes(name: str, members: Mapping[str, Array]) -> Boxes:
    """Return boxes from members."""
    masks = None
    if f"{name}_mask_sizes" in members:
        sizes = members[f"{name}_mask_sizes"]
        ends = np.cumsum(sizes[:, 2])
        counts = np.split(members[f"{name}_mask_counts"], ends[:-1]) if len(sizes) else []
        masks = tuple(
            Mask(int(h), int(w), run) for (h, w, _), run in zip(sizes, counts, strict=True)
        )
    return Boxes(
        members[f"{name}_offsets"],
        members[f"{name}_xyxy"],
        members[f"{name}_labels"],
        members.get(f"{name}_scores"),
        members.get(f"{name}_crowd"),
        masks,
        members.get(f"{name}_ignored"),
        members.get(f"{name}_points"),
        members.get(f"{name}_areas"),
        members.get(f"{name}_corners"),
    )


def of_maps(name: str, maps: Maps | None) -> dict[str, Array]:
    """Return maps as members; none of them for None."""
    if maps is None:
        return {}
    shapes = [item.shape for item in maps.items]
    return {
        **joined(name, [item.data for item in maps.items]),
        f"{name}_shapes": np.array(shapes, np.int64).reshape(-1, 2),
        f"{name}_dtypes": np.array([item.dtype for item in maps.items], "S8"),
    }


def to_maps(name: str, members: Mapping[str, Array]) -> Maps | None:
    """Return maps from members, or None where there are none."""
    if f"{name}_shapes" not in members:
        return None
    return Maps(
        tuple(
            Packed(data, dtype.decode("ascii"), (int(shape[0]), int(shape[1])))
            for data, dtype, shape in zip(
                parts(name, members),
                members[f"{name}_dtypes"],
                members[f"{name}_shapes"],
                strict=True,
            )
        )
    )


def joined(name: str, parts: Sequence[bytes]) -> dict[str, Array]:
    """Return byte strings as one array and where each ends."""
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    return {f"{name}_bytes": np.frombuffer(b"".join(parts), np.uint8), f"{name}_ends": ends}


def parts(name: str, members: Mapping[str, Array]) -> list[bytes]:
    """Return byte strings from one array."""
    whole, ends = members[f"{name}_bytes"].tobytes(), members[f"{name}_ends"]
    return [whole[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=False)]
