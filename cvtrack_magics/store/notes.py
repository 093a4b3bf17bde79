"""What MLflow's page reads of a run and its experiment; what a person wrote there stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from cvtrack_magics.store.error_kinds import is_no

NOTE = "mlflow.note.content"
"""The description of a run, of an experiment, of a logged model."""
OURS = "cvtrack.note"
"""Digests of the descriptions that were written by us last: another one is a person's."""
PRIMARY = "mlflow.experiment.primaryMetric.name"
_HEAD = re.compile(
    r"\*\*(?:Finished|Failed|Killed)\*\*(?:: .{0,1000})?"
    r"(?: · (?:best )?`[^`\n]{1,260}` \S{1,40}(?: at step [^\n]{1,40})?)?"
)
_ROW = re.compile(
    r"- (?:dataset|stale|replayable|stopped_at_step|kept): .{1,1000}"
    r"|- code: `[0-9a-f]{7,12}`(?:, with uncommitted changes)?"
)
PRIMARY_DIRECTION = "mlflow.experiment.primaryMetric.greaterIsBetter"


def digest_of(text: str) -> str:
    """Return what a description is known again by."""
    return hashlib.sha256(text.strip().encode("utf-8", "replace")).hexdigest()[:16]


def is_a_persons(there: str, ours: str) -> bool:
    """Whether a description is not one that was written by us last."""
    return bool(there.strip()) and digest_of(there) not in ours.split()


def known_by(there: str, text: str) -> str:
    """Return what both are known again by, the one that is there and the one that comes.

    It is written first: cut off between the two, what is there is still ours.
    """
    return " ".join(dict.fromkeys(map(digest_of, filter(None, (there, text)))))


def is_in_our_form(there: str, run_id: str) -> bool:
    """Whether a description is line by line what a release wrote that kept no digest of it."""
    head, *rows = there.strip().split("\n")
    return bool(_HEAD.fullmatch(head)) and all(
        not row or _ROW.fullmatch(row) or row == f"- again: `%mlreplay {run_id}`" for row in rows
    )


def describe_run(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    """Write a run's description, unless a person did."""
    text = str(arguments["text"])
    tags = client.get_run(run_id).data.tags
    there = str(tags.get(NOTE, ""))
    ours = str(tags.get(OURS, "")) or (digest_of(there) if is_in_our_form(there, run_id) else "")
    if there == text or is_a_persons(there, ours):
        return
    client.set_tag(run_id, OURS, known_by(there, text))
    client.set_tag(run_id, NOTE, text)


def name_primary_metric(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    """Say which metric an experiment is about, where nobody has."""
    experiment = str(client.get_run(run_id).info.experiment_id)
    try:
        said = client.get_experiment(experiment).tags
        if PRIMARY not in said and PRIMARY_DIRECTION not in said:
            set_primary_metric(
                client, experiment, str(arguments["name"]), more=bool(arguments["more"])
            )
    except Exception as error:
        if not is_no(error):
            raise  # else who may write runs may not write experiments


def set_primary_metric(client: Any, experiment_id: str, name: str, *, more: bool) -> None:
    """Say which metric an experiment is about, and whether more of it is better."""
    client.set_experiment_tag(experiment_id, PRIMARY_DIRECTION, str(more))
    client.set_experiment_tag(experiment_id, PRIMARY, name)
