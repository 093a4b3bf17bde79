"""COCO's object keypoint similarity (OKS), and the sigmas it is made with."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes

COCO_PERSON: Final = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
"""Of nose, eyes, ears, shoulders, elbows, wrists, hips, knees and ankles (cocodataset.org)."""


def sigmas_for(count: int, given: object, notes: list[str]) -> tuple[float, ...]:
    """Return how far each key point may be off, as a share of the object's size.

    Parameters
    ----------
    count : int
        K, the key points of an object; 0 where there is no object that could say it.
    given : sequence of float, K, or None
        As the user said them; otherwise COCO's for the 17 of a person, else 1 / K each.
    notes : list of str
        Takes what was assumed.

    Raises
    ------
    UsageProblem
        There are not K, or one is not above 0.
    """
    if given is None:
        if count == len(COCO_PERSON):
            return COCO_PERSON
        if not count:
            return ()
        notes.append(
            f"keypoints: sigmas are 1/{count} for each of the {count} points, since none were "
            "said; sigmas= says how far each may be off."
        )
        return (1 / count,) * count
    values = tuple(float(one) for one in np.asarray(given, np.float64).reshape(-1))
    if len(values) != (count or len(values)) or not all(0 < one < np.inf for one in values):
        raise UsageProblem(
            f"sigmas: expected {count} numbers above 0, one a key point; saw {len(values)}."
        )
    return values


def oks(
    prediction: Boxes,
    rows: npt.NDArray[np.int64],
    truth: Boxes,
    wanted: npt.NDArray[np.int64],
    sigmas: Array,
) -> npt.NDArray[np.float64]:
    """Return the similarity of some predictions with some objects of a picture.

    The mean over an object's labelled points of exp(-d² / (2 s² k²)): d the distance, s² the
    object's area, k = 2 sigma. Of an object without labelled points a point counts by how far it
    lies outside of its box, enlarged to three times its size (Ronchi and Perona, ICCV 2017).

    Parameters
    ----------
    prediction, truth : Boxes
        With points.
    rows, wanted : int64, D and M
        Which of them.
    sigmas : float64, K

    Returns
    -------
    float64, D x M
    """
    assert prediction.points is not None
    assert truth.points is not None
    assert truth.areas is not None
    said = np.asarray(prediction.points[rows][:, None, :, :2], np.float64)
    true = np.asarray(truth.points[wanted], np.float64)
    labelled = true[..., 2] > 0
    nobody = np.logical_not(labelled.any(axis=1))
    off = said - true[None, ..., :2]
    if nobody.any():
        left, top, right, bottom = truth.xyxy[wanted[nobody]].astype(np.float64).T
        wide, high = right - left, bottom - top
        low = np.stack((left - wide, top - high), axis=1)[None, :, None]
        high_ = np.stack((left + 2 * wide, top + 2 * high), axis=1)[None, :, None]
        off[:, nobody] = np.maximum(0, low - said) + np.maximum(0, said - high_)
    area = truth.areas[wanted][None, :, None] + np.spacing(1)
    spread = (np.asarray(sigmas) * 2) ** 2
    values = np.exp(-(off**2).sum(axis=-1) / spread / area / 2)
    counted = labelled | nobody[:, None]
    total = np.where(counted[None], values, 0).sum(axis=-1)
    return np.asarray(total / counted.sum(axis=-1)[None])
