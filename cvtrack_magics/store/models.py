"""Models as MLflow keeps them: folders with an ``MLmodel``, and versions in the registry."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.limits import yaml_of
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.store.asking import said_by
from cvtrack_magics.store.client import client_of, creating, mlflow, quietly, registry_uri
from cvtrack_magics.store.logged_models import FOLDER_TAG, StoredModel
from cvtrack_magics.store.registry import Version
from cvtrack_magics.store.run_files import RunFiles
from cvtrack_magics.store.signatures import Specs, example_of, schema_of
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.text import json_of

VERSIONS_TAG = "mlflow.modelVersions"
_NAME_FORBIDDEN = frozenset("/:\\<>&\"'`|?*#%{}[]$;")
_NAME_LIMIT = 200
NETWORK_PT2 = "model.pt2"  # MLflow's name of a network of torch.export


@dataclass(frozen=True, slots=True)
class Trusted:
    """A model of another kind, which ran its own code when it was loaded."""

    unwrapped: Any
    predict: Any


def save_pyfunc(
    folder: Path,
    *,
    loader: str,
    data: Path,
    code: Path,
    inputs: Specs,
    outputs: Specs,
    example: Any,
    requirements: Sequence[str],
) -> None:
    """Write a model that MLflow serves, without a pickle.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty.
    loader : str
        The module that has ``_load_pyfunc``; it is the package in ``code``.
    data, code : Path
        Folders that are copied.
    inputs, outputs : sequence of mapping
        ``{"kind": "image", "name"}``, ``{"kind": "tensor", "name", "dtype", "shape"}`` or
        ``{"kind": "column", "name", "type"}``.
    example : str, array or dict of arrays
        One sample in the form that serving takes; a string is one image in base64.
    requirements : sequence of str
        As pip reads them.

    Raises
    ------
    CvtrackError
        MLflow cannot write it.
    """
    with quietly():
        module = mlflow()
        signature = module.models.ModelSignature(
            inputs=schema_of(inputs), outputs=schema_of(outputs) if outputs else None
        )
        save = module.pyfunc.save_model
        # the name of MLflow before 2.12
        key = "code_paths" if "code_paths" in inspect.signature(save).parameters else "code_path"
        try:
            save(
                path=str(folder),
                loader_module=loader,
                data_path=str(data),
                signature=signature,
                input_example=example_of(inputs, example),
                pip_requirements=[f"mlflow=={module.__version__}", *requirements],
                **{key: [str(code)]},
            )
            _add_pytorch(folder, data)
        except Exception as error:
            raise CvtrackError(f"The model cannot be written: {in_one_line(error)}") from error


def _add_pytorch(folder: Path, data: Path) -> None:
    """Let ``mlflow.pytorch.load_model`` find the network, where it is of a kind that it reads.

    It is the network alone: what is done before and after it is the Python function's.
    """
    if not (data / NETWORK_PT2).is_file():
        return
    from mlflow.models import Model

    model = Model.load(str(folder))
    model.add_flavor(
        "pytorch", model_data=f"data/{data.name}", pytorch_version=metadata.version("torch")
    )
    model.save(str(folder / "MLmodel"))


def save_onnx(onnx_path: Path, folder: Path, *, inputs: Specs = (), outputs: Specs = ()) -> None:
    """Write an ONNX file as a model of MLflow's ONNX flavour, weights outside it included.

    Parameters
    ----------
    onnx_path : Path
        The file; what it keeps outside lies beside it.
    folder : Path
        Must not exist, or be empty.
    inputs, outputs : sequence of mapping
        The signature, as for :func:`save_pyfunc`.

    Raises
    ------
    CvtrackError
        onnx is missing, or the file cannot be read.
    """
    try:
        import onnx
    except ImportError as error:
        raise CvtrackError("onnx is missing.", "pip install 'cvtrack_magics[onnx]'") from error
    with quietly():
        module = mlflow()
        signature = None
        if inputs:
            signature = module.models.ModelSignature(
                inputs=schema_of(inputs), outputs=schema_of(outputs) if outputs else None
            )
        save = module.onnx.save_model
        # MLflow before 2.5 always writes one file
        asks = "save_as_external_data" in inspect.signature(save).parameters
        apart = {"save_as_external_data": _is_large(onnx_path)} if asks else {}
        try:
            save(
                onnx.load(str(onnx_path)),
                str(folder),
                signature=signature,
                # MLflow would find them out in a process of its own, which takes seconds
                pip_requirements=[
                    f"{name}=={metadata.version(name)}" for name in ("mlflow", "onnx", "numpy")
                ]
                + ["onnxruntime"],
                **apart,
            )
        except Exception as error:
            raise CvtrackError(f"The ONNX model cannot be written: {in_one_line(error)}") from error


def _is_large(path: Path) -> bool:
    """Whether a file and its weights are too large for one protobuf (2 GB)."""
    return sum(p.stat().st_size for p in path.parent.glob(f"{path.name}*")) > 1_900_000_000


def register(
    uri: str,
    name: str,
    run_id: str,
    artifact_path: str,
    *,
    tags: Mapping[str, str] | None = None,
) -> Version:
    """Make a version of a registered model, of a model that a run has as an artifact.

    Parameters
    ----------
    uri : str
        The tracking store of the run.
    name : str
        The registered model; made where there is none.
    run_id, artifact_path : str
        The folder with ``MLmodel``, in the run's artifacts.
    tags : mapping of str, optional
        Tags of the version.

    Raises
    ------
    UsageProblem
        The name cannot be used, or the run has no model there.
    CvtrackError
        The registry does not answer, or refuses.
    """
    check_model_name(name)
    client = client_of(uri)
    folder = artifact_path.strip("/")
    said = {**(tags or {}), FOLDER_TAG: folder}
    try:
        with quietly():
            kept = RunFiles(client, uri, run_id)
            if f"{folder}/MLmodel" not in {item.path for item in kept.listed(folder)}:
                raise UsageProblem(f"Run {run_id[:8]} has no model at {artifact_path}.")
            address = _address(client, uri, run_id, folder, kept.models.get(folder))
            _make_model(client, name)
        with creating():
            made = client.create_model_version(
                name, run_id=run_id, tags=said, await_creation_for=30, **address
            )
            if address.get("model_id"):
                _tell_model(client, address["model_id"], name, made.version)
    except UsageProblem:
        raise
    except Exception as error:
        raise CvtrackError(
            f"{name} could not be registered: {said_by(error)}.",
            "The model is in its run: the same line with --run registers it when that is allowed.",
        ) from error
    return Version(
        name=name,
        version=str(made.version),
        run_id=run_id,
        created=int(made.creation_timestamp or 0),
        source=str(made.source),
        tags=said,
    )


def _address(
    client: Any, uri: str, run_id: str, folder: str, model: StoredModel | None
) -> dict[str, str]:
    """Return what a version is made of: a logged model, or a folder of the run.

    A registry apart from the runs knows no logged model, only where its files are.
    """
    if model is None:
        root = client.get_run(run_id).info.artifact_uri.rstrip("/")
        return {"source": f"{root}/{folder}"}
    here = absolute(str(mlflow().get_tracking_uri())) == absolute(uri) == registry_uri(uri)
    if not here:
        return {"source": model.location}
    return {"source": f"models:/{model.model_id}", "model_id": model.model_id}


def _tell_model(client: Any, model_id: str, name: str, version: object) -> None:
    """Name a version at its logged model, as MLflow does; its page lists them by this tag."""
    found = json_of(client.get_logged_model(model_id).tags.get(VERSIONS_TAG))
    there = found if isinstance(found, list) else []
    named = {(str(o.get("name")), str(o.get("version"))) for o in there if isinstance(o, dict)}
    if (name, str(version)) not in named:  # a server has named it already
        one = {"name": name, "version": version}
        client.set_logged_model_tags(model_id, {VERSIONS_TAG: json.dumps([*there, one])})


def _make_model(client: Any, name: str) -> None:
    """Create the registered model unless there is one, also one that comes at this moment."""
    try:
        client.create_registered_model(name)
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
            raise


def check_model_name(name: str) -> str:
    """Return a registered model's name; ``UsageProblem`` where it cannot be one."""
    if not name.strip() or name != name.strip() or name == ".":
        raise UsageProblem("A registered model needs a name.", "--register NAME gives it.")
    found = next((c for c in name if c in _NAME_FORBIDDEN or not (c == " " or c.isprintable())), "")
    found = found or (".." if ".." in name else "")
    if found or len(name) > _NAME_LIMIT:
        why = f"has {found!a}" if found else f"is longer than {_NAME_LIMIT} characters"
        raise UsageProblem(
            f"The model's name {why}.", "Letters, digits, spaces and -_.()+ are allowed."
        )
    return name


def flavour_of(mlmodel_text: str) -> str:
    """Return the flavour that an ``MLmodel`` is best opened by, such as ``onnx``.

    ``python_function`` where there is no other or it has a loader of its own, which does more
    than the network beside it; ``""`` where the text is none.
    """
    try:
        about = yaml_of(mlmodel_text)
    except Exception:  # YAML's readers of dates and numbers raise what they like
        return ""
    flavours = about.get("flavors") if isinstance(about, dict) else None
    if not isinstance(flavours, dict):
        return ""
    python = flavours.get("python_function")
    loader = str(python.get("loader_module", "")) if isinstance(python, dict) else ""
    if loader and not loader.startswith("mlflow."):
        return "python_function"
    others = sorted(str(name) for name in flavours if name != "python_function")
    return (others or [str(name) for name in flavours] or [""])[0]


def load_trusted(folder: Path) -> Trusted:
    """Load a model as MLflow does, which runs the code and pickles that came with it."""
    with quietly():
        module = mlflow()
        try:
            model = module.pyfunc.load_model(str(folder))
        except Exception as error:
            raise CvtrackError(f"The model cannot be loaded: {in_one_line(error)}") from error
        get = getattr(model, "get_raw_model", None) or model.unwrap_python_model
        try:
            unwrapped = get()
        except Exception:
            unwrapped = None  # not every kind has one
    return Trusted(unwrapped, model.predict)
