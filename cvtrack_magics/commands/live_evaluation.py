"""Runs a version on data and measures it, now, as ``%mleval`` would have."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.commands.candidate_loader import evaluations_of
from cvtrack_magics.commands.mleval import data_digest, records_of
from cvtrack_magics.commands.mlload import fetched
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.run.model_reference import Found


@dataclass(frozen=True)
class Data:
    """Inputs as the recorded model takes them, and the truth as ``Predictions.of`` does.

    Parameters
    ----------
    pair : (inputs, truth)
        What is measured on.
    task : str
        One of the six; otherwise that of the run.
    trust : bool
        Whether code that came with the models may run.
    """

    pair: Any
    task: str = ""
    trust: bool = False


def measured_on(candidate: Candidate, data: Data, prefix: str) -> Candidate:
    """Return a candidate with an evaluation made now, in place of what its run says.

    Parameters
    ----------
    candidate : Candidate
        A version; its recorded model is run.
    data : Data
        What it is run and measured on.
    prefix : str
        Which of its evaluations this stands for.
    """
    from cvtrack_magics.tasks.evaluate import measure
    from cvtrack_magics.tasks.predictions import Predictions

    pair = data.pair
    if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
        raise UsageProblem("--data is a pair: (inputs, truth).")
    recorded = candidate.evaluations.get(prefix)
    known = recorded.measured.task if recorded else ""
    task = data.task or known or candidate.tags.get("task", "")
    if not task:
        raise UsageProblem("It is not known which task --data is for.", "--task says so.")
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        own = Found(candidate.run_id, candidate.version)
        model = fetched(own, "model", Path(folder), trust=data.trust)
        if model is None:
            raise UsageProblem(f"{candidate.label} has no recorded model to be run.", "%mlmodel.")
        output = model.predict(pair[0])
    made = Predictions.of((pair[0], pair[1], output), task)
    found = measure(made)
    files = records_of(found, made, {}, prefix, data_digest(made))
    texts = {file.path: str(file.content) for file in files if isinstance(file, Artifact)}
    start = f"{prefix}/"
    return dataclasses.replace(
        candidate,
        evaluations={**candidate.evaluations, **dict(evaluations_of(texts))},
        metrics={k: v for k, v in candidate.metrics.items() if not k.startswith(start)},
    )
