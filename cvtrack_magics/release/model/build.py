"""Builds the model artifact: graph, description, code that serves it, and a real sample."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvtrack_magics.capture.code.modules import SERVED
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.model import answers
from cvtrack_magics.release.model import graph as graphs
from cvtrack_magics.release.model import serving as serving_package
from cvtrack_magics.release.model.built import Built
from cvtrack_magics.release.model.describing import Described, describe_post, describe_pre
from cvtrack_magics.release.model.examples import Arguments, as_arguments, as_pictures
from cvtrack_magics.release.model.proving import proved
from cvtrack_magics.release.model.required import required_by
from cvtrack_magics.release.model.serving import network as networks
from cvtrack_magics.release.model.serving.functions import defined
from cvtrack_magics.release.model.serving.model import DESCRIPTION, FORMAT, Model, load
from cvtrack_magics.release.model.serving.pictures import MODES, Picture
from cvtrack_magics.release.model.serving.preparing import Placing, Preparing, first_value
from cvtrack_magics.release.model.serving.rejected import Rejected
from cvtrack_magics.release.model.serving.steps import Batch
from cvtrack_magics.store.models import NETWORK_PT2
from cvtrack_magics.vision.networks import unwrapped

_EXAMPLE_SIDE = 512  # pixels
_FLOORS = ("score", "multilabel")  # steps of --post that leave out what has a lower score
_NOTHING = Described(())


def build(
    model: Any,
    example: Any,
    folder: Path,
    *,
    pre: Any = None,
    post: Any = None,
    labels: Sequence[str] | None = None,
) -> Built:
    """Write a model's files into a folder, and try them before returning.

    Parameters
    ----------
    model : torch.nn.Module
        Stored as a graph in evaluation mode; left as it is.
    example : object
        A real sample: what the network takes, or raw images where ``pre`` is given.
    folder : Path
        Empty, or not there yet.
    pre, post : transform, str, function or sequence of them, optional
        What stands before and after the network; see ``describing``.
    labels : sequence of str, optional
        Names of the classes.

    Raises
    ------
    UsageProblem
        Something given cannot be used.
    CvtrackError
        The network gives no graph, or the stored model gives other numbers.
    """
    if not hasattr(model, "forward") or not hasattr(model, "parameters"):
        raise UsageProblem(
            f"The model is a {type(model).__name__}, expected a torch.nn.Module.",
            "%mlmodel MODEL names the network's variable.",
        )
    model = unwrapped(model)
    names = tuple(map(str, labels)) if labels is not None else ()
    before = describe_pre(pre) if pre is not None else None
    after = describe_post(post) if post is not None else _NOTHING
    sources = {
        carried.name: carried for side in (before, after) if side for carried in side.functions
    }
    if len(sources) != len(before.functions if before else ()) + len(after.functions):
        raise UsageProblem("pre and post have functions of the same name.", "Rename one.")
    functions = {
        carried.name: defined(carried.text, carried.name, f"{carried.name}.py")
        for carried in sources.values()
    }
    sent: list[Picture] = []
    others: list[Arguments] = []
    if before is None:
        samples = as_arguments(model, example)
    else:
        if any(str(part.dtype) == "torch.bfloat16" for part in model.parameters()):
            raise UsageProblem(
                "The model computes in bfloat16, and pre gives float32.", "Give model.float()."
            )
        sent, channels = as_pictures(example)
        samples, others = _prepared(model, sent, before, functions)
        _compare_with(pre, before, sent[0], samples.tensors[0][0])
    graph = graphs.made(model, samples, others)

    data, code = folder / "model", folder / _loader()
    data.mkdir(parents=True, exist_ok=True)
    _copy_code(code)
    network_file = NETWORK_PT2 if graph.kind == "pt2" else "network.pt"
    (data / network_file).write_bytes(graph.content)
    for carried in sources.values():
        (data / f"{_file_name(carried.name)}.py").write_text(carried.text, "utf-8")
    description = {
        "format": FORMAT,
        "network": {
            "file": network_file,
            "kind": graph.kind,
            "way": graph.way,
            "takes_list": samples.takes_list,
            "inputs": _tensor_inputs(samples, free_size=graph.free_size),
        },
        "pre": None
        if before is None
        else {"takes": before.takes, "channels": channels, "steps": list(before.steps)},
        "post": list(after.steps),
        "functions": {name: f"{_file_name(name)}.py" for name in sources},
        "labels": list(names),
    }
    _write(data, description)
    stored = load(data, trust=True)
    steps, found = _proved(stored, samples, model)
    if steps != description["post"]:
        description["post"] = steps
        _write(data, description)
        stored.set_post(steps)
    given: Any = sent if before is not None else _as_sent(samples)
    predicted = _tried(stored, given)
    packages = {package for carried in sources.values() for package in carried.packages}
    outputs, notes = answers.outputs(predicted, free_size=graph.free_size)
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Built(
        folder=folder,
        data=data,
        code=code,
        loader=code.name,
        network=graph.said,
        inputs=_inputs(description, before is not None),
        outputs=outputs,
        example=_example(sent, samples),
        requirements=required_by(packages),
        files=files,
        sha256=_digest(folder, files),
        size=sum(files.values()),
        max_abs=graph.max_abs,
        floor=max((float(s["value"]) for s in steps if s.get("step") in _FLOORS), default=0.0),
        notes=(
            *samples.notes,
            *graph.notes,
            *notes,
            *found,
            *answers.doubts(description, predicted),
        ),
        called_with=samples.of(slice(None)),
    )


def _write(data: Path, description: Mapping[str, Any]) -> None:
    text = json.dumps(description, indent=1, ensure_ascii=False, allow_nan=False)
    (data / DESCRIPTION).write_text(text + "\n", "utf-8")


def _proved(
    stored: Model, samples: Arguments, model: Any
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the steps behind the network, compared with what it gives for the example."""
    post, images = stored.description["post"], samples.tensors[0]
    size = (int(images.shape[-2]), int(images.shape[-1])) if images.ndim == 4 else (1, 1)
    count = len(images)
    batch = Batch((Placing(*size),) * count, (size,) * count, tuple(stored.description["labels"]))
    try:
        inputs = list(images) if stored.takes_list else list(samples.tensors)
        output = networks.run(stored.network, inputs, takes_list=stored.takes_list)
    except Exception as error:
        raise UsageProblem(f"The model fails on the example: {in_one_line(error)}") from error
    return proved(post, output, batch, stored.network, model)


def _file_name(function: str) -> str:
    """Return the file of a function's text; digits and capitals stay out of it."""
    plain = "".join(c if c.islower() and c.isascii() else "_" for c in function.lower())
    return f"function_{plain}"


def _loader() -> str:
    """Return a module name that another version of the serving code does not have."""
    digest = hashlib.sha256()
    for path in _code_files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{SERVED}{digest.hexdigest()[:10]}"


def _code_files() -> list[Path]:
    return sorted(Path(serving_package.__file__).parent.glob("*.py"))


def _copy_code(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in _code_files():
        shutil.copyfile(path, target / path.name)


def _prepared(
    model: Any,
    sent: list[Picture],
    before: Described,
    functions: Mapping[str, Callable[..., Any]],
) -> tuple[Arguments, list[Arguments]]:
    """Return the network's input for raw images, and for one of another size.

    Where pre-processing gives every size its own, the graph must take them.
    """
    import inspect

    import torch

    prepare = Preparing(before.takes, before.steps, dict(functions))
    height, width, _ = sent[0].shape
    larger = np.pad(sent[0], ((0, height // 2 + 32), (0, width // 2 + 64), (0, 0)), mode="wrap")
    try:
        tensors = [prepare(picture)[0] for picture in sent]
        other = prepare(larger)[0]
    except Rejected as error:
        raise UsageProblem(f"{error}") from error
    except Exception as error:
        raise UsageProblem(f"pre fails on the example: {in_one_line(error)}") from error
    same = torch.stack([tensor for tensor in tensors if tensor.shape == tensors[0].shape])
    names = tuple(inspect.signature(model.forward).parameters)[:1] or ("input",)
    takes_list = _takes_list(model, same)
    samples = Arguments((same,), names, takes_list)
    if other.shape == same.shape[1:]:
        return samples, []
    return samples, [Arguments((other[None],), names, takes_list)]


def _compare_with(pre: Any, before: Described, picture: Picture, prepared: Any) -> None:
    """Raise where the described transform gives other numbers than the user's own."""
    if not callable(pre):
        return
    import torch

    own = torch.as_tensor(pre(first_value(before.takes, picture)))
    if not torch.allclose(own.reshape(prepared.shape).float(), prepared.float(), 0, 1e-6):
        raise CvtrackError(
            f"pre: {type(pre).__name__}, rebuilt from its description, gives other numbers.",
            "Wrap it in a function, which is carried as text.",
        )


def _takes_list(model: Any, batch: Any) -> bool:
    """Whether the network takes a list of images, as torchvision's detectors do."""
    transform = getattr(model, "transform", None)
    if type(transform).__name__ == "GeneralizedRCNNTransform":
        return True
    annotation = str(next(iter(model.forward.__annotations__.values()), ""))
    return "list[" in annotation.lower() and batch.ndim == 4


def _tensor_inputs(samples: Arguments, *, free_size: bool) -> list[dict[str, Any]]:
    about = []
    for tensor, name in zip(samples.tensors, samples.names, strict=True):
        shape = [-1, *map(int, tensor.shape[1:])]
        if (free_size or samples.takes_list) and len(shape) == 4:
            shape[2:] = [-1, -1]
        about.append(
            {"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": shape}
        )
    return about


def _inputs(description: Mapping[str, Any], raw: bool) -> tuple[Mapping[str, Any], ...]:
    if raw:
        return ({"kind": "image", "name": "image"},)
    return tuple({"kind": "tensor", **about} for about in description["network"]["inputs"])


def _as_sent(samples: Arguments) -> Any:
    """Return tensors in the form that serving takes them."""
    arrays = [tensor.numpy() for tensor in samples.tensors]
    return arrays[0] if len(arrays) == 1 else dict(zip(samples.names, arrays, strict=True))


def _tried(model: Model, given: Any) -> Any:
    """Return what the stored model says of the example; an error is the user's to mend."""
    try:
        return model.predict(given)
    except Rejected as error:
        raise UsageProblem(f"The model fails on the example: {error}") from error
    except Exception as error:
        raise UsageProblem(f"post fails on the example: {in_one_line(error)}") from error


def _example(sent: Sequence[Picture], samples: Arguments) -> Any:
    """Return one sample as it is sent; a large image is made smaller."""
    if not sent:
        one = Arguments(tuple(t[:1] for t in samples.tensors), samples.names)
        return _as_sent(one)
    from PIL import Image

    picture = sent[0][..., 0] if sent[0].shape[-1] == 1 else sent[0]
    image = Image.fromarray(np.ascontiguousarray(picture), MODES[sent[0].shape[-1]])
    image.thumbnail((_EXAMPLE_SIDE, _EXAMPLE_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _digest(folder: Path, files: Mapping[str, int]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        content = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
