"""The network's own answers, as an export is proved by them, and a stored graph's beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.errors import CvtrackError, ImpureModel
from cvtrack_magics.release.export.compare import as_array
from cvtrack_magics.release.export.inputs import Inputs, inputs_of
from cvtrack_magics.release.export.parity import Answers, compared_cases, only_failed
from cvtrack_magics.release.export.purity import Function, checked_function
from cvtrack_magics.release.export.pytree import leaves_of
from cvtrack_magics.release.export.subject import Subject, subject_of, undisturbed
from cvtrack_magics.release.export.test_inputs import traced_on
from cvtrack_magics.release.model.examples import Arguments

_SEED = 0
_ANY_BATCH = "Serving takes batches of any size: forward takes each sample by itself."


@dataclass(frozen=True)
class Pure:
    """A network that is a function of its inputs, and what it answers in many cases."""

    function: Function
    answers: Answers
    inputs: Inputs

    def unlike(self, run: Callable[..., Any]) -> str:
        """Return where a stored graph answers something else, or ``""``.

        Parameters
        ----------
        run : callable
            The graph, called with the network's arguments.
        """

        def flat(leaves: Sequence[Any]) -> list[Any]:
            args, _ = self.inputs.call([leaf.clone() for leaf in leaves])
            return [as_array(item) for _, item in leaves_of(run(*args))]

        with undisturbed(_SEED):
            pairs, _ = compared_cases(flat, self.answers, self.function)
        failed = only_failed(pairs)
        if not failed:
            return ""
        note = f": {failed[0].note}" if failed[0].note else ""
        return f"other numbers for another input ({failed[0].case}{note})"


def pure(module: Any, samples: Arguments, *, free_size: bool) -> Pure:
    """Call a network as an export's proof does.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode; a copy of it is called where it can be copied.
    samples : Arguments
        A batch of real samples.
    free_size : bool
        Whether height and width may be others than the example's.

    Raises
    ------
    CvtrackError
        It is no function of its inputs: it draws random numbers, keeps a state, writes into
        its input, mixes the samples of a batch, or answers NaN.
    """
    example = list(samples.tensors[0]) if samples.takes_list else tuple(samples.tensors)
    dynamic = ("batch", "height", "width") if free_size else ("batch",)
    inputs = inputs_of(module, example, dynamic)
    subject = _subject(module, inputs)
    with undisturbed(_SEED):
        import numpy as np

        try:
            leaves = traced_on(inputs, _SEED)
            rng = np.random.default_rng(_SEED)
            function = checked_function(subject, leaves, None, None, rng)
            return Pure(function, Answers(subject, function, _SEED), inputs)
        except ImpureModel as error:
            where = f" It is in {error.layer}." if error.layer else ""
            hint = _ANY_BATCH if "dynamic" in error.hint else error.hint
            raise CvtrackError(
                f"The network gives no graph that agrees with it: {error.problem}{where}", hint
            ) from error


def _subject(module: Any, inputs: Inputs) -> Subject:
    try:
        return subject_of(module, inputs)
    except CvtrackError:  # what cannot be copied is called itself
        names = {id(part): name for name, part in module.named_modules()}
        return Subject(module, inputs, names)
