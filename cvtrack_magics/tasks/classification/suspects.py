"""Labels that the model contradicts with more confidence than it has elsewhere.

Confident learning (Northcutt, Jiang and Chuang, Journal of Artificial Intelligence Research 70,
2021): the model is sure of a class where its probability is at least the mean of those that it
gives to the samples labelled so. A sample is a suspect where it is sure of another class than the
label's; of several the likeliest counts. It says something of labels that the model was not
trained with.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvtrack_magics.vision.arrays import Array


def suspicion(truth: npt.NDArray[np.int64], probabilities: Array) -> npt.NDArray[np.float64]:
    """Return by how much a sure class is likelier than the label's; NaN where none is.

    Parameters
    ----------
    truth : int64, N
        Labels, -1 where unknown.
    probabilities : float, N x K
        Rows that are not finite say nothing.
    """
    found = np.full(len(truth), np.nan)
    rows = np.flatnonzero((truth >= 0) & np.isfinite(probabilities).all(axis=1))
    if not len(rows):
        return found
    labels, said = truth[rows], np.asarray(probabilities[rows], np.float64)
    count = said.shape[1]
    own = np.take_along_axis(said, labels[:, None], axis=1)[:, 0]
    sizes = np.bincount(labels, minlength=count)
    total = np.bincount(labels, weights=own, minlength=count)
    # of a class that no sample is labelled as, nobody knows how sure is sure
    sure = np.divide(total, sizes, out=np.full(count, np.inf), where=sizes > 0)
    confident = np.where(said >= sure, said, -1.0)
    other = confident.argmax(axis=1)
    suspect = (confident.max(axis=1) >= 0) & (other != labels)
    found[rows[suspect]] = confident.max(axis=1)[suspect] - own[suspect]
    return found
