"""``mlbench()``: latency and throughput of the ways to run a model, side by side."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.artifacts.codec import read, written
from cvtrack_magics.artifacts.export import Evidence
from cvtrack_magics.artifacts.latency import Network
from cvtrack_magics.artifacts.paths import LATENCY, LATENCY_CHART, ONNX_MODEL, evidence_path
from cvtrack_magics.capture.data.hashing import sha256_file
from cvtrack_magics.commands.definition import Arg, Bar, Typed, command
from cvtrack_magics.commands.line import usage_error
from cvtrack_magics.commands.typed import comma_separated, expression
from cvtrack_magics.errors import StoreUnavailable, UnreadableArtifact, UsageProblem
from cvtrack_magics.records import Artifact, Record
from cvtrack_magics.run import model_reference as references
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.recording import record, target_of

if TYPE_CHECKING:
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.latency import Bench
    from cvtrack_magics.store.tracking import OpenRun

FOLDER = "latency"
_OTHER_EXPORT = "the run's export is of another network; export this one: %mlexport onnx …"
KINDS = ("eager", "torchscript", "compile")
COLUMNS = ("runner", "batch", "p50", "p95", "p99", "images/s", "calls", "")


def _batches(text: str, typed: Typed) -> tuple[int, ...]:
    """Return the numbers between commas, each 1 or more."""
    del typed
    try:
        found = tuple(int(word) for word in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise usage_error(f"--batch {text!r}: numbers of 1 and more, such as 1,8,32.")
    return found


def _target(text: str, typed: Typed) -> Any:
    """Return a model of the notebook, or the text that names a file, a run or a version."""
    root = re.match(r"\w+", text)
    is_python = not text.endswith(".onnx") and root is not None and root[0] in typed.names
    return expression(text, typed) if is_python else text


@command(
    target=Arg("MODEL|RUN|NAME@ALIAS", _target),
    example=Arg("EXPR", expression, flag="--example"),
    batches=Arg("N,N", _batches, flag="--batch"),
    seconds=Arg("S"),
    runners=Arg("RUNNER,…", comma_separated),
    run=Arg("RUN"),
    progress=Arg(bar=Bar("measuring", "%")),
)
def mlbench(
    target: Any,
    example: Any,
    *,
    batches: Sequence[int] = (1, 8, 32),
    seconds: float = 2.0,
    runners: Sequence[str] | None = None,
    threads: int | None = None,
    run: str = "",
    trust: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Listing:
    """Measure latency and throughput, warmed up and synchronised, runners side by side.

    Eager, TorchScript, torch.compile and onnxruntime, with the spread of each percentile. The
    run gets the guide's names for the first runner at the smallest batch (``p50_latency_ms``,
    ``p95_latency_ms``, ``p99_latency_ms``, ``throughput_imgs_per_sec``),
    ``latency/<runner>/b<batch>/…`` for every cell, and ``latency/latency.json`` and ``.png``.

    Parameters
    ----------
    target : torch.nn.Module or str
        A model; the path of an ``.onnx`` file; or a run or version whose model and verified
        export are measured.
    example : tensor, array, tuple or dict
        One input as a batch of one; larger batches repeat it.
    batches : sequence of int
        Batch sizes.
    seconds : float
        To measure each figure for.
    runners : sequence of str, optional
        Of ``eager``, ``torchscript``, ``compile`` and ``onnx``; otherwise all that are there.
    threads : int, optional
        Otherwise as many as torch uses.
    run : str
        A finished run to record it in; otherwise the open one.
    trust : bool
        Let code and pickles that came with a recorded model run.
    progress : callable, optional
        Told how much of how much is done.

    Returns
    -------
    Listing
        ``result`` is the ``Bench``.

    Examples
    --------
    ::

        %mlbench model --example images[:1] --batch 1,8,32
    """
    from cvtrack_magics.release.latency import Absent, bench, figure, runners_of
    from cvtrack_magics.store.evidence import evidence_tags

    with tempfile.TemporaryDirectory(prefix="cvtrack-") as temporary:
        model, network, (onnx, exported) = _measured(target, run, Path(temporary), trust)
        kinds = tuple(
            runners or (("eager", "torchscript", "compile", "onnx") if model else ("onnx",))
        )
        if "onnx" in kinds and onnx is None and runners is None:
            kinds = tuple(kind for kind in kinds if kind != "onnx")
        ways = runners_of(model, example, kinds=kinds, onnx_path=onnx, threads=threads)
        if onnx is not None and not _is_same(network, exported):
            ways |= {"onnx": Absent(_OTHER_EXPORT)} if "onnx" in ways else {}
        found = bench(ways, batches=batches, seconds=seconds, progress=_told(progress))
    picture = figure(found)
    ran = {row.runner for row in found.rows}
    networks = {name: exported if name == "onnx" else network for name in kinds if name in ran}
    files: list[Record] = [
        Artifact(LATENCY, written(replace(found.file(), networks=networks))),
        Artifact(LATENCY_CHART, picture),
    ]
    files += evidence_tags(get_session().masking().records(files))
    return listing_of(found, record(run, found.metrics(), files), {"latency": picture})


def _measured(
    target: Any, run: str, folder: Path, trust: bool
) -> tuple[Any, Network, tuple[Path | None, Network]]:
    """Return the model, which it is, and the ONNX file to be measured, and whose it is."""
    from cvtrack_magics.release.weights import network_of

    if not isinstance(target, (str, Path)):
        if not callable(target):
            raise UsageProblem(f"A {type(target).__name__} is no model that could be run.")
        return target, network_of(target), _export_in(run, folder)
    if str(target).endswith(".onnx"):
        path = Path(target).expanduser()
        if not path.is_file():
            raise UsageProblem(f"There is no file {str(target)!r}.")
        return None, Network(), (path, _network_in(path, _export_in(run, folder)))
    from cvtrack_magics.commands.mlload import fetched

    found = references.find(str(target))
    stored = get_session().tracking.run_of(found.run_id)
    opened = fetched(found, "model", folder, trust=trust)
    model = None if opened is None else opened.network
    return model, network_of(model, found.version), _onnx_of(stored, folder)


def _is_same(network: Network, exported: Network) -> bool:
    """Whether an export may be of a network; of what is not known, it may."""
    from cvtrack_magics.release.graph import differ

    weights = {network.weights_sha256, exported.weights_sha256} - {""}
    return len(weights) < 2 and not differ(network.graph, exported.graph)


def _export_in(run: str, folder: Path) -> tuple[Path | None, Network]:
    """Return the verified export of the run that is recorded in, and of which network it is."""
    target = target_of(run)
    stored = target.in_store() if target is not None else None
    try:
        return (None, Network()) if stored is None else _onnx_of(stored, folder)
    except StoreUnavailable:
        return None, Network()


def _onnx_of(run: OpenRun, folder: Path) -> tuple[Path | None, Network]:
    from cvtrack_magics.commands.mlload import check_export

    tracking = get_session().tracking
    if ONNX_MODEL not in tracking.files(run, "onnx"):
        return None, Network()
    path = tracking.download(run, "onnx", folder)
    check_export(run, path)
    proof = _proof_in(path)
    return path / "model.onnx", Network(proof.weights_sha256, proof.graph)


def _network_in(file: Path, export: tuple[Path | None, Network]) -> Network:
    """Return of which network a file is, where it is the run's export, before or after kept."""
    path, network = export
    if path is None:
        return Network()
    digest = sha256_file(os.fspath(file)).sha256
    known = {sha256_file(os.fspath(path)).sha256, *(f.sha256 for f in _proof_in(path.parent).files)}
    return network if digest in known else Network()


def _proof_in(folder: Path) -> Evidence:
    """Return the proof beside an export; an empty one where it cannot be read."""
    path = folder / Path(evidence_path("onnx")).name
    with suppress(OSError, UnreadableArtifact):
        return read(Evidence, path.name, path.read_text("utf-8", "replace"))
    return Evidence()


def _told(progress: Callable[[int, int], None] | None) -> Callable[[str, float], None] | None:
    if progress is None:
        return None
    return lambda _, share: progress(round(100 * share), 100)


def listing_of(found: Bench, where: str, pictures: Mapping[str, bytes]) -> Listing:
    """Return a measurement as a table."""
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.display.text import number

    def ms(value: float | None) -> str:
        return "–" if value is None else f"{number(value, 3)} ms"

    rows = tuple(
        (
            row.runner,
            str(row.batch),
            ms(row.p50_ms),
            ms(row.p95_ms),
            ms(row.p99_ms),
            "–" if row.throughput is None else number(row.throughput, 3),
            f"{row.n:,}",
            row.note,
        )
        for row in found.rows
    )
    first = found.row(found.headline)
    said = "Nothing could be run."
    if first is not None:
        speed = number(first.throughput or 0, 3)
        said = f"{found.headline}: p50 {ms(first.p50_ms)}, {speed} images/s."
    return Listing(
        said,
        result=found,
        where=where,
        columns=COLUMNS,
        rows=rows,
        notes=found.notes,
        pictures=pictures,
    )
