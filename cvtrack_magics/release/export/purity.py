"""Is the model a function of its inputs? What is not cannot be a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.errors import CvtrackError, ImpureModel
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.export.compare import tolerance_of
from cvtrack_magics.release.export.facts import Tolerance
from cvtrack_magics.release.export.op_trace import (
    draws_from_python,
    first_difference,
    identical,
    watched,
)
from cvtrack_magics.release.export.rows import mixed_rows
from cvtrack_magics.release.export.subject import Subject

_FIXED = "Export with a fixed batch: dynamic=()."
_FAR = 1_000_000  # calls ahead, for a model that counts them
_NEVER = {
    "random": (
        "the model draws random numbers in eval mode ({})",
        "Draw only when self.training is true: F.dropout(x, p, training=self.training).",
    ),
    "batch statistics": (
        "a batch norm normalises by the batch in eval mode ({})",
        "Pass training=self.training, with running statistics.",
    ),
    "input changed": (
        "the model writes into its input ({})",
        "Work on a copy: x = x.clone(), or the operator without '_'.",
    ),
}


@dataclass(frozen=True)
class Function:
    """A model that is a function, as far as its calls show.

    Attributes
    ----------
    output_names : tuple of str
        Names of its outputs.
    tolerance : Tolerance
        For its precision.
    decides : str
        The module that turns a tensor into a Python number, or ``""``.
    notes : tuple of str
        What a user should know.
    """

    output_names: tuple[str, ...]
    tolerance: Tolerance
    decides: str
    notes: tuple[str, ...]


def checked_function(
    subject: Subject, leaves: Sequence[Any], rtol: float | None, atol: float | None, rng: Any
) -> Function:
    """Check that a model gives the same for the same inputs, and nothing but that.

    Parameters
    ----------
    subject : Subject
        The model.
    leaves : sequence of torch.Tensor
        The inputs to export with.
    rtol, atol : float, optional
        The tolerance that was asked for.
    rng : numpy.random.Generator
        Draws the rows of a batch.

    Raises
    ------
    ImpureModel
        It is none, and why.
    """
    _check_modes(subject)
    try:
        named = subject.named_outputs([leaf.clone() for leaf in subject.inputs.leaves])
        subject.outputs(leaves)
    except CvtrackError as error:
        raise ImpureModel(error.problem, error.hint) from error
    except Exception as error:
        rows = [leaf.shape[0] for leaf in leaves if leaf.ndim]
        raise ImpureModel(
            f"the model does not run with the example, or not with a batch of {rows[:1]}: "
            f"{kind_and_line(error)}.",
            f"{_FIXED[:-1]}, or give another example.",
            subject.culprit(error),
        ) from error
    names, outputs = tuple(name for name, _ in named), [item for _, item in named]
    if not names:
        raise ImpureModel("the model returns no tensor.", "Return tensors from forward.")
    for name, item in named:
        if item.is_floating_point() and bool(item.isnan().any()):
            raise ImpureModel(
                f"output {name!r} is NaN for the example.",
                "Check weights and inputs for NaN: torch.isnan(parameter).any().",
                _first_nan(subject),
            )
    decides = _check_operators(subject, leaves)
    notes = tuple(_check_calls(subject))
    tensors = [*subject.model.parameters(), *subject.inputs.leaves, *outputs]
    tolerance = tolerance_of(tensors, rtol, atol)
    if subject.inputs.has("batch"):
        _check_rows(subject, names, tolerance, rng, decides)
    return Function(names, tolerance, decides, notes)


def _check_modes(subject: Subject) -> None:
    import torch

    acting = (
        torch.nn.modules.dropout._DropoutNd,
        torch.nn.modules.batchnorm._BatchNorm,
        torch.nn.RNNBase,
    )
    for module in subject.model.modules():
        if module.training and isinstance(module, acting):
            raise ImpureModel(
                "a module stays in training mode after model.eval().",
                "Its train() method, or one of a module around it, ignores the mode.",
                subject.named(module),
            )


def _check_operators(subject: Subject, leaves: Sequence[Any]) -> str:
    """Refuse what no graph holds; return the module that decides by values, or ``""``."""
    decides = ""
    for sight in watched(subject, leaves):
        if sight.kind == "decision":
            decides = decides or sight.layer
        else:
            problem, hint = _NEVER[sight.kind]
            raise ImpureModel(f"{problem.format(sight.operator)}.", hint, sight.layer)
    own = [leaf.clone() for leaf in leaves]
    subject.raw(own)
    if not all(map(identical, own, leaves)):
        problem, hint = _NEVER["input changed"]
        raise ImpureModel(f"{problem.format('through numpy')}.", hint)
    return decides


def _check_calls(subject: Subject) -> Iterator[str]:
    """Refuse a model whose calls differ, or that keeps a state; yield what else changes."""
    leaves = subject.inputs.leaves
    results: list[list[Any]] = []

    def call() -> None:
        results.append(subject.outputs(leaves))

    source = draws_from_python(call)
    if source:
        raise ImpureModel(
            f"the model draws random numbers in eval mode (from {source} generator).",
            _NEVER["random"][1],
            first_difference(subject, leaves),
        )
    state, numbers = _state(subject), _numbers(subject)
    call()
    if len(results[0]) != len(results[1]) or not all(map(identical, *results)):
        raise ImpureModel(
            "two calls with the same inputs give different outputs.",
            "forward must depend on its inputs only: no randomness, clock, count or cache.",
            first_difference(subject, leaves),
        )
    changed = [name for name, mark in _state(subject).items() if state.get(name) != mark]
    if changed:
        raise ImpureModel(
            f"each call changes {changed[0]!r}, which a graph keeps constant.",
            "Update state only when self.training is true.",
            subject.named(subject.model.get_submodule(changed[0].rpartition(".")[0])),
        )
    return _check_counters(subject, results[0], numbers)


def _check_counters(
    subject: Subject, first: list[Any], before: dict[tuple[str, str], float]
) -> Iterator[str]:
    """Set numbers that change with each call far ahead; the outputs must stay as they are."""
    for (name, attribute), value in _numbers(subject).items():
        change = value - before.get((name, attribute), value)
        if not change:
            continue
        module = subject.model.get_submodule(name)
        setattr(module, attribute, value + type(value)(_FAR * change))
        same = all(map(identical, first, subject.outputs(subject.inputs.leaves)))
        setattr(module, attribute, value)
        if not same:
            raise ImpureModel(
                f"the output depends on {attribute!r}, which each call changes.",
                "Update state only when self.training is true.",
                subject.named(module),
            )
        yield f"{subject.named(module)} counts its calls in {attribute!r}; the export does not."


def _state(subject: Subject) -> dict[str, tuple[int, int]]:
    model = subject.model
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return {name: (tensor.data_ptr(), tensor._version) for name, tensor in tensors}


def _numbers(subject: Subject) -> dict[tuple[str, str], float]:
    return {
        (name, attribute): value
        for name, module in subject.model.named_modules()
        for attribute, value in vars(module).items()
        if type(value) in (int, float)
    }


def _first_nan(subject: Subject) -> str:
    """Return the innermost module that is the first to return NaN."""
    import torch

    from cvtrack_magics.release.export.pytree import leaves_of

    found: list[Any] = []

    def look(module: Any, _: Any, result: Any) -> None:
        tensors = [item for _, item in leaves_of(result) if isinstance(item, torch.Tensor)]
        if any(item.is_floating_point() and bool(item.isnan().any()) for item in tensors):
            found.append(module)

    hooks = [module.register_forward_hook(look) for module in subject.model.modules()]
    try:
        subject.outputs(subject.inputs.leaves)
    finally:
        for hook in hooks:
            hook.remove()
    return subject.named(found[0]) if found else ""


def _check_rows(
    subject: Subject, names: tuple[str, ...], tolerance: Tolerance, rng: Any, decides: str
) -> None:
    """Refuse a model that mixes the rows of a batch: it gives each row what it gives it alone."""
    try:
        failed = mixed_rows(subject, names, tolerance, rng)
    except Exception as error:
        raise ImpureModel(
            f"the batch is no dynamic size of the model: {kind_and_line(error)}.",
            _FIXED,
            subject.culprit(error),
        ) from error
    if failed:
        raise ImpureModel(
            f"a row of output {failed[0].output!r} depends on the other rows of the batch.",
            _FIXED,
            decides,
            failed,
        )
