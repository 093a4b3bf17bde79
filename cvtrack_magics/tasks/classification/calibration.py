"""How far a classifier's confidence is from its accuracy (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

import numpy as np

from cvtrack_magics.tasks.counting import NAN
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Curve

BINS = 15


def calibration(confidence: Array, correct: Array) -> tuple[float, Curve]:
    """Return the expected calibration error and the reliability diagram.

    Parameters
    ----------
    confidence : float, N
        Probability of the likeliest class.
    correct : bool, N
        Whether it is the true one.

    Returns
    -------
    float
        The mean distance of accuracy and confidence over 15 bins of equal width, weighted by
        their samples; NaN without samples.
    Curve
        Mean confidence (x), accuracy (y) and samples (counts) of each bin that has any;
        ``thresholds`` are the bins' lower ends.

    Notes
    -----
    A bin holds its upper end, as in the paper: a confidence of 1 is in the last one.
    """
    edges = np.linspace(0, 1, BINS + 1)
    confidence = np.asarray(confidence, np.float64)
    which = np.clip(np.searchsorted(edges, confidence) - 1, 0, BINS - 1)
    counts = np.bincount(which, minlength=BINS)
    filled = counts > 0
    x = np.bincount(which, confidence, BINS)[filled] / counts[filled]
    y = np.bincount(which, np.asarray(correct, np.float64), BINS)[filled] / counts[filled]
    error = float(np.average(np.abs(x - y), weights=counts[filled])) if filled.any() else NAN
    kept = counts[filled].astype(np.int64)
    return error, Curve("reliability", "", x, y, edges[:-1][filled], error, kept)
