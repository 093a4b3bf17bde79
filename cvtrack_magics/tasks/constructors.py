"""The ways to make ``Predictions``, one for each task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.assembling import length, made
from cvtrack_magics.tasks.base import Detections, Task
from cvtrack_magics.tasks.class_ids import refuse_bare
from cvtrack_magics.tasks.class_names import class_names
from cvtrack_magics.tasks.classification.parse import read_anomalies
from cvtrack_magics.tasks.detection.doubts import of_other_form
from cvtrack_magics.tasks.detection.parse import Form, read_boxes, read_names
from cvtrack_magics.tasks.kind import task_named
from cvtrack_magics.tasks.placed_constructors import PlacedMaking
from cvtrack_magics.tasks.samples import Samples
from cvtrack_magics.tasks.segmentation.label_maps import read_segments
from cvtrack_magics.tasks.segmentation.parse import read_depths

if TYPE_CHECKING:
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.images import Range


class Making(PlacedMaking):
    """The constructors of ``Predictions``."""

    __slots__ = ()

    @classmethod
    def of(cls, value: Any, task: str | None = None) -> Predictions:
        """Return predictions from what one expression gives.

        Parameters
        ----------
        value : Predictions, tuple or dict
            Predictions as they are; (images, truth, output) or a dict of arguments for the
            way of making that ``task`` names.
        task : str, optional
            One of the nine tasks; must agree with predictions that are made already.
        """
        from cvtrack_magics.tasks.predictions import Predictions

        if isinstance(value, Predictions):
            if task and task_named(task) != value.task:
                raise UsageProblem(f"{value!r} is no {task}.", "Leave out the task.")
            return value
        if not task:
            raise UsageProblem(
                f"Expected Predictions, saw {type(value).__name__}.",
                "Make them with Predictions.classification(...), or name the task and give "
                "(images, truth, output).",
            )
        make = getattr(cls, task_named(task))
        if isinstance(value, dict):
            made = make(**value)
        elif isinstance(value, (tuple, list)) and len(value) == 3:
            made = make(*value)
        else:
            raise UsageProblem(f"{task}: expected (images, truth, output).")
        return cast("Predictions", made)

    @classmethod
    def detection(
        cls,
        images: Any,
        truth: Any,
        predictions: Any,
        *,
        classes: Any = None,
        box_format: str | None = None,
        **about: Any,
    ) -> Predictions:
        """Return the predictions of an object detector.

        Parameters
        ----------
        images : batch, list of images, or None
            As for :meth:`classification`. Without images give ``sizes``.
        truth, predictions : sequence, N
            One entry for each image: torchvision's dict (``boxes``, ``labels``, and
            ``scores`` of predictions; ``iscrowd``, and ``difficult`` or ``ignore``, for true
            objects that do not count), ``supervision.Detections``, a list of COCO annotations
            (``category_id`` an index into ``classes``), or an array M × 5 (4 coordinates,
            label) and M × 6 (4 coordinates, score, label) with ``box_format``.
        classes : sequence of str, dict of int to str, or int, optional
            Names by index.
        box_format : {'xyxy', 'xywh', 'cxcywh', 'xyxy-rel', 'xywh-rel', 'cxcywh-rel'}, optional
            Recognised for everything but plain arrays; ``-rel`` is relative to the image.
        **about
            ``ids`` (N names that are the same in every run; the digest of the picture
            otherwise), ``names`` (N captions), ``layout`` ('CHW', 'HWC'), ``value_range``
            ((black, white), 'imagenet', 'clip' … or (means, deviations)), ``sizes`` (N × 2,
            height and width), ``seconds`` (what the model took) and ``about`` (what else is
            known of each sample, ``{"camera": [...], "night": [...]}`` or a DataFrame; see
            :meth:`with_about`).
        """
        objects = (images, truth, predictions)
        return _objects(cls, objects, classes, Form(box_format, masked=False), about)

    @classmethod
    def instance(
        cls,
        images: Any,
        truth: Any,
        predictions: Any,
        *,
        classes: Any = None,
        box_format: str | None = None,
        **about: Any,
    ) -> Predictions:
        """Return the predictions of an instance segmentation.

        As :meth:`detection`, with ``masks`` in each entry: M × H × W truth values, or
        M × 1 × H × W probabilities (above 0.5 counts); boxes may then be missing. Grey values
        of 0..255 are cut at half, logits (values below 0) at 0, and a note says so.
        """
        objects = (images, truth, predictions)
        return _objects(cls, objects, classes, Form(box_format, masked=True), about)

    @classmethod
    def semantic(
        cls,
        images: Any,
        truth: Any,
        predictions: Any = None,
        *,
        logits: Any = None,
        classes: Any = None,
        ignore: int | None = None,
        **about: Any,
    ) -> Predictions:
        """Return the predictions of a semantic segmentation.

        Parameters
        ----------
        images : batch, list of images, or None
            As for :meth:`classification`.
        truth : int array-like, N × H × W, or a list of N maps
            The class of each pixel.
        predictions : int array-like
            The same, as predicted.
        logits : float array-like, N × K × H × W
            Instead of ``predictions``. A pixel whose highest logit is NaN or infinite has
            no class: it is wrong.
        classes : sequence of str, dict of int to str, or int, optional
            Names by index.
        ignore : int, optional
            The label of pixels that do not count, often 255, -1 or -100.
        **about
            See :meth:`detection`.
        """
        common = Samples.of(images, length(truth), **about)
        notes: list[str] = []
        data, names = read_segments(
            truth,
            common.count,
            classes,
            predictions=predictions,
            logits=logits,
            ignore=ignore,
            notes=notes,
        )
        return made(cls, common, "semantic", names, data, notes=notes)

    @classmethod
    def anomaly(
        cls,
        images: Any,
        truth: Any,
        scores: Any,
        *,
        heat: Any = None,
        masks: Any = None,
        classes: Any = ("normal", "anomalous"),
        **about: Any,
    ) -> Predictions:
        """Return the predictions of an anomaly detector.

        Parameters
        ----------
        images : batch, list of images, or None
            As for :meth:`classification`.
        truth : array-like, N, or None
            1 or true: anomalous; 0: normal; -1: unknown.
        scores : float array-like, N
            Higher is more anomalous.
        heat : float array-like, N × H × W, optional
            Where it looks anomalous.
        masks : array-like, N × H × W, optional
            Where it is anomalous; grey values as for :meth:`instance`.
        **about
            See :meth:`detection`.
        """
        common = Samples.of(images, length(truth, scores), **about)
        notes: list[str] = []
        data = read_anomalies(truth, scores, common.count, heat=heat, masks=masks, notes=notes)
        return made(cls, common, "anomaly", class_names(classes, 2), data, notes=notes)

    @classmethod
    def depth(cls, images: Any, truth: Any, predictions: Any, **about: Any) -> Predictions:
        """Return the predictions of a depth estimation.

        Parameters
        ----------
        images : batch, list of images, or None
            As for :meth:`classification`.
        truth, predictions : float array-like, N × H × W
            Depths in one unit; a truth of 0, below 0 or NaN is no measurement.
        **about
            See :meth:`detection`.
        """
        common = Samples.of(images, length(truth), **about)
        notes: list[str] = []
        data = read_depths(truth, predictions, common.count, notes)
        return made(cls, common, "depth", (), data, notes=notes)

    @classmethod
    def from_coco(
        cls,
        truth: Any,
        predictions: Any = None,
        *,
        images: Any = None,
        masks: bool = False,
        keypoints: bool = False,
        value_range: Range | None = None,
    ) -> Predictions:
        """Return what COCO's files hold: the truth, and results of any model.

        Parameters
        ----------
        truth : path or dict
            ``images``, ``annotations`` and ``categories``.
        predictions : path or list, optional
            Results: ``image_id``, ``category_id``, ``score``, and ``bbox``, ``segmentation``
            or ``keypoints``.
        images : path, optional
            The folder of the images; needed where the file does not say their sizes.
        masks, keypoints : bool
            Read instance masks too, or key points.
        value_range : (float, float), optional
            The values of black and white of pictures of more than 8 bits; 0 and 65535 for
            PNG's 16 bits.
        """
        from cvtrack_magics.tasks.detection.coco_format import CocoData

        notes: list[str] = []
        ranged = value_range is not None
        what: dict[str, Any] = {"masks": masks, "points": keypoints, "ranged": ranged}
        coco = CocoData(truth, predictions, folder=images, notes=notes, **what)
        objects = (coco.pictures, coco.truth, coco.predictions)
        about = {
            "ids": [str(image["id"]) for image in coco.images],
            "names": [str(image.get("file_name", "")) for image in coco.images],
            "sizes": coco.sizes,
            "value_range": value_range,
        }
        if keypoints:
            found = cls.keypoints(*objects, classes=coco.classes, **about)
            return replace(found, notes=(*notes, *found.notes))
        form = Form(None, masked=masks)
        return _objects(cls, objects, coco.classes, form, about, notes=notes)

    @classmethod
    def collect(cls, model: Any, loader: Any, task: Task, **options: Any) -> Predictions:
        """Run a model over a data loader; see :func:`cvtrack_magics.tasks.collect.collect`."""
        from cvtrack_magics.tasks.collect import collect

        return collect(model, loader, task, **options)


def _objects(
    cls: Any,
    objects: tuple[Any, Any, Any],
    classes: Any,
    form: Form,
    about: dict[str, Any],
    *,
    notes: list[str] | None = None,
) -> Predictions:
    images, truth, said = objects
    common = Samples.of(images, None, **about)
    notes = [] if notes is None else notes
    mine = read_boxes(
        truth, common.sizes, "truth", form, scored=False, notes=notes, classes=classes
    )
    theirs = read_boxes(
        said, common.sizes, "predictions", form, scored=True, notes=notes, classes=classes
    )
    refuse_bare(truth, "truth", mine.labels, theirs.labels)
    refuse_bare(said, "predictions", theirs.labels, mine.labels)
    names = read_names(classes, mine, theirs)
    notes += of_other_form(mine, theirs)
    task: Task = "instance" if form.masked else "detection"
    return made(cls, common, task, names, Detections(mine, theirs), notes=notes)
