"""Are networks of other libraries kept and exported right? Writes ``FOREIGN.md``.

Type ``python -m benchmarks.foreign``, or name some of them. Each network is registered by
``mlmodel()`` and exported to ONNX in a process of its own; another process, which imports neither
its library nor this package, opens both, and its answers are compared with the network's.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).with_name("FOREIGN.md")
NEAR = 1e-3
"""How far an answer may be off, relative to the largest of its output."""
_LIMIT = 600  # seconds for one network
_ROWS = (1, 3, 4)
_FRESH = """
import sys, warnings
import numpy as np
warnings.simplefilter("ignore")
def flat(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [part for one in value for part in flat(one)]
    return [np.asarray(value)]
import mlflow, onnxruntime
mlflow.set_tracking_uri(sys.argv[1])
inputs = np.load("inputs.npz")
kept = mlflow.pyfunc.load_model("models:/foreign/1") if sys.argv[2] == "kept" else None
file = onnxruntime.InferenceSession(sys.argv[3]) if sys.argv[3] else None
for name in inputs.files:
    if kept is not None:
        np.savez(f"kept-{name}.npz", *flat(kept.predict(inputs[name])))
    if file is not None:
        np.savez(f"file-{name}.npz", *file.run(None, {file.get_inputs()[0].name: inputs[name]}))
own = {"cvtrack_magics", "timm", "transformers", "segmentation_models_pytorch", "ultralytics"}
assert not own & {name.split(".")[0] for name in sys.modules}
"""


def main() -> None:
    """Keep, export and open all of them, and write the table."""
    from benchmarks.foreign_networks import NETWORKS

    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(_one(sys.argv[2])))
        return
    rows = []
    for name in sys.argv[1:] or NETWORKS:
        rows.append(_in_process(name))
        print(rows[-1], flush=True)
        if not sys.argv[1:]:
            RESULTS.write_text(_page(rows), encoding="utf-8")
    if any(row[part] != "the same" for row in rows for part in ("kept", "file")):
        raise SystemExit(1)


def _in_process(name: str) -> dict[str, Any]:
    """Return what :func:`_one` prints in a new process."""
    began = time.monotonic()
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.foreign", "--one", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=True)
        row = dict(json.loads(done.stdout.strip().splitlines()[-1]))
    except subprocess.TimeoutExpired:
        row = {"kept": f"stopped after {_LIMIT} s", "file": ""}
    except subprocess.CalledProcessError as error:
        row = {"kept": error.stderr.strip().splitlines()[-1][:200], "file": ""}
    return {"name": name, **row, "seconds": time.monotonic() - began}


def _one(name: str) -> dict[str, Any]:
    """Keep and export one network, and compare what a fresh process answers."""
    import torch

    from benchmarks.foreign_networks import NETWORKS, SIDE
    from tests.release.export.models import awake

    torch.manual_seed(0)
    library, make = NETWORKS[name]
    model = awake(make(), lambda each: each(torch.rand(8, 3, SIDE, SIDE)))
    batches = {str(rows): torch.rand(rows, 3, SIDE, SIDE) for rows in _ROWS}
    with torch.no_grad():
        wanted = {rows: _flat(model(batch)) for rows, batch in batches.items()}
    row: dict[str, Any] = {"library": library}
    here = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="cvtrack-foreign-") as folder:
        os.chdir(folder)
        np.savez("inputs.npz", **{rows: batch.numpy() for rows, batch in batches.items()})
        row["kept"], row["way"] = _registered(model, batches["3"], folder)
        row["file"], path, row["exporter"] = _exported(model, batches["1"], folder)
        _answers_of_another_process(folder, "kept" if not row["kept"] else "", path)
        for part in ("kept", "file"):
            if not row[part]:
                row[part], row[f"{part}_away"] = _compared(part, wanted)
        os.chdir(here)
    return row


def _registered(model: Any, example: Any, folder: str) -> tuple[str, str]:
    """Register a network; return why not, and which graph is kept."""
    from cvtrack_magics import mlmodel, mlrun

    os.environ |= {"MLFLOW_TRACKING_URI": _store(folder), "XDG_STATE_HOME": f"{folder}/state"}
    try:
        with mlrun("kept", plot=False, code=False):
            made = mlmodel(model, example, register="foreign").result
    except Exception as error:
        return f"refused: {' '.join(str(error).split())[:200]}", ""
    return "", str(getattr(made, "graph", "") or "")


def _exported(model: Any, example: Any, folder: str) -> tuple[str, str, str]:
    """Export a network; return why not, the file, and who made it."""
    from cvtrack_magics.errors import ExportRefused
    from cvtrack_magics.release.export import export

    try:
        made = export(model, example, Path(folder) / "exported")
    except ExportRefused as error:
        return f"refused ({error.report.stage}): {error.report.problem[:200]}", "", ""
    return "", str(made.path), made.exporter


def _answers_of_another_process(folder: str, kept: str, path: str) -> None:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-c", _FRESH, _store(folder), kept, path],
        check=True, env=env, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _store(folder: str) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def _flat(value: Any) -> list[Any]:
    """Return the tensors in an answer, as arrays."""
    import torch
    from torch.utils._pytree import tree_leaves

    value = dict(value) if isinstance(value, dict) else value
    return [one.numpy() for one in tree_leaves(value) if isinstance(one, torch.Tensor)]


def _compared(part: str, wanted: dict[str, list[Any]]) -> tuple[str, float]:
    """Return what is to be said of the answers, and the largest relative difference."""
    worst = 0.0
    for rows, mine in wanted.items():
        with np.load(f"{part}-{rows}.npz") as file:
            found = [file[name] for name in file.files]
        if [one.shape for one in found] != [one.shape for one in mine]:
            return f"other outputs: {[one.shape for one in found]}"[:200], float("inf")
        for one, other in zip(mine, found, strict=True):
            off = float(np.abs(one.astype(float) - other).max(initial=0))
            worst = max(worst, off / max(float(np.abs(one).max(initial=0)), 1e-12))
    return ("the same" if worst <= NEAR else "differs"), worst


def _page(rows: list[dict[str, Any]]) -> str:
    from importlib.metadata import version

    packages = (
        "torch", "timm", "transformers", "segmentation-models-pytorch", "ultralytics", "mlflow",
        "onnxruntime",
    )  # fmt: skip
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    kept = sum(row["kept"] == "the same" for row in rows)
    files = sum(row["file"] == "the same" for row in rows)
    lines = [
        "# Networks of other libraries",
        "",
        f"`python -m benchmarks.foreign`, Python {platform.python_version()}, {versions}; "
        f"{os.cpu_count()} cores, {sum(row['seconds'] for row in rows) / 60:.0f} minutes.",
        "",
        "Random weights. `%mlmodel --register` keeps each network, the proof of `%mlexport` holds "
        "for its ONNX file, and a process that imports neither its library nor this package opens "
        f"the version by MLflow and the file by onnxruntime. Batches of {_ROWS[0]}, {_ROWS[1]} and "
        f"{_ROWS[2]}; *away* is the largest difference from the network's own answer, relative to "
        "the largest number of the output.",
        "",
        f"Of {len(rows)}, {kept} kept and {files} exported with the network's own answers.",
        "",
        "| architecture | library | the version, by MLflow | away | ONNX, by onnxruntime | away "
        "| exporter |",
        "|---|---|---|--:|---|--:|---|",
    ]
    for row in rows:
        away = [f"{row[f'{p}_away']:.1e}" if f"{p}_away" in row else "" for p in ("kept", "file")]
        cells = (
            row["name"], row.get("library", ""), row["kept"], away[0], row["file"], away[1],
            row.get("exporter", ""),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
