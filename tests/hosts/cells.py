"""The notebook that every host is given, and what is asked of it afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from tests.lab import notebook_of
from tests.store_views import runs_of

WORKS = "works"

LOAD = """%load_ext cvtrack_magics
%mlexperiment hosts
import time
from cvtrack_magics import log, track"""
PARAMETERS = "lr = 0.1"
TRAIN = """%%mlrun train
for epoch in track(range(40), "epoch"):
    log({"train/loss": 1 / (epoch + 1), "val/loss": 1.2 / (epoch + 1)})
    time.sleep(0.1)"""
GRID = """import numpy as np
from cvtrack_magics import Predictions
rng = np.random.default_rng(0)
truth = rng.integers(0, 3, 12)
logits = np.eye(3)[truth] + rng.normal(size=(12, 3))
images = rng.integers(0, 255, (12, 16, 16, 3), dtype=np.uint8)
shown = Predictions.classification(images, truth, logits=logits, ids=range(12))
%mlgrid shown"""
FAILS = "%%mlrun fails\nlog(a=1)\nraise ValueError('no such batch')"


def notebook() -> nbformat.NotebookNode:
    """Return the cells as a notebook; the last one fails."""
    made = notebook_of(LOAD, PARAMETERS, TRAIN, GRID, FAILS)
    made.cells[1].metadata["tags"] = ["parameters"]
    return made


@dataclass
class Host:
    """One row of the table."""

    name: str
    cells: dict[str, str] = field(default_factory=dict)

    def note(self, feature: str, holds: object, otherwise: str) -> None:
        """Note that a feature works, or why not."""
        self.cells[feature] = WORKS if holds else otherwise


def records(host: Host, store: str) -> Mapping[str, Any]:
    """Ask the store whether the runs are there as they were."""
    runs = runs_of(store)
    train, fails = runs.get("train"), runs.get("fails")
    points = train is not None and train.data.metrics.get("train/loss") == 1 / 40
    host.note("runs", points and train.info.status == "FINISHED", "the run is not as its cell was")
    failed = fails is not None and fails.info.status == "FAILED"
    host.note("failures", failed, "the failed run is not FAILED")
    return runs


def saved(host: Host, made: nbformat.NotebookNode) -> None:
    """Look at a saved notebook: words and pictures, and nothing that only a kernel can draw."""
    html = [
        "".join(output["data"].get("text/html", ""))
        for cell in made.cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    every = "".join(html)
    card = "FINISHED" in every and "data:image/png" in every
    host.note("saved", card, "the saved card has no words or no picture")
    views = [name for name in ("widget-view", "widget-state") if name in nbformat.writes(made)]
    if views:
        host.cells["saved"] = f"the saved notebook has {' and '.join(views)}"
    host.note("viewer", "cvtrack-grid" in every and "data:image/webp" in every, "no viewer")


def github(made: nbformat.NotebookNode) -> Host:
    """Take from a saved notebook what GitHub's page takes: scripts, styles, frames, handlers."""
    host = Host("GitHub's page of a saved notebook")
    kept = ""
    for cell in made.cells:
        for output in cell.get("outputs", ()):
            html = "".join(output.get("data", {}).get("text/html", ""))
            html = re.sub(r"(?s)<(script|style|iframe)\b.*?</\1>", "", html)
            kept += re.sub(r"""\s(style|on\w+|class)=("[^"]*"|'[^']*')""", "", html)
    host.note("runs", "FINISHED" in kept and "train" in kept, "the card's words are stripped")
    host.note("failures", "FAILED" in kept, "the card's words are stripped")
    host.note("saved", "data:image/png" in kept, "the picture is stripped")
    host.note("viewer", "data:image/webp" in kept, "the picture is stripped")
    if host.cells["viewer"] == WORKS:
        host.cells["viewer"] = "a picture: GitHub runs no scripts"
    host.cells["live"] = host.cells["buttons"] = "nothing runs there"
    return host


Lane = Callable[[Path], Host]
