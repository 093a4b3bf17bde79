"""``mlmodel()``: a torch model as an MLflow model, with all that serves it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import StoreUnavailable, UsageProblem
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.runs.recording import Target, needed

if TYPE_CHECKING:
    from cvtrack_magics.release.model.built import Built
    from cvtrack_magics.store.registry import Version
    from cvtrack_magics.widgets.listing import Listing


def mlmodel(
    model: Any,
    example: Any,
    *,
    name: str = "model",
    register: str = "",
    pre: Any = None,
    post: Any = None,
    labels: Sequence[str] | None = None,
    run: str = "",
) -> Listing:
    """Record a torch model as an MLflow model.

    It has a signature and an example taken from a real sample, and loads in a fresh process
    that knows neither the notebook's classes nor this package. The network is kept as an
    exported graph, tried against the model itself before it is kept; nothing is pickled.

    Parameters
    ----------
    model : torch.nn.Module
        In eval mode while this runs; put back afterwards.
    example : object
        A real sample: a batch as the model takes it, or raw images where ``pre`` is given.
    name : str
        The folder among the run's artifacts.
    register : str
        Make a version of this registered model.
    pre : torchvision transform, function, str, or a sequence of them, optional
        From a raw image (array, PNG or JPEG bytes, base64) to the model's input.
    post : function, str, or a sequence of them, optional
        From its output to an answer: ``softmax``, ``sigmoid``, ``argmax``, ``nms:0.5`` …
    labels : sequence of str, optional
        Names of the classes.
    run : str
        A finished run to record it in; otherwise the open one.

    Returns
    -------
    Listing
        ``result`` is what was built.

    Raises
    ------
    UsageProblem
        Something given cannot be used, or there is no run.
    """
    from cvtrack_magics.release.model.build import build
    from cvtrack_magics.store.models import check_model_name, save_pyfunc

    target = needed(run, "%mlmodel")
    if register:
        check_model_name(register)
    folder_name = _folder(name)
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as temporary:
        built = build(model, example, Path(temporary) / "built", pre=pre, post=post, labels=labels)
        folder = Path(temporary) / "kept"
        save_pyfunc(
            folder,
            loader=built.loader,
            data=built.data,
            code=built.code,
            inputs=built.inputs,
            outputs=built.outputs,
            example=built.example,
            requirements=built.requirements,
        )
        where = target.record({}, files_of(folder, folder_name), now=True)
    version = _registered(target, register, folder_name) if register else None
    return _listing_of(built, folder_name, where, version, register)


def files_of(folder: Path, name: str) -> list[Record]:
    """Return all files below a folder as artifacts of a folder of the run."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        Artifact(f"{name}/{path.relative_to(folder).as_posix()}", source=path) for path in paths
    ]


def is_step(text: str) -> bool:
    """Whether a text names a built-in step, as ``softmax`` and ``nms:0.5`` do."""
    from cvtrack_magics.release.model.serving.steps import STEPS

    return text.split(":", 1)[0] in STEPS


def _folder(name: str) -> str:
    parts = name.strip("/").split("/")
    if not all(part.strip(". ") for part in parts):
        raise UsageProblem(f"{name!r} is no folder among a run's artifacts.", "--name model")
    return "/".join(parts)


def _registered(target: Target, register: str, folder: str) -> Version | None:
    """Make a version, where the store has the run."""
    from cvtrack_magics.store import models

    run = target.in_store()
    if run is None:
        return None
    try:
        return models.register(run.uri, register, run.run_id, folder)
    except StoreUnavailable:
        return None


def _listing_of(
    built: Built, folder: str, where: str, version: Version | None, register: str
) -> Listing:
    from cvtrack_magics.widgets.listing import Listing
    from cvtrack_magics.widgets.text import number

    title = f"Model {folder!r}" if version is None else f"{version.name} version {version.version}"
    notes = list(built.notes)
    if register and version is None:
        notes.insert(
            0,
            f"Not registered as {register!r}, since the store does not answer: run this line "
            "again with --run when it does.",
        )
    rows = (
        ("takes", built.takes),
        ("gives", built.gives),
        ("network", f"{built.network}, {number(built.size / 1e6, 2)} MB"),
        ("tried", f"differs from the model by at most {built.max_abs:.1e}"),
    )
    return Listing(
        f"{title}.",
        result=version or built,
        where=where,
        rows=tuple(row for row in rows if row[1]),
        notes=tuple(notes),
    )
