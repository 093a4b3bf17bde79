"""Whether the steps behind a network fit what it gives, tried on the example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model import proving_boxes
from cvtrack_magics.release.model.endings import ending
from cvtrack_magics.release.model.serving import steps as built_in
from cvtrack_magics.release.model.serving.rejected import Rejected

_ONE_BEST = ("argmax", "labels", "top")
_CLASSES = (*_ONE_BEST, "softmax", "sigmoid", "exp", "multilabel", "ordinal", "probability")
_KEEP = ("sigmoid", "exp", "probability", "softmax", "argmax", "ordinal")  # what is tried here


@dataclass
class _Proof:
    """The steps so far, what they give of the example, and what that is."""

    value: Any
    batch: built_in.Batch
    state: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, step: Mapping[str, Any]) -> None:
        self.steps.append(dict(step))
        self.value = built_in.apply(step, self.value, self.batch)


def proved(
    post: Sequence[Mapping[str, Any]], output: Any, batch: built_in.Batch, network: Any, model: Any
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the steps with all that the example's output settles, and what should be known.

    A detector's layout and scores are written into ``boxes``; where the network gives one
    number a sample or pixel, it is the second class's, and the steps make two of it.

    Parameters
    ----------
    post : sequence of dict
        The steps as described.
    output : object
        What the network gives for the example.
    batch : Batch
        Names of the classes and sizes of the network's input.
    network : module
        The stored graph; its last operator says whether scores are probabilities already.
    model : torch.nn.Module
        The network itself; a torchvision detector knows how many classes it has.

    Raises
    ------
    UsageProblem
        In one line: the names do not fit, a softmax is taken twice, or the output can be read
        in more than one way, with the word that says which.
    """
    proof = _Proof(output, batch, ending(network, output))
    for index, step in enumerate(post):
        name = step.get("step")
        if name == "boxes":
            found, notes = proving_boxes.proved_boxes(step, proof.value, batch, model)
            rest = [dict(one) for one in post[index + 1 :]]
            return [*proof.steps, found, *rest], (*proof.notes, *notes)
        if name in _CLASSES:
            try:
                _prove(step, proof)
            except Rejected as error:
                raise UsageProblem(f"post: {error}") from error
        else:
            proof.steps.append(dict(step))
        if name not in _KEEP:
            return [*proof.steps, *map(dict, post[index + 1 :])], tuple(proof.notes)
    if not post and batch.names:
        _names_without_steps(proof)
    return proof.steps, tuple(proof.notes)


def _prove(step: Mapping[str, Any], proof: _Proof) -> None:
    name = str(step["step"])
    value = built_in.main(proof.value)
    names = tuple(step.get("names") or proof.batch.names)
    single = is_single(value, proof.batch.sizes)
    _classes_first(value, proof.batch.sizes)
    if value.dtype.is_floating_point and name != "probability":
        _fits(_count(name, value, single), names, name)
    if name in ("softmax", "sigmoid"):
        _not_twice(name, value, single, proof)
    if name == "exp" and bool((value > 1e-4).any()):
        raise UsageProblem(
            "post: exp: the network's output is above 0, so it is no logarithm of probabilities.",
            "Write softmax for logits.",
        )
    if name == "multilabel" and not _within(value):
        raise UsageProblem(
            "post: multilabel: the scores are no probabilities.", "Write sigmoid|multilabel:0.5."
        )
    if single and name in ("softmax", *_ONE_BEST) and value.dtype.is_floating_point:
        if name != "softmax" and proof.state == "" and _within(value):
            raise UsageProblem(
                "post: one number a sample, within 0..1, may be a logit or a probability.",
                f"Write sigmoid|{name} for logits, probability|{name} for probabilities.",
            )
        if proof.state == "":
            proof.add({"step": "sigmoid"})
        bare = value.ndim == 3 and value.shape[1] != 1
        proof.add({"step": "probability", **({"bare": True} if bare else {})})
        if name == "softmax":
            proof.state = "softmax"
            return
    if name in _KEEP:
        if name == "probability" and value.ndim == 3 and value.shape[1] != 1:
            step = {**step, "bare": True}
        proof.add(step)
        proof.state = {"exp": "softmax", "probability": "softmax"}.get(name, name)
    else:
        proof.steps.append(dict(step))


def _classes_first(value: Any, sizes: Sequence[tuple[int, int]]) -> None:
    """Refuse masks whose classes are the last axis: the first is taken for them."""
    if value.ndim != 4 or not sizes:
        return
    shape, size = tuple(map(int, value.shape)), tuple(sizes[0])
    if shape[1:3] == size != shape[2:4]:
        raise UsageProblem(
            f"post: the network gives {'×'.join(map(str, shape))}, its classes last.",
            "Serving takes N×K×H×W: let forward end with .permute(0, 3, 1, 2).",
        )


def is_single(value: Any, sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether there is one number a sample or pixel and no axis of classes."""
    if not hasattr(value, "ndim") or not value.dtype.is_floating_point:
        return False
    if value.ndim == 3 and sizes:
        return bool(value.shape[1] == 1 or tuple(value.shape[1:]) == tuple(sizes[0]))
    return bool(value.ndim == 1 or (value.ndim > 1 and value.shape[1] == 1))


def _count(name: str, value: Any, single: bool) -> int:
    """Return how many classes there are."""
    if name == "ordinal":
        return 2 if value.ndim == 1 else int(value.shape[1]) + 1
    if name == "multilabel":
        return 1 if single else int(value.shape[1])
    return 2 if single else int(value.shape[1])


def _fits(count: int, names: Sequence[str], name: str = "") -> None:
    if not names or len(names) == count or (name == "sigmoid" and len(names) == 1 and count == 2):
        return
    said = f"There {_number(len(names), 'name')} for {count} classes"
    if len(names) < count:
        raise UsageProblem(f"{said}: class {len(names)} has no name.", "--labels names each class.")
    hint = "--labels names each class, and no other."
    if len(names) == count + 1 and name != "ordinal":
        hint = f"{hint} K-1 ordinal logits take --post ordinal|labels."
    raise UsageProblem(f"{said}.", hint)


def _number(count: int, word: str) -> str:
    return f"is 1 {word}" if count == 1 else f"are {count} {word}s"


def _not_twice(name: str, value: Any, single: bool, proof: _Proof) -> None:
    """Raise where the scores are probabilities already."""
    state = proof.state
    if not state and not single and value.ndim > 1 and _sums_to_one(value):
        state = "softmax"
    if state in ("softmax", "sigmoid") or (state == "log_softmax" and name == "sigmoid"):
        instead = {"log_softmax": "Write exp.", "sigmoid": "Leave it out."}.get(state)
        if single and state == "sigmoid":
            instead = "Write probability in its place, for both classes' probabilities."
        raise UsageProblem(
            f"post: {name} would be the second one: the scores end in {state} already.",
            instead or "Leave it out.",
        )
    if _within(value) and bool((value != value.flatten()[0]).any()):
        proof.notes.append(
            f"The network's output lies within 0..1 already: is {name} the second one?"
        )


def _within(value: Any) -> bool:
    return bool(((value >= 0) & (value <= 1)).all())


def _sums_to_one(value: Any) -> bool:
    """Whether rows are probabilities of classes that exclude each other."""
    return value.shape[1] > 1 and _within(value) and bool(((value.sum(1) - 1).abs() < 1e-3).all())


def _names_without_steps(proof: _Proof) -> None:
    """Compare the names with plain class scores N×K or N×K×H×W."""
    try:
        value = built_in.main(proof.value)
    except Rejected:
        return
    if value.dtype.is_floating_point and value.ndim in (2, 4):
        single = is_single(value, proof.batch.sizes)
        if not (single and len(proof.batch.names) == 1):
            _fits(_count("", value, single), proof.batch.names)
