"""What the model answers in every case, and what its export does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cvtrack_magics.artifacts.export import Port
from cvtrack_magics.errors import ImpureModel
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.export.compare import Array, as_array, compared, detection_groups
from cvtrack_magics.release.export.facts import Check
from cvtrack_magics.release.export.purity import Function
from cvtrack_magics.release.export.running import Run
from cvtrack_magics.release.export.subject import Subject
from cvtrack_magics.release.export.test_inputs import Case, cases_of, jogged

_TIE = 1e-6  # scores of 0 … 1


class Answers:
    """The model's outputs in every case, each computed once.

    Parameters
    ----------
    subject : Subject
        The model.
    function : Function
        Names of its outputs, and the tolerance.
    seed : int
        Of the draws.

    Attributes
    ----------
    cases : list of (Case, list of array)
        Those that the model runs.
    skipped : list of str
        Those that it does not, and why.

    Raises
    ------
    ImpureModel
        The model does not run where it must, or has changed after the calls.
    """

    def __init__(self, subject: Subject, function: Function, seed: int) -> None:
        self._subject, self._function, self._seed = subject, function, seed
        self.cases: list[tuple[Case, list[Array]]] = []
        self.skipped: list[str] = []
        for case in cases_of(subject.inputs, seed):
            self._add(case)
        for word in ("height", "width"):
            if subject.inputs.has(word) and not any(
                "pixels" in case.what for case, _ in self.cases
            ):
                raise ImpureModel(
                    f"the model runs with no other {word}: {self.skipped[-1]}.",
                    f"Leave {word} out of the dynamic axes.",
                )
        again = [as_array(item) for item in subject.outputs(subject.inputs.leaves)]
        first = self.cases[0][1]
        checks = compared("example again", function.output_names, first, again, function.tolerance)
        if not all(check.ok for check in checks):
            raise ImpureModel(
                "the example gives other outputs after other calls: the model keeps a state.",
                "forward must depend on its inputs only.",
                checks=[check for check in checks if not check.ok],
            )

    def also(self, sizes: Sequence[tuple[str, int]]) -> None:
        """Add cases of these sizes of dynamic axes."""
        tried = {case.what for case, _ in self.cases} | {s.split(":")[0] for s in self.skipped}
        for case in cases_of(self._subject.inputs, self._seed, sizes):
            if case.what not in tried and case.kind == "size":
                tried.add(case.what)
                self._add(case)

    def steady(self, case: Case, wanted: Sequence[Array]) -> bool:
        """Tell if the model's answer stays when its inputs change by rounding.

        Detections of equal scores have no order of their own, so which are kept is chance.
        """
        for group in detection_groups(self._function.output_names):
            gaps = np.diff(np.sort(wanted[group["scores"]]))
            if case.kind == "far" and (gaps <= _TIE).any():
                return False
        for seed in range(3):
            found = [as_array(o) for o in self._subject.outputs(jogged(case.leaves, seed))]
            names, tolerance = self._function.output_names, self._function.tolerance
            if not all(c.ok for c in compared(case.what, names, wanted, found, tolerance)):
                return False
        return True

    def _add(self, case: Case) -> None:
        try:
            outputs = [as_array(item) for item in self._subject.outputs(case.leaves)]
        except Exception as error:
            if case.kind == "like":
                raise ImpureModel(
                    f"the model does not run with inputs like the example ({case.what}): "
                    f"{kind_and_line(error)}.",
                    "Export with a fixed batch, dynamic=(), or give another example.",
                    self._subject.culprit(error),
                ) from error
            self.skipped.append(f"{case.what}: the model raises {kind_and_line(error)}")
            return
        finite = all(item.dtype.kind not in "fc" or np.isfinite(item).all() for item in outputs)
        if not finite and case.kind != "like":
            self.skipped.append(f"{case.what}: the model gives NaN or infinity")
        else:
            self.cases.append((case, outputs))


def compared_cases(
    run: Run, answers: Answers, function: Function
) -> tuple[list[tuple[Case, Check]], list[str]]:
    """Return the checks of all cases, and what could not be compared.

    An export that cannot run a case fails it, except with inputs unlike the example: there an
    error is no wrong answer. A case other than the example whose answer rounding of the input
    changes, such as detections with equal scores, says nothing about the export.
    """
    pairs: list[tuple[Case, Check]] = []
    notes: list[str] = []
    for case, wanted in answers.cases:
        try:
            found = run(case.leaves)
        except Exception as error:
            what = f"the export does not run: {kind_and_line(error)}"
            if case.kind == "far":
                notes.append(f"{case.what}: {what}")
                continue
            none = float("nan")
            failed = Check(case.what, "all outputs", (), none, none, None, False, what)
            pairs.append((case, failed))
            continue
        names, tolerance = function.output_names, function.tolerance
        checks = compared(case.what, names, wanted, found, tolerance)
        right = all(check.ok for check in checks)
        if not right and case.what != "example" and not answers.steady(case, wanted):
            notes.append(f"{case.what}: not compared, rounding changes the model's own answer")
            continue
        pairs += [(case, check) for check in checks]
    return pairs, notes


def empty_everywhere(checks: Sequence[Check]) -> str:
    """Return the name of an output that was empty in every case, so nothing was compared."""
    for name in dict.fromkeys(check.output for check in checks):
        if all(c.note in ("empty", "no detections") for c in checks if c.output == name):
            return name
    return ""


def constant_outputs(answers: Answers, names: Sequence[str]) -> list[str]:
    """Return the outputs that are the same for the example and each draw like it."""
    first = answers.cases[0][1]
    draws = [found for case, found in answers.cases if case.what.startswith("draw")]
    return [
        name
        for at, name in enumerate(names)
        if all(np.array_equal(found[at], first[at]) for found in draws)
    ]


def ports_of(
    subject: Subject, function: Function, answers: Answers
) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Return inputs and outputs of a file that does not tell them itself.

    An axis of an output is dynamic where its size differs from case to case.
    """
    inputs = tuple(
        Port(name, _word(leaf), tuple(axes.get(at, size) for at, size in enumerate(leaf.shape)))
        for name, leaf, axes in zip(
            subject.inputs.names, subject.inputs.leaves, subject.inputs.axes, strict=True
        )
    )
    example = subject.outputs(subject.inputs.leaves)
    batch = subject.inputs.has("batch")
    outputs: list[Port] = []
    for at, (name, tensor) in enumerate(zip(function.output_names, example, strict=True)):
        shape: list[int | str] = list(tensor.shape)
        for axis in range(len(shape)):
            seen = {found[at].shape[axis : axis + 1] for _, found in answers.cases}
            if len(seen) > 1:
                shape[axis] = "batch" if axis == 0 and batch else ""
        outputs.append(Port(name, _word(tensor), tuple(shape)))
    return inputs, tuple(outputs)


def only_failed(pairs: Sequence[tuple[Case, Check]]) -> tuple[Check, ...]:
    """Return the failed checks, the worst first."""
    failed = [check for _, check in pairs if not check.ok]
    return tuple(sorted(failed, key=_badness, reverse=True))


def _badness(check: Check) -> float:
    return float("inf") if np.isnan(check.max_rel) else check.max_rel


def _word(tensor: object) -> str:
    return str(getattr(tensor, "dtype", "")).removeprefix("torch.")
