"""How much better one model surely is than another, measured on the same samples.

Each function gives a one-sided lower bound of the true difference: in a share ``confidence`` of
all test sets that could have been drawn, it lies below. What is uncertain here is which samples
were drawn; that training again would give another model is not part of it.

Percentiles of the bootstrap are not taken. Simulated with 200 samples, 20 of them anomalous, and
two equally good models of AUROC 0.98, they pass 6.5 % of the pairs in place of 5 %, and
bias-corrected ones 10 %; what is taken passes 2.9 %. ``benchmarks/PROMOTIONS.md`` has more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SCORE = "score interval of paired shares (Tango 1998), corrected for continuity"
STUDENT = "Student's t of paired differences"
BOOTSTRAP = "paired bootstrap, Student's t with its standard error (Hesterberg 2015)"


@dataclass(frozen=True, slots=True)
class Bound:
    """A difference, the value that it surely exceeds, and how that was found."""

    difference: float
    low: float
    method: str


def of_shares(better: float, worse: float, samples: float, confidence: float) -> Bound:
    """Return the bound for two shares, from the samples that only one model has right.

    The difference δ that is just not refused by the score test of Tango (Statistics in Medicine
    17, 1998), with the continuity correction that makes it McNemar's test in Edwards' form
    (Psychometrika 13, 1948) at δ = 0. Without it, few samples pass too often.

    Parameters
    ----------
    better, worse : float
        Samples that only the first, only the second model has right.
    samples : float
        All samples.
    confidence : float
        Of the bound, one-sided.
    """
    wanted = NormalDist().inv_cdf(confidence)
    low, high = -1.0, 1.0
    for _ in range(60):  # halves an interval of 2 down to the precision of a float
        middle = (low + high) / 2
        if _score(better, worse, samples, middle) > wanted:
            low = middle
        else:
            high = middle
    return Bound((better - worse) / samples, low, SCORE)


def _score(better: float, worse: float, samples: float, delta: float) -> float:
    """Return the statistic that is standard normal where the true difference is ``delta``."""
    a = 2 * samples
    b = (2 * samples - better + worse) * delta - better - worse
    c = -worse * delta * (1 - delta)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = samples * (2 * share + delta * (1 - delta))
    above = better - worse - samples * delta - 1
    if variance <= 0:
        return math.copysign(math.inf, above)
    return above / math.sqrt(variance)


def of_clustered_shares(
    differences: Sequence[float], clusters: Sequence[object], confidence: float
) -> Bound:
    """Return the bound for two shares of samples that come in clusters.

    All counts are divided by the design effect (Kish, Survey Sampling, 1965): by how much the
    variance of the difference is greater than that of as many independent samples.

    Parameters
    ----------
    differences : sequence of float, N
        Of paired samples: 1, 0 or -1.
    clusters : sequence of hashable, N
        What each sample belongs to.
    confidence : float
        Of the bound, one-sided.
    """
    import numpy as np

    values = np.asarray(differences, np.float64)
    sums, sizes = _by_cluster(values, clusters)
    count, mean = len(values), float(values.mean())
    plain = float(((values - mean) ** 2).sum()) * count / (count - 1)
    groups = len(sums)
    clustered = float(((sums - mean * sizes) ** 2).sum()) * groups / (groups - 1)
    effect = max(1.0, clustered / plain) if plain > 0 else count / groups
    better, worse = float((values > 0).sum()), float((values < 0).sum())
    bound = of_shares(better / effect, worse / effect, count / effect, confidence)
    return Bound(bound.difference, bound.low, f"{SCORE}, of {groups} clusters")


def of_means(
    differences: Sequence[float], confidence: float, clusters: Sequence[object] | None = None
) -> Bound:
    """Return the bound for two means, from N ≥ 2 differences of paired samples or their clusters.

    Parameters
    ----------
    differences : sequence of float, N
        Of paired samples.
    confidence : float
        Of the bound, one-sided.
    clusters : sequence of hashable, N, optional
        What each sample belongs to; two clusters at least.
    """
    import numpy as np

    values = np.asarray(differences, np.float64)
    sums, sizes = _by_cluster(values, range(len(values)) if clusters is None else clusters)
    groups, mean = len(sums), float(values.mean())
    error = math.sqrt(float(((sums - mean * sizes) ** 2).sum()) * groups / (groups - 1))
    error /= len(values)
    method = STUDENT if clusters is None else f"{STUDENT}, of {groups} clusters"
    return Bound(mean, mean - student(confidence, groups - 1) * error, method)


def _by_cluster(values: Floats, clusters: Sequence[object]) -> tuple[Floats, Floats]:
    """Return the sum over each cluster, and how many samples each has."""
    import numpy as np

    places: dict[object, int] = {}
    of = [places.setdefault(cluster, len(places)) for cluster in clusters]
    sums = np.zeros(len(places))
    np.add.at(sums, of, values)
    return sums, np.bincount(of).astype(np.float64)


def of_replicates(difference: float, replicates: Floats, samples: int, confidence: float) -> Bound:
    """Return the bound for any figure, from its differences in paired resamples.

    Parameters
    ----------
    difference : float
        Of the figures of all samples.
    replicates : float64, R
        Of the figures in each resample, R ≥ 2, all finite.
    samples : int
        N, of samples or their clusters; a bootstrap's variance is too small by (N - 1) / N.
    confidence : float
        Of the bound, one-sided.

    Notes
    -----
    "t with bootstrap standard error": T. C. Hesterberg, What Teachers Should Know About the
    Bootstrap, The American Statistician 69(4), 2015.
    """
    error = float(replicates.std(ddof=1)) * math.sqrt(samples / (samples - 1))
    return Bound(difference, difference - student(confidence, samples - 1) * error, BOOTSTRAP)


def student(confidence: float, freedom: int) -> float:
    """Return a quantile of Student's t distribution.

    The series of Abramowitz and Stegun (1964), 26.7.5, about the normal quantile; its error is
    below 0.0005 from 19 degrees of freedom on, for confidences up to 0.999.
    """
    z = NormalDist().inv_cdf(confidence)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
