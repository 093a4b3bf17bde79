"""The pictures of an evaluation as PNGs: confusion matrix, curves, bars and error map."""

from __future__ import annotations

import numpy as np

from cvtrack_magics.tasks.segmentation.figures import confusion_matrix, error_map
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.figures.bars import lost_bars, per_class_bars
from cvtrack_magics.vision.figures.lines import pr_curve, reliability_diagram, roc_curve

__all__ = ["figures"]

_BARS = ("f1", "AP", "AP50", "IoU")


def figures(evaluation: Evaluation) -> dict[str, bytes]:
    """Draw what an evaluation holds.

    Parameters
    ----------
    evaluation : Evaluation
        Of any task.

    Returns
    -------
    dict of str to bytes
        PNGs on white, by name, those that apply: ``confusion_matrix``, ``pr_curve``,
        ``roc_curve``, ``per_class_f1``, ``per_class_AP``, ``per_class_AP50``,
        ``per_class_IoU``, ``reliability_diagram``, ``lost_AP50`` and ``depth_error_map``.

    Notes
    -----
    Matplotlib's pyplot, backend and settings are neither used nor changed.
    """
    made: dict[str, bytes] = {}
    if evaluation.confusion is not None and evaluation.confusion.any():
        made["confusion_matrix"] = confusion_matrix(evaluation)
    drawers = (("pr", pr_curve), ("roc", roc_curve), ("reliability", reliability_diagram))
    for kind, draw in drawers:
        curves = [curve for curve in evaluation.curves if curve.kind == kind and len(curve.x)]
        if curves:
            name = "reliability_diagram" if kind == "reliability" else f"{kind}_curve"
            made[name] = draw(curves, evaluation)
    for key in _BARS:
        values = evaluation.per_class.get(key)
        if values is not None and np.isfinite(values).any():
            made[f"per_class_{key}"] = per_class_bars(key, values, evaluation)
    if evaluation.lost and np.isfinite(list(evaluation.lost.values())).all():
        made["lost_AP50"] = lost_bars(evaluation)
    for name, picture in evaluation.pictures.items():
        if np.isfinite(picture).any():
            made[f"{name}_map"] = error_map(picture, evaluation)
    return made
