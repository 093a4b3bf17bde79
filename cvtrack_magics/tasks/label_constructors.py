"""The ways to make ``Predictions`` of labels of whole pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvtrack_magics.tasks.assembling import length, made
from cvtrack_magics.tasks.classification.parse import read_classes
from cvtrack_magics.tasks.multilabel.parse import read_label_sets, samples_of
from cvtrack_magics.tasks.samples import Samples

if TYPE_CHECKING:
    from cvtrack_magics.tasks.predictions import Predictions


class LabelMaking:
    """The constructors of ``Predictions`` of one class, or of any number, a sample."""

    __slots__ = ()

    @classmethod
    def classification(
        cls,
        images: Any,
        truth: Any,
        scores: Any = None,
        *,
        logits: Any = None,
        probabilities: Any = None,
        classes: Any = None,
        ignore: int | None = None,
        **about: Any,
    ) -> Predictions:
        """Return the predictions of a classifier.

        Parameters
        ----------
        images : batch, list of images, or None
            N × C × H × W or N × H × W × C tensor or array, N × H × W, a list of arrays or
            PIL images, or the ``pixels`` of other predictions of the same samples.
        truth : int array-like, N, or None
            Indices into ``classes``; -1 or PyTorch's -100 where unknown.
        scores : float array-like, N × K
            Logits or probabilities, recognised where only one is possible. One column, or
            N values, for two classes.
        logits, probabilities : float array-like
            The same, said instead of recognised. Logits of which every row lies within 0..1
            and sums to 1 are read as the probabilities they are, and a note says so.
        classes : sequence of str, dict of int to str, or int, optional
            Names by index.
        ignore : int, optional
            Another label of samples whose truth is unknown.
        **about
            ``ids``, ``names``, ``layout``, ``value_range``, ``seconds`` and ``about``; see
            :meth:`detection`.

        Raises
        ------
        UsageProblem
            In one line: what was seen and what was expected.
        """
        common = Samples.of(images, length(truth, scores, logits, probabilities), **about)
        notes: list[str] = []
        data, names = read_classes(
            truth,
            common.count,
            classes,
            scores=scores,
            logits=logits,
            probabilities=probabilities,
            ignore=ignore,
            notes=notes,
        )
        return made(cls, common, "classification", names, data, notes=notes)

    @classmethod
    def multilabel(
        cls,
        images: Any,
        truth: Any,
        scores: Any = None,
        *,
        logits: Any = None,
        probabilities: Any = None,
        classes: Any = None,
        **about: Any,
    ) -> Predictions:
        """Return the predictions of a classifier whose classes do not rule one another out.

        Parameters
        ----------
        images : batch, list of images, or None
            As for :meth:`classification`.
        truth : array-like, N × K, or a list of N lists of labels, or None
            1 where a class is there, 0 where not, -1 or NaN where nobody knows; a data frame
            whose columns are the classes; SciPy's sparse matrices. Or the labels of each
            sample, indices or names; an empty list where it has none.
        scores : float array-like, N × K
            Logits or probabilities, each class by itself, recognised where only one is
            possible; or one output of N × 2 a class, as of scikit-learn's ``predict_proba``.
        logits, probabilities : float array-like
            The same, said instead of recognised.
        classes : sequence of str, dict of int to str, or int, optional
            Names by index.
        **about
            See :meth:`detection`.

        Raises
        ------
        UsageProblem
            In one line: what was seen and what was expected.
        """
        common = Samples.of(images, samples_of(truth, scores, logits, probabilities), **about)
        notes: list[str] = []
        data, names = read_label_sets(
            truth,
            common.count,
            classes,
            scores=scores,
            logits=logits,
            probabilities=probabilities,
            notes=notes,
        )
        return made(cls, common, "multilabel", names, data, notes=notes)
