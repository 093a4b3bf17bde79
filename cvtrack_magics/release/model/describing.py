"""What stands before and after the network, as JSON: transforms, built-in steps, functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.release.model.carrying import Carried, carry
from cvtrack_magics.release.model.serving import boxes, layouts
from cvtrack_magics.release.model.serving.transforms import ALLOWED, MODULES, TO_TENSOR

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_PRE_WORDS = ("resize", "shorter", "crop", "float", "normalize", "grayscale")
_POST_PLAIN = ("softmax", "sigmoid", "exp", "probability", "argmax", "original")
_POST_WORDS = (*_POST_PLAIN, "labels", "top", "threshold", "multilabel", "ordinal")
_BOX_WORDS = ("boxes", "score", "nms")


@dataclass(frozen=True)
class Described:
    """One side of the network.

    Attributes
    ----------
    steps : tuple of dict
        In order; JSON.
    functions : tuple of Carried
        The functions of the notebook that the steps name.
    takes : str
        What the first step before the network is given: ``pil``, ``tensor`` or ``array``.
    """

    steps: tuple[dict[str, Any], ...]
    functions: tuple[Carried, ...] = ()
    takes: str = "pil"


@dataclass
class _Steps:
    steps: list[dict[str, Any]] = field(default_factory=list)
    functions: dict[str, Carried] = field(default_factory=dict)

    def function(self, function: Any) -> None:
        carried = carry(function)
        known = self.functions.setdefault(carried.name, carried)
        if known.text != carried.text:
            raise UsageProblem(f"Two functions have the name {carried.name}.", "Rename one.")
        self.steps.append({"function": carried.name})


def describe_pre(pre: Any) -> Described:
    """Describe what turns one image into what the network takes.

    Parameters
    ----------
    pre : transform, str, function, or a sequence of them
        Transforms of torchvision (v1, v2, ``Compose``, a weights' preset), words such as
        ``"resize:224|float|normalize:imagenet"``, or a function of one image: it is given an
        array H×W×C uint8, or what its argument's annotation says (``Image``, ``Tensor``).

    Raises
    ------
    UsageProblem
        In one line, what cannot stand in the model.
    """
    found = _Steps()
    first = list(_flattened(pre))
    for one in first:
        if isinstance(one, str):
            for word in _words(one):
                found.steps += _pre_word(word)
        elif isinstance(one, dict):
            found.steps.append(one)
        elif callable(one) and inspect.isfunction(one):
            found.function(one)
        else:
            found.steps.append(_transform(one))
    if not found.steps:
        raise UsageProblem("pre: there is no step.")
    return Described(
        tuple(found.steps), tuple(found.functions.values()), _takes(found.steps, first[0])
    )


def describe_post(post: Any) -> Described:
    """Describe what is made of the network's output.

    Parameters
    ----------
    post : str, function, or a sequence of them
        Words such as ``"softmax|labels:cat,dog"`` or ``"boxes:cxcywh,relative|nms:0.5"``; a
        function is given the output of a whole batch, as the network returns it.
    """
    found = _Steps()
    for one in post if isinstance(post, (list, tuple)) else [post]:
        if isinstance(one, str):
            for word in _words(one):
                found.steps += _post_word(word, found.steps)
        elif inspect.isfunction(one):
            found.function(one)
        elif _is_softmax(one):
            found.steps.append({"step": type(one).__name__.lower()})
        else:
            carry(one)
    if any(step.get("step") == "boxes" for step in found.steps):
        found.steps.append({"step": "place"})
    return Described(tuple(found.steps), tuple(found.functions.values()))


def _is_softmax(one: Any) -> bool:
    """Whether something is PyTorch's own softmax over classes, or its sigmoid."""
    module, name = type(one).__module__, type(one).__name__
    if module != "torch.nn.modules.activation" or name not in ("Softmax", "Sigmoid"):
        return False
    if name == "Softmax" and one.dim not in (1, -1):
        raise UsageProblem(f"post: Softmax over axis {one.dim} is not over the classes.")
    return True


def _flattened(pre: Any) -> Iterable[Any]:
    """Yield single steps of a Compose, a Sequential, a Lambda or a list."""
    name, module = type(pre).__name__, type(pre).__module__
    if isinstance(pre, (list, tuple)):
        inner: Iterable[Any] = pre
    elif name == "Compose" and module.startswith("torchvision.transforms"):
        inner = pre.transforms
    elif name == "Sequential" and module == "torch.nn.modules.container":
        inner = iter(pre)
    elif name == "Lambda" and module.startswith("torchvision.transforms"):
        inner = [getattr(pre, "lambd", getattr(pre, "_fn", None))]
    else:
        yield pre
        return
    for one in inner:
        yield from _flattened(one)


def _transform(one: Any) -> dict[str, Any]:
    """Describe one transform of torchvision by its class and arguments."""
    name, module = type(one).__name__, type(one).__module__
    family = "v2" if module.startswith(MODULES["v2"]) else "v1"
    family = "preset" if module == MODULES["preset"] else family
    if not module.startswith("torchvision.transforms"):
        raise UsageProblem(
            f"pre: {name} is neither a transform of torchvision nor a function.",
            "Wrap it in a function, which is carried as text.",
        )
    if name not in ALLOWED[family]:
        raise UsageProblem(
            f"pre: {name} cannot stand in a served model.",
            "It takes the transform of validation, without chance.",
        )
    if family == "v1" and name not in ALLOWED["v1"]:
        raise UsageProblem(f"pre: {name} of {module} is not known.")
    names = list(inspect.signature(type(one)).parameters)
    args = {key: _encoded(getattr(one, key), name) for key in names if hasattr(one, key)}
    return {"class": f"{family}.{name}", "args": args}


def _encoded(value: Any, name: str) -> Any:
    """Return an argument as JSON."""
    if value is None or (isinstance(value, (bool, int, str)) and not hasattr(value, "value")):
        return value
    if type(value).__name__ == "InterpolationMode":
        return {"interpolation": value.value}
    if type(value).__name__ == "dtype":
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, float):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_encoded(inner, name) for inner in value]
    raise UsageProblem(f"pre: {name} has an argument that is a {type(value).__name__}.")


def _takes(steps: Sequence[dict[str, Any]], first: Any) -> str:
    """Return what the first step is given."""
    if inspect.isfunction(first):
        return _annotated(first)
    names = [str(step.get("class", "")).partition(".")[2] for step in steps]
    if names[0] == "ToPILImage" or not TO_TENSOR & set(names):
        return "tensor"  # the chain never leaves PIL by itself, so it begins with a tensor
    return "pil"


def _annotated(function: Callable[..., Any]) -> str:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise UsageProblem(f"pre: {function.__name__} takes no image.")
    said = str(parameters[0].annotation)
    if "Tensor" in said:
        return "tensor"
    return "pil" if "Image" in said or "PIL" in said else "array"


def _words(text: str) -> list[tuple[str, str]]:
    """Split ``"a:1|b"`` into names and what stands behind the colon."""
    pairs = [part.partition(":") for part in text.split("|")]
    return [(name.strip().lower(), rest.strip()) for name, _, rest in pairs]


def _pre_word(word: tuple[str, str]) -> list[dict[str, Any]]:
    name, rest = word
    if name == "resize":
        sides = _numbers(name, rest.replace("x", ","), int, (1, 2))
        size = sides * 2 if len(sides) == 1 else sides
        return [{"class": "v1.Resize", "args": {"size": size, "antialias": True}}]
    if name == "shorter":
        args = {"size": _numbers(name, rest, int, (1,))[0], "antialias": True}
        return [{"class": "v1.Resize", "args": args}]
    if name == "crop":
        sides = _numbers(name, rest.replace("x", ","), int, (1, 2))
        return [{"class": "v1.CenterCrop", "args": {"size": sides * (3 - len(sides))}}]
    if name == "grayscale":
        return [{"class": "v1.Grayscale", "args": {"num_output_channels": 1}}]
    if name == "float":
        scale = {"class": "v1.ConvertImageDtype", "args": {"dtype": {"dtype": "float32"}}}
        return [{"class": "v1.PILToTensor", "args": {}}, scale]
    if name == "normalize":
        mean, std = IMAGENET
        if rest != "imagenet":
            halves = rest.split("/")
            if len(halves) != 2:
                raise UsageProblem("normalize: write normalize:imagenet or means/deviations.")
            mean, std = (tuple(_numbers(name, half, float, (1, 3, 4))) for half in halves)
        return [{"class": "v1.Normalize", "args": {"mean": list(mean), "std": list(std)}}]
    raise UsageProblem(
        f"pre: there is no step {name!r}.{did_you_mean(name, _PRE_WORDS)}",
        f"There are {', '.join(_PRE_WORDS)}.",
    )


def _post_word(word: tuple[str, str], before: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    name, rest = word
    if name in _POST_PLAIN:
        if rest:
            raise UsageProblem(f"post: {name} takes nothing behind a colon.")
        return [{"step": name}]
    if name == "labels":
        names = [part.strip() for part in rest.split(",") if part.strip()]
        return [{"step": name, **({"names": names} if names else {})}]
    if name == "top":
        return [{"step": name, "count": max(1, _numbers(name, rest, int, (1,))[0])}]
    if name in ("threshold", "multilabel"):
        return [{"step": name, "value": _numbers(name, rest or "0.5", float, (1,))[0]}]
    if name == "ordinal":
        if rest not in ("", "conditional"):
            raise UsageProblem(f"post: ordinal:{rest} is not known.", "Or ordinal:conditional.")
        return [{"step": name, **({"conditional": True} if rest else {})}]
    if name in _BOX_WORDS:
        return _box_word(name, rest, before)
    known = (*_POST_WORDS, *_BOX_WORDS)
    raise UsageProblem(
        f"post: there is no step {name!r}.{did_you_mean(name, known)}",
        f"There are {', '.join(known)}.",
    )


def _box_word(name: str, rest: str, before: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Describe a step on boxes; the first one finds them, as xyxy where nothing else is said."""
    if name == "boxes":
        return [_boxes(rest)]
    found: list[dict[str, Any]] = []
    if not any(step.get("step") == "boxes" for step in before):
        found.append({"step": "boxes", "format": "xyxy", "relative": False})
    numbers = _numbers(name, rest or "0.5", float, (1, 2) if name == "nms" else (1,))
    if name == "nms" and len(numbers) == 2:
        found.append({"step": "score", "value": numbers[1]})
    return [*found, {"step": name, "value": numbers[0]}]


def _boxes(rest: str) -> dict[str, Any]:
    """Describe ``boxes:cxcywh,relative,columns,sigmoid``: one word of each kind at most."""
    said = [part.strip() for part in rest.split(",") if part.strip()]
    kinds = (boxes.FORMATS, ("relative",), layouts.LAYOUTS, layouts.ACTIVATIONS)
    fmt, relative, layout, activation = ([w for w in said if w in kind] for kind in kinds)
    if len(fmt + relative + layout + activation) != len(said) or any(
        len(words) > 1 for words in (fmt, layout, activation)
    ):
        words = ", ".join(word for kind in kinds for word in kind)
        raise UsageProblem(f"post: boxes:{rest} is not known.", f"Its words are {words}.")
    return {
        "step": "boxes",
        "format": fmt[0] if fmt else "xyxy",
        "relative": bool(relative),
        **({"layout": layout[0]} if layout else {}),
        **({"activation": activation[0]} if activation else {}),
    }


def _numbers(name: str, text: str, kind: Any, counts: tuple[int, ...]) -> list[Any]:
    try:
        numbers = [kind(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts or any(number < 0 for number in numbers):
        raise UsageProblem(f"{name}:{text} is not understood.", f"Write a number: {name}:0.5.")
    return numbers
