"""Opens a stored model without running anything that came with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.code.modules import SERVED
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.limits import file_bytes, yaml_of
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release.model.serving import network as networks
from cvtrack_magics.release.model.serving.model import DESCRIPTION, Model, read_description
from cvtrack_magics.release.model.serving.rejected import Rejected
from cvtrack_magics.text import json_of, visible

_LONGEST = 10_000_000  # bytes of an MLmodel file


@dataclass(frozen=True)
class Loaded:
    """A model that was opened.

    Attributes
    ----------
    kind : {'cvtrack', 'onnx', 'trusted'}
        This package's format, ONNX, or another one that was trusted.
    network : object or None
        A callable torch module; of an ONNX model what :func:`open_onnx` gives.
    facts : mapping
        What the folder says: ``signature``, ``network``, ``pre``, ``post``, ``functions``.
    """

    kind: str
    network: Any
    facts: Mapping[str, Any]
    _predict: Callable[[Any], Any] = field(repr=False)

    def predict(self, images: Any) -> Any:
        """Return predictions for what the model takes: raw images, arrays or a dict of them.

        Raises
        ------
        UsageProblem
            In one line, what was given and what was expected.
        """
        try:
            return self._predict(images)
        except Rejected as error:
            raise UsageProblem(str(error)) from error

    def __repr__(self) -> str:
        about = visible(self.describe())
        return f"A model of the kind {self.kind!r}; predict(images) runs it.\n{about}"

    def describe(self) -> str:
        """Return what the model is, in a few lines of plain text."""
        return "\n".join(f"{key}: {_said(value)}" for key, value in self.facts.items() if value)


def open_model(folder: Path, *, trust: bool = False) -> Loaded:
    """Open a folder that holds an ``MLmodel`` file.

    Parameters
    ----------
    folder : Path
        As MLflow or this package wrote it.
    trust : bool
        Whether code and pickles that came with the model may run.

    Raises
    ------
    UsageProblem
        It is no model, or of a kind that runs code when it is opened, without ``trust``.
    CvtrackError
        It is damaged.
    """
    about = read_mlmodel(folder)
    flavours = about["flavors"]
    signature = _signature(about)
    python = _mapping(flavours.get("python_function"))
    if str(python.get("loader_module", "")).startswith(SERVED):
        return _open_ours(_below(folder, python.get("data", "data")), signature, trust=trust)
    if "onnx" in flavours:
        return _open_onnx(folder, _mapping(flavours["onnx"]), signature)
    kind = _pickled_kind(flavours)
    if not trust:
        raise UsageProblem(
            f"This is {kind}: opening it runs code that came with it.",
            "--trust opens it anyway, if you know who made it.",
        )
    return _open_trusted(folder, kind, signature)


def read_mlmodel(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's ``MLmodel``; plain YAML, no objects."""
    try:
        content = file_bytes(folder / "MLmodel", _LONGEST)
    except FileNotFoundError:
        raise UsageProblem(
            "There is no model: no file MLmodel.", "Name the model's folder."
        ) from None
    except OSError as error:
        raise CvtrackError(f"MLmodel cannot be read: {in_one_line(error)}") from error
    if len(content) > _LONGEST:
        raise CvtrackError("MLmodel is too large to be one.")
    try:
        about = yaml_of(content.decode("utf-8"))
    except Exception as error:  # YAML's readers of dates and numbers raise what they like
        raise CvtrackError(f"MLmodel cannot be read: {in_one_line(error)}") from error
    if not isinstance(about, dict) or not _mapping(about.get("flavors")):
        raise CvtrackError("MLmodel names no flavour.")
    return about


def into(model: Any, loaded: Loaded) -> None:
    """Put a stored network's weights into the user's own, by name.

    Raises
    ------
    UsageProblem
        A name is missing or too many, or a shape differs; nothing is changed.
    """
    if not hasattr(loaded.network, "state_dict"):
        raise UsageProblem("This model has no weights by name.", "Call its predict instead.")
    import torch

    own = model.state_dict()
    state = loaded.network.state_dict()
    if not set(state) & set(own):
        state = {name.removeprefix("model."): value for name, value in state.items()}
    # what a network holds but does not save is a constant of the graph
    stored = {name: value for name, value in state.items() if name in own or "." in name}
    buffers = {name for name, _ in model.named_buffers()} - set(own)
    missing = sorted(set(own) - set(stored))
    extra = sorted(name for name in set(stored) - set(own) - buffers if "lifted_" not in name)
    if missing or extra:
        raise UsageProblem(
            f"The model has {_few(missing)} that the stored one lacks"
            f" and lacks {_few(extra)} that it has.",
            "Give a network of the same class and settings.",
        )
    for name, value in own.items():
        if stored[name].shape != value.shape:
            got, wanted = tuple(stored[name].shape), tuple(value.shape)
            raise UsageProblem(f"{name} is stored as {got}, the model has {wanted}.")
    with torch.no_grad():
        model.load_state_dict({name: stored[name].detach() for name in own}, strict=True)


def _few(names: list[str]) -> str:
    if not names:
        return "nothing"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _open_ours(data: Path, signature: Mapping[str, Any], *, trust: bool) -> Loaded:
    """Open this package's format with the code of this package, not with the copy in it."""
    try:
        description = read_description(data)
        functions = dict(description["functions"])
        network = description["network"]
        if network["kind"] == "torchscript" and not trust:
            raise UsageProblem(
                "This model's network is TorchScript, which runs code when it is opened.",
                "--trust opens it, if you know who made it; %mlload --onnx is safe.",
            )
        facts = {
            "network": network["way"],
            "signature": signature,
            "pre": description["pre"],
            "post": description["post"],
            "functions": {
                name: (data / file).read_text("utf-8") for name, file in functions.items()
            },
        }
        if functions and not trust:
            said = ", ".join(map(str, functions))

            def refused(images: Any) -> Any:
                del images
                raise UsageProblem(
                    f"This model runs code that came with it ({said}).",
                    "Read it with describe(); --trust runs it. The network alone can be called.",
                )

            bare = networks.read(data / network["file"], network["kind"], trust=trust)
            return Loaded("cvtrack", bare, facts, refused)
        model = Model(data, description, trust=trust)
    except UsageProblem:
        raise
    except Rejected as error:
        raise CvtrackError(f"The model cannot be opened: {error}") from error
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise CvtrackError(f"{DESCRIPTION} is damaged: {in_one_line(error)}") from error
    return Loaded("cvtrack", model.network, facts, model.predict)


def _open_onnx(folder: Path, flavour: Mapping[str, Any], signature: Mapping[str, Any]) -> Loaded:
    from cvtrack_magics.release.export.onnxfile import open_onnx

    path = _below(folder, flavour.get("data", "model.onnx"))
    if path.is_dir():
        path = _below(path, "model.onnx")
    session = open_onnx(path)
    facts = {"network": "ONNX", "signature": signature}

    def predict(images: Any) -> Any:
        """Return the outputs, alone or as a list."""
        outputs = session.run(images if isinstance(images, (Mapping, list, tuple)) else [images])
        return outputs[0] if len(outputs) == 1 else outputs

    return Loaded("onnx", session, facts, predict)


def _open_trusted(folder: Path, kind: str, signature: Mapping[str, Any]) -> Loaded:
    from cvtrack_magics.store.models import load_trusted

    model = load_trusted(folder)
    facts = {"network": kind, "signature": signature}
    return Loaded("trusted", model.unwrapped, facts, model.predict)


def _pickled_kind(flavours: Mapping[str, Any]) -> str:
    """Return in words what would run code."""
    loader = str(_mapping(flavours.get("python_function")).get("loader_module", ""))
    if "pytorch" in flavours:
        return "a pickled PyTorch model"
    if loader == "mlflow.pyfunc.model":
        return "a pickled Python model"
    names = ", ".join(sorted(str(name)[:40] for name in flavours if name != "python_function"))
    return f"a model of another kind ({names or loader[:60] or 'unknown'})"


def _below(folder: Path, part: Any) -> Path:
    """Return a path inside a folder; MLmodel may have been written by anyone."""
    path = (folder / str(part)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise CvtrackError("MLmodel names a file outside its folder.")
    return path


def _signature(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return inputs and outputs, which MLmodel has as JSON text."""
    found = {}
    for side in ("inputs", "outputs"):
        text = _mapping(about.get("signature")).get(side)
        found[side] = json_of(text) if isinstance(text, str) else None
    return {side: value for side, value in found.items() if value}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
