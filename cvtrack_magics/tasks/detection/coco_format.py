"""COCO's files: images, annotations and results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.integers import whole
from cvtrack_magics.tasks.detection.coco_doubts import given, of_points, of_twice
from cvtrack_magics.vision import foreign
from cvtrack_magics.vision.masks import Mask, boxes_of, encode


def decode(segmentation: Any, height: int, width: int, what: str = "segmentation") -> Mask:
    """Return COCO's polygons or run lengths, compressed or not, as a mask.

    Raises
    ------
    UsageProblem
        They are neither, or the mask is of another size than the image.
    """
    if isinstance(segmentation, Mapping):
        mask = Mask(*foreign.run_lengths(segmentation, what))
        if (mask.height, mask.width) != (height, width):
            raise UsageProblem(
                f"{what}: the mask is {mask.height} × {mask.width}, the image {height} × {width}."
            )
        return mask
    polygons = foreign.polygons(_nested(segmentation), what)
    height, width = foreign.checked_size(height, width, what)
    if not polygons:
        return encode(np.zeros((height, width), bool))
    coco = mask_tools()
    return encode(coco.decode(coco.merge(coco.frPyObjects(polygons, height, width))))


def _nested(segmentation: Any) -> Any:
    """Return polygons as a list of them; some tools write a single one flat."""
    flat = isinstance(segmentation, (list, tuple)) and bool(segmentation)
    flat = flat and all(isinstance(one, (int, float)) for one in segmentation)
    return [segmentation] if flat else segmentation


def mask_tools() -> Any:
    """Return pycocotools' mask module, or say how to get it."""
    try:
        from pycocotools import mask
    except ImportError:
        raise UsageProblem(
            "COCO's polygons need pycocotools.", 'pip install "cvtrack_magics[vision]"'
        ) from None
    return mask


def load(file: Any, what: str) -> Any:
    """Return the content of a JSON file, or what is already loaded."""
    if not isinstance(file, (str, Path)):
        return file
    return foreign.read_json(Path(file).expanduser(), what)


def key_of(value: Any, what: str) -> int | str:
    """Return an id as what it is looked up by: files mix ``7``, ``7.0`` and ``"7"``.

    Raises
    ------
    UsageProblem
        It is neither a number nor a name.
    """
    if isinstance(value, str) and value:
        return int(value) if value.isdecimal() and str(int(value)) == value else value
    number = whole(value)
    if number is None or isinstance(value, bool):
        raise UsageProblem(f"{what} is {foreign.shown(value)}, expected a number or a name.")
    return number


class CocoData:
    """Annotations of a data set by image, and results beside them.

    Parameters
    ----------
    truth : dict or path
        ``images``, ``annotations`` and ``categories``.
    results : list, path or None
        ``image_id``, ``category_id``, ``score``, and ``bbox`` or what it is found from.
    folder : path, optional
        Where the pictures are, which are read then.
    masks : bool
        Whether each object needs a mask.
    ranged : bool
        Whether the values of black and white are said; without, pictures of 16 bits become 8.
    notes : list of str
        Takes what had two readings.
    points : bool
        Whether key points are read.
    """

    def __init__(
        self,
        truth: Any,
        results: Any,
        *,
        folder: Any,
        masks: bool,
        ranged: bool,
        notes: list[str],
        points: bool = False,
    ) -> None:
        data = load(truth, "truth")
        if not isinstance(data, Mapping) or not {"images", "categories"} <= set(data):
            raise UsageProblem("truth: expected COCO's images, annotations and categories.")
        self._masks, self._ranged, self._pointed = masks, ranged, points
        images = _by_key(data["images"], "truth: images")
        order = sorted(images, key=lambda key: str(key).zfill(20))
        self.images = [images[key] for key in order]
        self._places = {key: at for at, key in enumerate(order)}
        categories = _by_key(data["categories"], "truth: categories")
        ids = sorted(categories, key=lambda key: str(key).zfill(20))
        self._index = {key: at for at, key in enumerate(ids)}
        self.classes = tuple(_name_of(categories[key], key, notes) for key in ids)
        self.pictures = None if folder is None else self._read(folder, notes)
        self.sizes = self._sizes()
        self.truth = self._by_image(_objects_of(data, "truth", notes), "truth", notes, scored=False)
        said = load(results, "predictions") if results is not None else ()
        if isinstance(said, Mapping):
            said = _objects_of(said, "predictions", notes)
        self.predictions = self._by_image(said, "predictions", notes, scored=True)

    def _read(self, folder: Any, notes: list[str]) -> list[Any]:
        """Return the images of a folder, of the size that the file says."""
        root = Path(folder).expanduser()
        turned = deep = 0
        found = []
        for image in self.images:
            path = foreign.below(root, image.get("file_name"), "images: file_name")
            file = foreign.picture(path, "images")
            picture, said = file.stored, _said_size(image)
            if file.upright is not None:
                if said == _size(file.upright) != _size(picture):
                    picture = file.upright
                else:
                    turned += 1
            if said not in (None, _size(picture)):
                height, width = _size(picture)
                raise UsageProblem(
                    f"images: {foreign.shown(path.name)} is {height} × {width}, but the file says "
                    f"{said[0]} × {said[1]}."
                )
            if file.sixteen and not self._ranged:
                deep += 1
                picture = (np.asarray(picture, np.float64) / 257 + 0.5).astype(np.uint8)
            found.append(picture)
        if turned:
            notes.append(foreign.TURNED.format(turned, len(found)))
        if deep:
            notes.append(
                f"{deep} of {len(found)} pictures have 16 bits; 65535 is taken as white "
                "(value_range= says otherwise)."
            )
        return found

    def _sizes(self) -> npt.NDArray[np.int64]:
        """Return heights and widths, int64 N × 2."""
        if self.pictures is not None:
            return np.array([_size(one) for one in self.pictures], np.int64).reshape(-1, 2)
        said = [_said_size(image) for image in self.images]
        for image, size in zip(self.images, said, strict=True):
            if size is None:
                raise UsageProblem(
                    f"truth: image {foreign.shown(image['id'])} has no height and width.",
                    "Give images=, the folder of the pictures.",
                )
        return np.array(said, np.int64).reshape(-1, 2)

    def _by_image(
        self, items: Any, what: str, notes: list[str], *, scored: bool
    ) -> list[list[dict[str, Any]]]:
        if isinstance(items, (str, bytes)) or not isinstance(items, Sequence):
            raise UsageProblem(f"{what}: expected a list of objects, saw {foreign.shown(items)}.")
        found: list[list[dict[str, Any]]] = [[] for _ in self.images]
        for number, item in enumerate(items):
            where = f"{what}: object {number}"
            if not isinstance(item, Mapping):
                raise UsageProblem(f"{where} is {foreign.shown(item)}, expected a dict.")
            image = key_of(item.get("image_id"), f"{where}: image_id")
            where = f"{where} (image {foreign.shown(image)})"
            if image not in self._places:
                raise UsageProblem(f"{where}: the file's images do not have this one.")
            category = key_of(item.get("category_id"), f"{where}: category_id")
            if category not in self._index:
                raise UsageProblem(
                    f"{where}: category {foreign.shown(category)} is not in the file's categories."
                )
            at = self._places[image]
            plain = {key: _listed(value) for key, value in item.items()}
            found[at].append(self._object(plain, self._index[category], at, where, scored))
        notes += [] if scored else of_twice(items)
        notes += [] if self._pointed else of_points(items, what)
        return found

    def _object(
        self, item: Mapping[str, Any], category: int, at: int, where: str, scored: bool
    ) -> dict[str, Any]:
        height, width = map(int, self.sizes[at])
        made = {**item, "category_id": category, "bbox": _box_of(item, height, width, where)}
        made.pop("segmentation", None)
        if self._masks:
            if not given(item.get("segmentation")):
                raise UsageProblem(f"{where} has no segmentation, which masks=True needs.")
            made["segmentation"] = decode(item["segmentation"], height, width, where).coco()
        if scored and not _is_number(item.get("score")):
            raise UsageProblem(f"{where}: score is {foreign.shown(item.get('score'))}.")
        return made


def _by_key(items: Any, what: str) -> dict[int | str, Mapping[str, Any]]:
    """Return the entries of a list by their ids."""
    found: dict[int | str, Mapping[str, Any]] = {}
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Sequence):
        raise UsageProblem(f"{what}: expected a list, saw {foreign.shown(items)}.")
    for item in items:
        if not isinstance(item, Mapping):
            raise UsageProblem(f"{what}: expected dicts with an id, saw {foreign.shown(item)}.")
        key = key_of(item.get("id"), f"{what}: an id")
        if key in found:
            raise UsageProblem(f"{what}: id {foreign.shown(key)} occurs twice.")
        found[key] = item
    return found


def _name_of(category: Mapping[str, Any], key: int | str, notes: list[str]) -> str:
    name = category.get("name")
    if (isinstance(name, str) and name) or _is_number(name):
        return str(name)
    notes.append(f"Category {key} has no name in the file; its id stands for it.")
    return str(key)


def _said_size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return what a file says of an image's height and width, if it does: 0 says nothing."""
    sides = [image.get("height"), image.get("width")]
    if None in sides or sides == [0, 0]:
        return None
    what = f"truth: image {foreign.shown(image['id'])}"
    height, width = (_side(side) for side in sides)
    return foreign.checked_size(height, width, what)


def _side(value: Any) -> Any:
    """Return a side in pixels, which some tools write as text; what is none as it is."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else value
    number = whole(value)
    return value if number is None else number


def _listed(value: Any) -> Any:
    """Return an array or a tensor as lists and numbers, anything else as it is."""
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else value


def _objects_of(data: Mapping[str, Any], what: str, notes: list[str]) -> Any:
    """Return a file's ``annotations``.

    Raises
    ------
    UsageProblem
        Predictions are a dict that has none: another form, which is not without objects.
    """
    if "annotations" not in data and what == "predictions":
        keys = ", ".join(str(key)[:30] for key in list(data)[:6]) or "nothing"
        raise UsageProblem(
            f"predictions: expected COCO's list of results, saw a dict of {keys}.",
            "Each result is a dict with image_id, category_id, score and bbox.",
        )
    objects = data.get("annotations")
    if objects is None:
        notes.append(f"{what}: the file has no annotations, so no object is in it.")
    return () if objects is None else objects


def _size(picture: Any) -> tuple[int, int]:
    """Return the height and width of a PIL image or of an array."""
    height, width = np.shape(picture)[:2] if hasattr(picture, "shape") else picture.size[::-1]
    return int(height), int(width)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _box_of(item: Mapping[str, Any], height: int, width: int, where: str) -> list[float]:
    """Return an object's box, x y w h; where it has none, that of its mask or key points.

    COCO's own results of segmentation and of key points have no box; its API makes it so.
    """
    box = item.get("bbox")
    if box is not None:
        fits = isinstance(box, (list, tuple)) and len(box) == 4
        if not fits or not all(_is_number(one) and math.isfinite(one) for one in box):
            raise UsageProblem(f"{where}: bbox is {foreign.shown(box)}, expected 4 numbers.")
        return [float(one) for one in box]
    segmentation = item.get("segmentation")
    if isinstance(segmentation, Mapping):
        left, top, right, bottom = boxes_of([decode(segmentation, height, width, where)])[0]
        return [float(left), float(top), float(right - left), float(bottom - top)]
    xs: list[float] = []
    ys: list[float] = []
    if given(segmentation):
        polygons = foreign.polygons(_nested(segmentation), where)
        xs = [x for polygon in polygons for x in polygon[::2]]
        ys = [y for polygon in polygons for y in polygon[1::2]]
    elif given(item.get("keypoints")):
        xs, ys = _points_of(item["keypoints"], where)
    if not xs:
        raise UsageProblem(f"{where} has no bbox, and no segmentation or keypoints to find it.")
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def _points_of(keypoints: Any, where: str) -> tuple[list[float], list[float]]:
    flat = isinstance(keypoints, (list, tuple)) and len(keypoints) % 3 == 0
    if not flat or not all(_is_number(one) and math.isfinite(one) for one in keypoints):
        raise UsageProblem(f"{where}: keypoints are {foreign.shown(keypoints)}, expected x, y, v.")
    points = [keypoints[at : at + 3] for at in range(0, len(keypoints), 3)]
    placed = [one for one in points if any(one)] or points  # 0, 0, 0 is a point nobody placed
    return [float(x) for x, _, _ in placed], [float(y) for _, y, _ in placed]
