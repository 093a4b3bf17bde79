"""``mlload()``: a model by its alias, stage or version."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.typed import expression
from cvtrack_magics.errors import FilesAltered, StoreUnavailable, UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import Found, find, registry

if TYPE_CHECKING:
    from cvtrack_magics.release.model.opening import Loaded
    from cvtrack_magics.store.registry import Version
    from cvtrack_magics.store.tracking import OpenRun


@command(
    returns=True,
    reference=Arg("NAME@ALIAS|NAME/STAGE|NAME/V|RUN"),
    into=Arg("MODEL", expression),
)
def mlload(
    reference: str,
    *,
    onnx: bool = False,
    into: Any = None,
    name: str = "model",
    trust: bool = False,
) -> Loaded:
    """Load a model by alias, stage or version, so that no code has to name a run.

    What runs code when it is opened (pickles, TorchScript) needs ``trust``.

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
    CvtrackError
        The files are not those that were registered, by their digest.

    Examples
    --------
    ::

        model = %mlload digits@champion
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

    Of a version these are its own files, unless its export is meant.

    Raises
    ------
    CvtrackError
        The version's files are not those that were registered.
    """
    from cvtrack_magics.release.model.opening import open_model

    if found.version is not None and name != "onnx":
        path = _own_files(found.version, folder)
    else:
        tracking = get_session().tracking
        run = tracking.run_of(found.run_id)
        if f"{name}/MLmodel" not in tracking.files(run, name):
            return None
        path = tracking.download(run, name, folder)
        if name == "onnx":
            check_export(run, path)
    try:
        return open_model(path, trust=trust)
    except OSError as error:
        raise StoreUnavailable(f"The model could not be read: {error}") from error


def _own_files(version: Version, folder: Path) -> Path:
    """Download a version's files and compare them with its digest, where it has one."""
    from cvtrack_magics.store.model_files import DIGEST_TAG, digest_of, download_version

    path = download_version(registry().uri, version, folder)
    registered = version.tags.get(DIGEST_TAG, "")
    if registered and digest_of(path) != registered:
        raise FilesAltered(
            f"The files of {version.name} version {version.version} are not those that were "
            "registered: their SHA-256 differs.",
            "Take another version, or register the model anew.",
        )
    return path


def check_export(run: OpenRun, folder: Path, format: str = "onnx") -> None:
    """Raise where a run's export is not the one that was proved, or its proof another."""
    from cvtrack_magics.store.model_files import digest_of, digest_of_export

    proved = digest_of_export(run.uri, run.run_id, format)
    if proved and digest_of(folder) != proved:
        raise FilesAltered(
            f"The {format} export of run {run.name!r} is not the one that was proved: its "
            "SHA-256 differs.",
            f"%mlexport {format} makes it anew.",
        )


def check_files(version: Version | None) -> None:
    """Raise where a version's files are not those that were registered.

    Raises
    ------
    FilesAltered
        Their digest is another one, or there are none.
    StoreUnavailable
        They cannot be read.
    """
    from cvtrack_magics.store.model_files import DIGEST_TAG

    if version is not None and version.tags.get(DIGEST_TAG):
        with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
            _own_files(version, Path(folder))
