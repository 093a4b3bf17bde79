"""Exports untrained torchvision architectures and trap models; writes ``EXPORTS.md``.

Type ``python -m benchmarks.exports``. Each model is exported in a process of its own.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("EXPORTS.md")
_LIMIT = 600  # seconds for one model
CLASSIFIERS = {
    "alexnet": 64, "resnet18": 64, "resnet50": 64, "resnext50_32x4d": 64, "densenet121": 64,
    "squeezenet1_1": 64, "googlenet": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64,
    "mobilenet_v3_large": 64, "shufflenet_v2_x1_0": 64, "mnasnet1_0": 64, "efficientnet_b0": 64,
    "regnet_y_400mf": 64, "convnext_tiny": 64, "vit_b_16": 224, "swin_t": 64,
}  # fmt: skip
SEGMENTERS = ("lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50")
DETECTORS = (
    "ssdlite320_mobilenet_v3_large",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "retinanet_resnet50_fpn",
    "fcos_resnet50_fpn",
)
OTHER_FORMATS = (
    "resnet18",
    "swin_t",
    "lraspp_mobilenet_v3_large",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
)


def main() -> None:
    """Export everything and write the table."""
    started = time.monotonic()
    jobs = [(name, "onnx") for name in (*CLASSIFIERS, *SEGMENTERS, *DETECTORS)]
    jobs += [(name, other) for other in ("torchscript", "pt2") for name in OTHER_FORMATS]
    traps = [row for kind in ("onnx", "torchscript", "pt2") for row in _in_process("traps", kind)]
    rows: list[dict[str, Any]] = []
    for name, kind in jobs:
        rows.append(_in_process(name, kind))
        print(rows[-1], flush=True)
        RESULTS.write_text(_page(rows, traps, time.monotonic() - started), encoding="utf-8")


def _in_process(name: str, kind: str) -> Any:
    """Return what :func:`one` or :func:`all_traps` prints in a new process."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.exports", name, kind],
            capture_output=True, text=True, timeout=_LIMIT, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        outcome = f"stopped after {_LIMIT} s"
    except subprocess.CalledProcessError as error:
        outcome = f"failed: {error.stderr.strip().splitlines()[-1][:200]}"
    else:
        return json.loads(done.stdout.strip().splitlines()[-1])
    return {"name": name, "format": kind, "outcome": outcome, "seconds": time.monotonic() - began}


def one(name: str, kind: Any) -> dict[str, Any]:
    """Export one architecture."""
    import torch

    from tests.release.export.models import awake

    torch.manual_seed(0)
    model, example, call = _built(name)
    return _tried(name, awake(model, call), example, kind, ("batch",))


def all_traps(kind: Any) -> list[dict[str, Any]]:
    """Export every trap."""
    from tests.release.export.traps import KEPT_BY_SCRIPT, traps

    rows = []
    for name, (model, example, dynamic) in traps().items():
        row = _tried(name, model, example, kind, dynamic)
        right = kind == "torchscript" and name in KEPT_BY_SCRIPT
        row["caught"] = (row["outcome"] == "exported") == right
        rows.append(row)
    return rows


def _tried(name: str, model: Any, example: Any, kind: Any, dynamic: Any) -> dict[str, Any]:
    from cvtrack_magics.errors import ExportRefused
    from cvtrack_magics.release.export import export

    started = time.monotonic()
    row: dict[str, Any] = {"name": name, "format": kind}
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = export(model, example, Path(folder), format=kind, dynamic=dynamic)
        except ExportRefused as error:
            layer = f" In {error.report.layer}." if error.report.layer else ""
            row["outcome"] = f"refused ({error.report.stage}): {error.report.problem}{layer}"
        else:
            figures = made.metrics()
            row |= {key.rpartition("/")[2]: value for key, value in figures.items()}
            row |= {"outcome": "exported", "exporter": made.exporter, "checks": len(made.checks)}
            row["uncompared"] = [note for note in made.notes if "trace fixed" not in note]
    return row | {"seconds": time.monotonic() - started}


def _built(name: str) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Return a model with random weights, an example, and a call with a few images."""
    import torch
    import torchvision

    if name in DETECTORS:
        side = 320 if "ssdlite" in name else 96
        sizes = {} if "ssdlite" in name else {"min_size": 96, "max_size": 128}
        few = (
            {"rpn_post_nms_top_n_test": 50, "box_detections_per_img": 30}
            if "rcnn" in name
            else {"topk_candidates": 50, "detections_per_img": 30}
        )
        images = [torch.rand(3, side, side) for _ in range(4)]
        make = getattr(torchvision.models.detection, name)
        model = make(weights=None, weights_backbone=None, num_classes=5, **sizes, **few)
        return model, images[:1], lambda model: model(images)
    if name in SEGMENTERS:
        make = getattr(torchvision.models.segmentation, name)
        model, side = make(weights=None, weights_backbone=None), 96
    else:
        extra = {"init_weights": True} if name in ("googlenet",) else {}
        model, side = getattr(torchvision.models, name)(weights=None, **extra), CLASSIFIERS[name]
    if name == "vit_b_16":
        torch.nn.init.normal_(model.heads.head.weight, std=0.05)  # zeros before training
    batch = torch.rand(8, 3, side, side)
    return model, batch[:1], lambda model: model(batch)


def _page(rows: list[dict[str, Any]], traps: list[dict[str, Any]], seconds: float) -> str:
    from importlib.metadata import version

    packages = ("torch", "torchvision", "onnx", "onnxruntime", "onnxscript")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    done = [row for row in rows if row["outcome"] == "exported"]
    caught = sum(row["caught"] for row in traps)
    lines = [
        "# Verified exports",
        "",
        f"`python -m benchmarks.exports`, Python {platform.python_version()}, {versions}; "
        f"{os.cpu_count()} cores, {seconds / 60:.0f} minutes.",
        "",
        "Random weights; batch norms fitted to random images and detectors' scores spread, so "
        "that outputs differ from input to input. Each export is compared on the example, three "
        "draws like it, six inputs unlike it and, where the batch is dynamic, batches of 1, 2 "
        "and 5. *agreement* is the lowest share of equal decisions in any case. *left out* counts "
        "cases in which rounding of the input changes the model's own answer, or in which the "
        "export raises an error for inputs unlike the example.",
        "",
        f"{len(done)} of {len(rows)} exported and right; the others end in a report.",
        "",
        "| architecture | format | exporter | max abs | max rel | agreement | checks | left out "
        "| seconds | outcome |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *map(_line, rows),
        "",
        "## Traps",
        "",
        f"{caught} of {len(traps)} end as they must: refused, or exported by an exporter that "
        "keeps what the others freeze.",
        "",
        "| model | format | ends as it must | seconds | outcome |",
        "|---|---|---|---|---|",
    ]
    for row in traps:
        ends = "yes" if row["caught"] else "**no**"
        lines.append(
            f"| {row['name']} | {row['format']} | {ends} | {row['seconds']:.1f} "
            f"| {_cell(row['outcome'])} |"
        )
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any]) -> str:
    def shown(key: str, form: str) -> str:
        return format(row[key], form) if row.get(key) is not None else ""

    left = str(len(row["uncompared"])) if "uncompared" in row else ""
    cells = (
        row["name"], row["format"], row.get("exporter", ""), shown("max_abs_diff", ".1e"),
        shown("max_rel_diff", ".1e"), shown("agreement", ".1%"), shown("checks", "d"), left,
        shown("seconds", ".0f"), _cell(row["outcome"]),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:240]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        name, kind = sys.argv[1:]
        print(json.dumps(all_traps(kind) if name == "traps" else one(name, kind)))
    else:
        main()
