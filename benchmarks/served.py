"""Is the served answer the measured prediction? Writes ``SERVED.md``.

Type ``python -m benchmarks.served``. Each network is measured by a loop of plain PyTorch, kept
and registered by ``mlmodel()``, and served by MLflow in a process that knows nothing of this
package; what that process answers is compared with what the loop found, sample by sample.
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

RESULTS = Path(__file__).with_name("SERVED.md")
FLOAT = 1e-4
"""How far numbers may be apart, relative to the largest of their output."""
PIXELS = 1e-2
"""How far corners may be apart, in pixels."""
_SERVE = """
import base64, io, json, sys, warnings
import numpy as np, pandas
from PIL import Image
warnings.simplefilter("ignore")
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
def text(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
raw = pandas.DataFrame({"image": [text(picture) for picture in np.load("pictures.npy")]})
plain = lambda v: v.tolist() if hasattr(v, "tolist") else v
for version in sys.argv[2:]:
    answer = mlflow.pyfunc.load_model(f"models:/served/{version}").predict(raw)
    if isinstance(answer, dict):
        answer = {key: plain(value) for key, value in answer.items()}
    elif isinstance(answer, list):
        answer = [{k: plain(v) for k, v in one.items()} for one in answer]
    else:
        answer = {"": plain(answer)}
    with open(f"{version}.json", "w") as file:
        json.dump(answer, file)
assert not [name for name in sys.modules if name.split(".")[0] == "cvtrack_magics"]
"""


def main() -> None:
    """Measure, register and serve all of them, and write the table."""
    with tempfile.TemporaryDirectory(prefix="cvtrack-served-") as folder:
        rows = _rows(Path(folder), sys.argv[1:])
    if not sys.argv[1:]:
        RESULTS.write_text(_page(rows), encoding="utf-8")
    print(_page(rows))
    if any(row["outcome"] != "the same" for row in rows):
        raise SystemExit(1)


def _rows(folder: Path, only: list[str]) -> list[dict[str, Any]]:
    """Return what came of each network, or of those that are named."""
    from benchmarks.served_networks import NETWORKS, pictures

    store = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ |= {"MLFLOW_TRACKING_URI": store, "XDG_STATE_HOME": str(folder / "state")}
    os.chdir(folder)
    np.save("pictures.npy", pictures())
    rows = [_kept(name) for name in NETWORKS if name in (only or NETWORKS)]
    versions = [row["version"] for row in rows if "version" in row]
    subprocess.run(
        [sys.executable, "-c", _SERVE, store, *versions],
        check=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    return [_judged(row) if "version" in row else row for row in rows]


def _kept(name: str) -> dict[str, Any]:
    """Measure a network and register it."""
    import torch

    from benchmarks.served_networks import NETWORKS, pictures

    started, row = time.monotonic(), {"name": name}
    torch.manual_seed(0)
    try:
        made = NETWORKS[name]()
        row |= {"task": made.task, "post": str(made.options.get("post", ""))}
        row |= {"measured": made.measured, **_registered(made, pictures())}
    except Exception as error:
        row["outcome"] = f"not registered: {str(error)[:300]}"
    print(name, row.get("outcome", "registered"), flush=True)
    return row | {"seconds": time.monotonic() - started}


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    """Compare what a process of MLflow's answered with what was measured."""
    worst, differing = compare(
        row["measured"], json.loads(Path(f"{row['version']}.json").read_text())
    )
    said = "the same" if row["proof"] else "not compared by mlmodel"
    outcome = f"{differing} samples differ" if differing else said
    return row | {"worst": worst, "differing": differing, "outcome": outcome}


def _registered(made: Any, raw: Any) -> dict[str, str]:
    """Measure and register a network in a run; return its version, and how it was proved."""
    import mlflow

    from cvtrack_magics import mleval, mlmodel, mlrun

    with mlrun("measured", plot=False, code=False):
        mleval(made.predictions, prefix="test", figures=False, resamples=0)
        version = mlmodel(made.model, raw[:2], register="served", **made.options).result.version
    tags = mlflow.MlflowClient().get_model_version("served", version).tags
    return {"version": version, "proof": tags.get("cvtrack.proved", "")}


def compare(measured: Any, answer: Any) -> tuple[float, int]:
    """Return the largest difference, and how many samples are not as they were measured."""
    if isinstance(measured, dict):
        found = [_alike(measured[key], np.asarray(answer[key])) for key in measured]
        away = np.maximum.reduce(found)
        return float(away.max()), int((away > FLOAT).sum())
    found = [_boxes(mine, theirs) for mine, theirs in zip(measured, answer, strict=True)]
    finite = [away for away in found if np.isfinite(away)]
    return max(finite, default=0.0), sum(away > PIXELS for away in found)


def _alike(mine: Any, theirs: Any) -> Any:
    """Return how far each sample is off, relative to the largest number; whole ones: not equal."""
    if mine.shape != theirs.shape:
        return np.full(len(mine), np.inf)
    axes = tuple(range(1, mine.ndim))
    if mine.dtype.kind in "iu":
        return (mine != theirs).mean(axes) if axes else (mine != theirs).astype(float)
    away = np.abs(mine - theirs)
    return (away.max(axes) if axes else away) / max(float(np.abs(mine).max()), 1e-12)


def _boxes(mine: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Return how far a picture's boxes are off in pixels; infinity where the sets differ."""
    count = len(mine["scores"])
    if count != len(theirs["scores"]):
        return float("inf")
    if not count:
        return 0.0
    order = np.argsort(-np.asarray(mine["scores"]), kind="stable")
    other = np.argsort(-np.asarray(theirs["scores"]), kind="stable")
    labels = [str(theirs["labels"][at]) for at in other]
    wanted = [int(mine["labels"][at]) for at in order]
    if not (_named(wanted, labels, 0) or _named(wanted, labels, 1)):
        return float("inf")
    corners = np.asarray(mine["boxes"])[order] - np.asarray(theirs["boxes"])[other]
    scores = np.asarray(mine["scores"])[order] - np.asarray(theirs["scores"])[other]
    return float(np.abs(corners).max() + np.abs(scores).max() * 100)


def _named(wanted: list[int], labels: list[str], first: int) -> bool:
    from benchmarks.served_networks import NAMES

    names = ["background", *NAMES] if first else NAMES
    return [names[at] if at < len(names) else "?" for at in wanted] == labels


def _page(rows: list[dict[str, Any]]) -> str:
    from importlib.metadata import version

    packages = ("torch", "torchvision", "mlflow")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    same = sum(row["outcome"] == "the same" for row in rows)
    tasks = len({row.get("task") for row in rows if row.get("task")})
    lines = [
        "# Served as measured",
        "",
        f"`python -m benchmarks.served`, Python {platform.python_version()}, {versions}; "
        f"{os.cpu_count()} cores.",
        "",
        "A loop of plain PyTorch measures a network with random weights on eight pictures, "
        "`%mleval` records that, `%mlmodel --register` keeps and compares it, and MLflow serves "
        "the version from the raw pictures in a process that knows nothing of this package. "
        "*away* is the largest difference of that process's answer from the loop's: relative for "
        "numbers, in pixels for boxes, the share of pixels for masks.",
        "",
        f"{len(rows)} networks of {tasks} tasks, {len(rows) - same} differing.",
        "",
        "| network | task | behind it | away | samples that differ | outcome |",
        "|---|---|---|--:|--:|---|",
    ]
    for row in rows:
        away = f"{row['worst']:.1e}" if "worst" in row else ""
        cells = (
            row["name"], row.get("task", ""), f"`{row['post']}`" if row.get("post") else "",
            away, str(row.get("differing", "")), row["outcome"],
        )  # fmt: skip
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
