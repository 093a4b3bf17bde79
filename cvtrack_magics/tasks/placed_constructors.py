"""The ways to make ``Predictions`` of objects that are more than boxes: points, turned boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvtrack_magics.tasks.assembling import made
from cvtrack_magics.tasks.base import Detections
from cvtrack_magics.tasks.detection.parse import read_names
from cvtrack_magics.tasks.keypoints.parse import poses_of, read_poses
from cvtrack_magics.tasks.label_constructors import LabelMaking
from cvtrack_magics.tasks.oriented.parse import Side, read_quads
from cvtrack_magics.tasks.samples import Samples

if TYPE_CHECKING:
    from cvtrack_magics.tasks.predictions import Predictions


class PlacedMaking(LabelMaking):
    """The constructors of key points and of oriented boxes."""

    __slots__ = ()

    @classmethod
    def keypoints(
        cls,
        images: Any,
        truth: Any,
        predictions: Any,
        *,
        classes: Any = None,
        sigmas: Any = None,
        **about: Any,
    ) -> Predictions:
        """Return the predictions of key points: poses of people, landmarks, parts.

        Parameters
        ----------
        images : batch, list of images, or None
            As for :meth:`classification`. Without images give ``sizes``.
        truth, predictions : sequence, N
            One entry for each image: torchvision's dict (``keypoints`` M × K × 3: x, y and
            whether it is labelled, or M × K × 2; ``boxes``, ``labels``, ``scores`` of
            predictions, ``area``, ``iscrowd``), a list of COCO's annotations or results, or an
            Ultralytics pose result. Without boxes they are those around the points, without
            labels there is one class, without area it is that of the box.
        classes : sequence of str, dict of int to str, or int, optional
            Names by index.
        sigmas : float array-like, K, optional
            How far each point may be off (OKS): COCO's for the 17 of a person, else 1 / K.
        **about
            See :meth:`detection`.
        """
        common = Samples.of(images, None, **about)
        notes: list[str] = []
        parts = (("truth", truth, False), ("predictions", predictions, True))
        mine, theirs = (
            read_poses(items, common.sizes, what, scored=scored, notes=notes, classes=classes)
            for what, items, scored in parts
        )
        data = poses_of(mine, theirs, sigmas, notes)
        names = read_names(classes, data.truth, data.prediction)
        return made(cls, common, "keypoints", names, data, notes=notes)

    @classmethod
    def oriented(
        cls,
        images: Any,
        truth: Any,
        predictions: Any,
        *,
        classes: Any = None,
        angle: str | None = None,
        **about: Any,
    ) -> Predictions:
        """Return the predictions of a detector of oriented boxes.

        Parameters
        ----------
        images : batch, list of images, or None
            As for :meth:`classification`. Without images give ``sizes``.
        truth, predictions : sequence, N
            One entry for each image: a dict with ``corners`` (M × 4 × 2 or M × 8) or ``boxes``
            (M × 5: centre x and y, width, height, angle), ``labels`` and, if predicted,
            ``scores``; an Ultralytics result with ``obb``; or the path of a label file of DOTA
            or of YOLO's oriented boxes.
        classes : sequence of str, dict of int to str, or int, optional
            Names by index; DOTA's files need them.
        angle : {'radians', 'degrees'}, optional
            Of ``boxes``; asked for where their values could be both.
        **about
            See :meth:`detection`.
        """
        common = Samples.of(images, None, **about)
        notes: list[str] = []
        parts = (("truth", truth, False), ("predictions", predictions, True))
        mine, theirs = (
            read_quads(items, common.sizes, Side(what, scored, angle), notes, classes)
            for what, items, scored in parts
        )
        names = read_names(classes, mine, theirs)
        return made(cls, common, "oriented", names, Detections(mine, theirs), notes=notes)
