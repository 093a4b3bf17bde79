"""The model as MLflow serves it: raw images or tensors in, plain values out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import network as networks
from . import steps
from .functions import defined
from .pictures import Picture, pictures
from .preparing import Placing, Preparing
from .rejected import Rejected
from .transforms import dtype

FORMAT = 1
BATCH = 32
DESCRIPTION = "serving.json"
_FILE = re.compile(r"[a-z_]+\.(pt2|pt|py)")


def load(folder: str | Path, *, trust: bool = False) -> Model:
    """Return the model that lies in a folder; ``Rejected`` where it cannot be read.

    TorchScript runs code when it is read, and is read with ``trust`` only.
    """
    folder = Path(folder)
    return Model(folder, read_description(folder), trust=trust)


def read_description(folder: Path) -> dict[str, Any]:
    """Return what ``serving.json`` says, of a format that this code knows."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        number = description["format"]
        files = [description["network"]["file"], *description["functions"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Rejected(f"{DESCRIPTION} is missing or damaged.") from error
    if number != FORMAT:
        raise Rejected(f"the model has format {number}, this code reads {FORMAT}.")
    if not all(isinstance(file, str) and _FILE.fullmatch(file) for file in files):
        raise Rejected(f"{DESCRIPTION} names a file outside its folder.")
    return dict(description)


class Model:
    """A network with what stands before and after it.

    Parameters
    ----------
    folder : Path
        Holds ``serving.json``, the network's file and the functions' text.
    description : dict
        The content of ``serving.json``.
    trust : bool
        Whether a network that is TorchScript may run its code.
    """

    def __init__(
        self, folder: Path, description: Mapping[str, Any], *, trust: bool = False
    ) -> None:
        self.description = description
        about = description["network"]
        self.takes_list = bool(about["takes_list"])
        self.inputs: list[dict[str, Any]] = list(about["inputs"])
        self.network = networks.read(folder / about["file"], about["kind"], trust=trust)
        functions: dict[str, Callable[..., Any]] = {}
        for name, file in description["functions"].items():
            functions[name] = defined((folder / file).read_text("utf-8"), name, f"{file} (stored)")
        pre = description["pre"]
        self._prepare = Preparing(pre["takes"], pre["steps"], functions) if pre else None
        self._channels = int(pre["channels"]) if pre else 0
        self._functions = functions
        self.set_post(description["post"])
        self._names = tuple(description["labels"])

    def set_post(self, post: Sequence[Mapping[str, Any]]) -> None:
        """Answer by these steps from now on."""
        self._post = [
            self._functions[step["function"]] if "function" in step else step for step in post
        ]

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return predictions: arrays, or a list with one entry for each image.

        Parameters
        ----------
        data : images, or tensors
            With pre-processing: raw images, see :func:`pictures`. Without: what the network
            takes, as an array, or a dict of arrays by name.
        params : mapping, optional
            Not used; MLflow may give it.

        Raises
        ------
        Rejected
            In one line, what was sent and what was expected.
        """
        del params
        if self._prepare is None:
            return self._of_tensors(data)
        sent = pictures(data, self._channels)
        parts = [
            self._of_pictures(sent[start : start + BATCH]) for start in range(0, len(sent), BATCH)
        ]
        return joined(parts)

    def get_raw_model(self) -> Model:
        """Return this object; MLflow asks for it where its own checks of inputs are not wanted."""
        return self

    def _of_pictures(self, sent: Sequence[Picture]) -> Any:
        assert self._prepare is not None
        prepared = [self._prepare(picture) for picture in sent]
        if self.takes_list or len({tensor.shape for tensor, _ in prepared}) == 1:
            return self._run(prepared)
        return joined([self._run([one]) for one in prepared])

    def _run(self, prepared: Sequence[tuple[Any, Placing]]) -> Any:
        import torch

        tensors = [tensor for tensor, _ in prepared]
        for tensor in tensors:
            self._check(tensor[None], self.inputs[0])
        inputs = tensors if self.takes_list else [torch.stack(tensors)]
        output = networks.run(self.network, inputs, takes_list=self.takes_list)
        batch = steps.Batch(
            tuple(placing for _, placing in prepared),
            tuple((int(t.shape[-2]), int(t.shape[-1])) for t in tensors),
            self._names,
        )
        return self._finished(output, batch)

    def _finished(self, output: Any, batch: steps.Batch) -> Any:
        for step in self._post:
            output = self._applied(step, output, batch)
        return plain(output)

    @staticmethod
    def _applied(step: Any, output: Any, batch: steps.Batch) -> Any:
        if isinstance(step, Mapping):
            return steps.apply(step, output, batch)
        return step(output)

    def _of_tensors(self, data: Any) -> Any:
        import torch

        values = self._arguments(data)
        tensors = []
        for value, about in zip(values, self.inputs, strict=True):
            if isinstance(value, torch.Tensor):
                tensor = value.detach().cpu()
            else:
                tensor = torch.from_numpy(np.array(_array(value, about)))
            self._check(tensor, about)
            tensors.append(tensor)
        if len({len(tensor) for tensor in tensors}) > 1:
            raise Rejected("the inputs have different numbers of samples.")
        if not len(tensors[0]):
            raise Rejected("There are no samples: send at least one.")
        inputs = list(tensors[0]) if self.takes_list else tensors
        output = networks.run(self.network, inputs, takes_list=self.takes_list)
        images = tensors[0]
        size = (int(images.shape[-2]), int(images.shape[-1])) if images.ndim == 4 else (1, 1)
        count = len(images)
        return self._finished(
            output, steps.Batch((Placing(*size),) * count, (size,) * count, self._names)
        )

    def _arguments(self, data: Any) -> list[Any]:
        if len(self.inputs) == 1:
            if isinstance(data, Mapping) and len(data) == 1:
                data = next(iter(data.values()))
            return [data.to_numpy() if hasattr(data, "to_numpy") else data]
        names = [about["name"] for about in self.inputs]
        if isinstance(data, (list, tuple)) and len(data) == len(names):
            return list(data)
        if not isinstance(data, Mapping) or set(data) != set(names):
            raise Rejected(f"expected the inputs {', '.join(names)} by name.")
        return [data[name] for name in names]

    def _check(self, tensor: Any, about: Mapping[str, Any]) -> None:
        """Compare with what the network was exported for; -1 stands for any length."""
        shape = about["shape"]
        fits = tensor.ndim == len(shape) and all(
            wanted in (-1, length) for wanted, length in zip(shape, tensor.shape, strict=True)
        )
        if not fits or tensor.dtype != dtype(about["dtype"]):
            said = " × ".join("N" if length == -1 else str(length) for length in shape)
            got = " × ".join(map(str, tensor.shape))
            kind = str(tensor.dtype).removeprefix("torch.")
            raise Rejected(f"{about['name']}: expected {about['dtype']} {said}, got {kind} {got}.")


def _array(value: Any, about: Mapping[str, Any]) -> Any:
    """Return numbers as an array of the wanted type, where nothing is lost by it."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise Rejected(f"{about['name']}: its rows have different lengths.") from None
    wanted = np.dtype(about["dtype"])
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and wanted.kind in "iu"):
        raise Rejected(f"{about['name']}: expected {wanted}, got {array.dtype}.")
    if wanted.kind in "iu" and array.size:
        limits = np.iinfo(wanted)
        if array.min() < limits.min or array.max() > limits.max:
            raise Rejected(f"{about['name']}: its values do not fit into {wanted}.")
    return array.astype(wanted)


def plain(value: Any) -> Any:
    """Return arrays for tensors, and dicts and lists for what holds them."""
    if hasattr(value, "detach"):
        array = value.detach().cpu()
        return (array.float() if str(array.dtype) == "torch.bfloat16" else array).numpy()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        items = [plain(inner) for inner in value]
        # outputs without names, each a batch, are told apart by their place
        if isinstance(value, tuple) and all(isinstance(item, np.ndarray) for item in items):
            return {f"output_{index}": item for index, item in enumerate(items)}
        return items
    return value


def joined(parts: Sequence[Any]) -> Any:
    """Return the predictions of several batches as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, Mapping):
        return {key: joined([part[key] for part in parts]) for key in first}
    if isinstance(first, np.ndarray) and len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(list(parts))
    return [item for part in parts for item in part]
