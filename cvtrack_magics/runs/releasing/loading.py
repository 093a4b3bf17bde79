"""``mlload()``: a model by its alias, stage or version."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import StoreUnavailable, UsageProblem
from cvtrack_magics.runs.current import get_session
from cvtrack_magics.runs.releasing.references import Found, find

if TYPE_CHECKING:
    from cvtrack_magics.release.model.opening import Loaded


def mlload(
    reference: str,
    *,
    onnx: bool = False,
    into: Any = None,
    name: str = "model",
    trust: bool = False,
) -> Loaded:
    """Load a model by alias or stage, so that no code has to name a run.

    Parameters
    ----------
    reference : str
        ``NAME@champion``, ``NAME/Production``, ``NAME/3``; a run's id works, and is called out.
    onnx : bool
        The verified ONNX export of the same run, run by onnxruntime.
    into : torch.nn.Module, optional
        Takes the stored weights, by name.
    name : str
        The folder among a run's artifacts, where a run is named.
    trust : bool
        Let code and pickles that came with the model run.

    Returns
    -------
    Loaded
        ``predict(images)``; ``network`` is a torch module (or the ONNX graph).

    Raises
    ------
    UsageProblem
        There is no such model, or it would run foreign code and ``trust`` is not given.
    """
    from cvtrack_magics.release.model.opening import into as put_into

    found = find(reference)
    if found.by == "run":
        get_session().host.say(
            f"cvtrack: {reference} names a run, which ties this code to it; "
            "NAME@champion follows the promotions."
        )
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        model = fetched(found, "onnx" if onnx else name, Path(folder), trust=trust)
    if model is None:
        what, how = ("export", "%mlexport onnx") if onnx else ("model", "%mlmodel")
        raise UsageProblem(f"Run {found.run_id[:8]} has no {what}.", f"{how} records one.")
    if into is not None:
        put_into(into, model)
    return model


def fetched(found: Found, name: str, folder: Path, *, trust: bool = False) -> Loaded | None:
    """Download and open a model of a run; None where it has none.

    Of a version this is the folder that the version was made of, unless its export is meant.
    """
    from cvtrack_magics.release.model.opening import open_model

    tracking = get_session().tracking
    run = tracking.run_of(found.run_id)
    if found.version is not None and name != "onnx":
        name = folder_of(found.version.source, found.run_id) or name
    if f"{name}/MLmodel" not in tracking.files(run, name):
        return None
    path = tracking.download(run, name, folder)
    try:
        return open_model(path, trust=trust)
    except OSError as error:
        raise StoreUnavailable(f"The model could not be read: {error}") from error


def folder_of(source: str, run_id: str) -> str:
    """Return the folder among a run's artifacts that a version was made of."""
    parts = PurePosixPath(source.replace("\\", "/")).parts
    if run_id not in parts:
        return ""
    after = parts[parts.index(run_id) + 1 :]
    return "/".join(after[1:] if after[:1] == ("artifacts",) else after)
