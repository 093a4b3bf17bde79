"""COCO's files: images, annotations and results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision import foreign
from cvtrack_magics.vision.masks import Mask, encode


def decode(segmentation: Any, height: int, width: int) -> Mask:
    """Return COCO's polygons or run lengths, compressed or not, as a mask."""
    if isinstance(segmentation, Mapping):
        return Mask(*foreign.run_lengths(segmentation, "segmentation"))
    polygons = foreign.polygons(segmentation, "segmentation")
    height, width = foreign.checked_size(height, width, "segmentation")
    if not polygons:
        return encode(np.zeros((height, width), bool))
    coco = mask_tools()
    return encode(coco.decode(coco.merge(coco.frPyObjects(polygons, height, width))))


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


class CocoData:
    """Annotations of a data set by image, and results beside them.

    Parameters
    ----------
    truth : dict or path
        ``images``, ``annotations`` and ``categories``.
    results : list, path or None
        ``image_id``, ``category_id``, ``bbox`` and ``score`` each.
    """

    def __init__(self, truth: Any, results: Any = None) -> None:
        data = load(truth, "truth")
        if not isinstance(data, Mapping) or not {"images", "categories"} <= set(data):
            raise UsageProblem("truth: expected COCO's images, annotations and categories.")
        self.images = sorted(data["images"], key=lambda image: str(image["id"]).zfill(20))
        categories = sorted(data["categories"], key=lambda category: int(category["id"]))
        self.classes = tuple(str(category["name"]) for category in categories)
        self._index = {int(category["id"]): at for at, category in enumerate(categories)}
        self.truth = self._by_image(data.get("annotations", ()), "truth")
        said = load(results, "predictions") if results is not None else ()
        if isinstance(said, Mapping):
            said = said.get("annotations", ())
        self.predictions = self._by_image(said, "predictions")

    def _by_image(self, items: Sequence[Mapping[str, Any]], what: str) -> list[list[Any]]:
        known = {image["id"] for image in self.images}
        found: dict[Any, list[Any]] = defaultdict(list)
        for item in items:
            if item["image_id"] not in known:
                raise UsageProblem(
                    f"{what}: image {item['image_id']!r} is not in the file's images."
                )
            category = int(item["category_id"])
            if category not in self._index:
                raise UsageProblem(f"{what}: category {category} is not in the file's categories.")
            found[item["image_id"]].append({**item, "category_id": self._index[category]})
        return [found[image["id"]] for image in self.images]

    @property
    def sizes(self) -> Any:
        """Heights and widths, int64 N × 2."""
        sizes = [(image["height"], image["width"]) for image in self.images]
        return np.array(sizes, np.int64).reshape(-1, 2)

    def pictures(self, folder: Any) -> list[Any]:
        """Return the images of a folder, as PIL images."""
        root = Path(folder).expanduser()
        paths = [
            foreign.below(root, image.get("file_name"), "images: file_name")
            for image in self.images
        ]
        return [foreign.picture(path, "images") for path in paths]
