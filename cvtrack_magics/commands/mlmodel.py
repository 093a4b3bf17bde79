"""``mlmodel()``: a torch model as an MLflow model, with all that serves it."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.definition import Arg, Typed, command
from cvtrack_magics.commands.typed import expression
from cvtrack_magics.errors import NotAsMeasured, StoreUnavailable, UsageProblem
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_making import making
from cvtrack_magics.run.recording import Target, needed

if TYPE_CHECKING:
    from cvtrack_magics.commands.proving import Proof
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.model.built import Built
    from cvtrack_magics.store.registry import Version


def step(text: str, typed: Typed) -> Any:
    """Return what --pre or --post names: a word for a built-in step, or an expression."""
    from cvtrack_magics.release.model.serving.steps import STEPS

    built_in = text.split(":", 1)[0] in STEPS
    return text if built_in and text not in typed.names else expression(text, typed)


@command(
    model=Arg("MODEL", expression),
    example=Arg("EXPR", expression, flag="--example"),
    register=Arg("NAME"),
    pre=Arg("EXPR", step),
    post=Arg("EXPR", step),
    labels=Arg("EXPR", expression),
    run=Arg("RUN"),
    onnx=Arg("FILE"),
)
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
    force: bool = False,
    onnx: str = "",
) -> Listing:
    """Record a torch model as an MLflow model, with all between a raw image and an answer.

    It has a signature and an example taken from a real sample, and loads in a fresh process
    that knows neither the notebook's classes nor this package. The network is kept as an
    exported graph, tried against the model itself before it is kept; nothing is pickled.

    ``pre``: a torchvision transform, or a function. ``post``: softmax, sigmoid, argmax, labels,
    top:5, threshold, probability (one sigmoid), multilabel:0.5, ordinal, exp (of LogSoftmax),
    boxes:cxcywh,relative|nms:0.5 …, or a function. Where a detector's output can be read in
    several ways, a word says which: boxes:cxcywh,columns,sigmoid.

    Parameters
    ----------
    model : torch.nn.Module
        A torch module; in eval mode while this runs, and put back afterwards.
    example : object
        A real sample: a batch as the model takes it, a tuple of inputs or a dict by name; or
        raw images where ``pre`` is given.
    name : str
        The folder among the run's artifacts. Where another model has it that was registered,
        this one has a folder beside it, with its digest behind the name.
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
    force : bool
        Register it though it answers something else, as it would be served, than was measured.
    onnx : str
        An ONNX file of this network that is there already: proved against it as ``%mlexport``
        does, and kept as the run's export. One that answers something else is refused, and
        nothing is recorded.

    Returns
    -------
    Listing
        ``result`` is what was built.

    Raises
    ------
    UsageProblem
        Something given cannot be used, or there is no run.
    NotAsMeasured
        It is to be registered, and does not answer what the run has measured.
    ExportRefused
        The ONNX file does not compute what the network does.

    Examples
    --------
    ::

        %mlmodel model --example images[:1] --pre transform --post softmax --register digits
    """
    from cvtrack_magics.commands.given_onnx import keep_file, proved_file
    from cvtrack_magics.commands.proving import proof_of
    from cvtrack_magics.release.model.build import build
    from cvtrack_magics.release.weights import tags_of
    from cvtrack_magics.store.model_files import DIGEST_TAG, digest_of_records
    from cvtrack_magics.store.models import check_model_name, save_pyfunc

    target = needed(run, "%mlmodel")
    if register:
        check_model_name(register)
    wished = _folder(name)
    with (
        making(target, wished, "model") as made,
        tempfile.TemporaryDirectory(prefix="cvtrack-") as temporary,
    ):
        built = build(model, example, Path(temporary) / "built", pre=pre, post=post, labels=labels)
        given = proved_file(onnx, model, built, Path(temporary) / "made")
        made.begin()
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
        proof = proof_of(target, model, folder, built, tuple(labels or ()))
        if register and proof.differs and not force:
            raise _refused(register, proof)
        folder_name = _own_folder(target, wished, folder, register)
        files = files_of(folder, folder_name)
        digest = digest_of_records(get_session().masking().records(files), folder_name)
        tags = {DIGEST_TAG: digest, **tags_of(model), **proof.tags}
        ended = made.ended(
            folder_name,
            holds=bool(register) or not proof.differs,
            tags=tags,
            why=proof.unproved if proof.differs else "",
            figures=proof.figures,
        )
        where = target.record({}, [ended, *files], now=True)
        get_session().made_models.keep(target, model, ended)
        version = _registered(target, register, folder_name, tags) if register else None
        beside = keep_file(given, target, model, Path(temporary) / "onnx")
    listing = _listing_of(built, folder_name, where, version, register)
    listing = _with_proof(listing, proof, told=bool(register))
    listing = dataclasses.replace(listing, notes=(*listing.notes, *filter(None, [beside])))
    if folder_name == wished:
        return listing
    note = f"{wished!r} is another model's and stays as it is: this one is in {folder_name!r}."
    return dataclasses.replace(listing, notes=(note, *listing.notes))


def _refused(register: str, proof: Proof) -> NotAsMeasured:
    return NotAsMeasured(
        f"Not registered as {register!r}, since it does not answer as was measured. "
        f"{proof.unproved}.",
        "Give the --pre, --post and model that were measured, measure this one, or --force.",
    )


def _own_folder(target: Target, wished: str, files: Path, register: str) -> str:
    """Return the folder to record in: never one that a version was made of.

    Another folder than the wished one is named after the content, so that two that are made
    at the same time differ too.
    """
    from cvtrack_magics.store.model_files import digest_of, taken

    run = target.in_store()
    if run is None:
        return wished
    try:
        if not taken(run.uri, run.run_id, wished, also_files=bool(register)):
            return wished
    except StoreUnavailable:
        pass  # it may be a version's
    return f"{wished}-{digest_of(files)[:8]}"


def files_of(folder: Path, name: str) -> list[Record]:
    """Return all files below a folder as artifacts of a folder of the run."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        Artifact(f"{name}/{path.relative_to(folder).as_posix()}", source=path) for path in paths
    ]


def _folder(name: str) -> str:
    parts = name.strip("/").split("/")
    if not all(part.strip(". ") for part in parts):
        raise UsageProblem(f"{name!r} is no folder among a run's artifacts.", "--name model")
    return "/".join(parts)


def _registered(
    target: Target, register: str, folder: str, tags: Mapping[str, str]
) -> Version | None:
    """Make a version with its digest and proof, where the store has the run."""
    from cvtrack_magics.store import models

    run = target.in_store()
    if run is None:
        return None
    try:
        return models.register(run.uri, register, run.run_id, folder, tags=tags)
    except StoreUnavailable:
        return None


def _with_proof(listing: Listing, proof: Proof, *, told: bool) -> Listing:
    """Say whether the served answers are those that were measured."""
    if proof.row:
        return dataclasses.replace(listing, rows=(*listing.rows, ("measured", proof.row)))
    if not (told or proof.differs):
        return listing
    return dataclasses.replace(listing, notes=(f"Unproved: {proof.unproved}.", *listing.notes))


def _listing_of(
    built: Built, folder: str, where: str, version: Version | None, register: str
) -> Listing:
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.display.text import number

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
