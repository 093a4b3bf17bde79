"""Says in what a guest's run with our line on top differs from what it must be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow

from tests.guests.guest import Guest
from tests.guests.trials import ENDINGS, EXPERIMENT, Trial

TIMED = re.compile(r"runtime|per_second|sec_per|seconds|speed", re.IGNORECASE)
"""Metrics that say how fast it was, which no two runs agree on."""
OURS = re.compile(r"^(system/|resources/|best_val_|best_epoch|total_train_time_hrs)")
Points = list[tuple[int, float]]


@dataclass
class Recorded:
    """One run of a store."""

    run_id: str
    name: str
    status: str
    parent: str
    experiment: str
    params: dict[str, str]
    curves: dict[str, Points] = field(default_factory=dict)


def recorded_in(folder: Path) -> list[Recorded]:
    """Return all runs of a trial's store, the first one first."""
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    names = {one.experiment_id: one.name for one in client.search_experiments()}
    found = client.search_runs(list(names), order_by=["attributes.start_time ASC"])
    runs = []
    for run in found:
        one = Recorded(
            run.info.run_id,
            run.info.run_name,
            run.info.status,
            run.data.tags.get("mlflow.parentRunId", ""),
            names[run.info.experiment_id],
            dict(run.data.params),
        )
        for key in run.data.metrics:
            points = client.get_metric_history(run.info.run_id, key)
            one.curves[key] = sorted((point.step, point.value) for point in points)
        runs.append(one)
    return runs


def problems(
    guest: Guest, plain: Trial, ours: Trial, before: list[Recorded], after: list[Recorded]
) -> Iterator[str]:
    """Yield what is wrong, a line each; nothing where all is as it must be."""
    if plain.curves and not _same_curves(plain.curves, ours.curves, None):
        yield f"the library's own numbers differ: {_difference(plain.curves, ours.curves, None)}"
    yield from _runs(guest, after)
    run = next((one for one in after if one.name == "train"), None)
    if run is None:
        return
    yield from _numbers(guest, ours, run)
    yield from _beside(before, after)
    yield from _state(plain, ours)
    for name, word in (("fails", "RuntimeError"), ("stops", guest.stops_as)):
        shown = [error["ename"] for error in ours.said[name].errors]
        if shown != [word]:
            yield f"{name}: the errors shown are {shown}, not {word} once"


def _runs(guest: Guest, after: list[Recorded]) -> Iterator[str]:
    roots = [one for one in after if not one.parent]
    if sorted(one.name for one in roots) != sorted(ENDINGS):
        said = [(one.name, one.experiment, one.status) for one in roots]
        yield f"runs: {said}"
    for one in after:
        if one.experiment != EXPERIMENT:
            yield f"run {one.name!r} is in experiment {one.experiment!r}"
    for name, status in ENDINGS.items():
        run = next((one for one in roots if one.name == name), None)
        if run is not None and run.status != status:
            yield f"run {name!r} is {run.status}, not {status}"
        children = [one for one in after if run is not None and one.parent == run.run_id]
        if name == "train" and len(children) != guest.children:
            yield f"run {name!r} has {len(children)} children, not {guest.children}"
        if any(one.status in ("RUNNING", "SCHEDULED") for one in children):
            yield f"run {name!r} has children that are still running"


def _numbers(guest: Guest, ours: Trial, run: Recorded) -> Iterator[str]:
    if not _has(run.curves, ours.curves, guest.digits):
        yield f"metrics: {_difference(ours.curves, run.curves, guest.digits)}"
    mine = {name for name in run.curves if not OURS.match(name)}
    known = set(ours.curves)
    if guest.by != "MLflow" and mine - known:
        yield f"metrics that nobody asked for: {sorted(mine - known)}"
    for key, value in ours.params.items():
        if run.params.get(key) != value:
            yield f"param {key} is {run.params.get(key)!r}, not {value!r}"


def _beside(before: list[Recorded], after: list[Recorded]) -> Iterator[str]:
    """Compare the runs that the library made alone with those that it made in ours."""
    train = next(one for one in after if one.name == "train")
    children = {one.name: one for one in after if one.parent == train.run_id}
    for one in before:
        yield from _contains(children.get(one.name, train), one)


def _contains(run: Recorded, other: Recorded) -> Iterator[str]:
    timeless = {name: points for name, points in other.curves.items() if not TIMED.search(name)}
    if not _has(run.curves, timeless, None):
        yield f"metrics beside it alone: {_difference(timeless, run.curves, None)}"
    for key, value in other.params.items():
        if key not in run.params:
            yield f"param {key} is missing"
        elif run.params[key] != value and not _is_place(value):
            yield f"param {key} is {run.params[key]!r}, alone {value!r}"


def _is_place(value: str) -> bool:
    """Whether a param names a folder of this trial, a moment or an object's place in memory."""
    return bool(re.search(r"/|0x[0-9a-f]+|\d{4}-\d\d-\d\d", value))


def _state(plain: Trial, ours: Trial) -> Iterator[str]:
    first = ours.states[0]
    changed_alone = _changed(plain.states[0], plain.states[1])
    for place, state in zip(ENDINGS, ours.states[1:], strict=True):
        for name, (old, new) in _changed(first, state).items():
            if name not in changed_alone or name in OF_MLFLOW:
                yield f"after {place!r}: {name} is {new!r}, was {old!r}"


OF_MLFLOW = ("uri", "experiment", "active", "autologging")
"""What must be as before, whatever the library does alone."""


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    flat_before, flat_after = _flat(before), _flat(after)
    names = {*flat_before, *flat_after}
    return {
        name: (flat_before.get(name), flat_after.get(name))
        for name in sorted(names)
        if flat_before.get(name) != flat_after.get(name)
    }


def _flat(state: Mapping[str, Any]) -> dict[str, Any]:
    named = {f"environment {key}": value for key, value in state["environment"].items()}
    return {**{key: value for key, value in state.items() if key != "environment"}, **named}


def _same_curves(a: Mapping[str, Any], b: Mapping[str, Any], digits: int | None) -> bool:
    timeless = {name for name in {*a, *b} if not TIMED.search(name)}
    return all(_same(a.get(name, []), b.get(name, []), digits) for name in timeless)


def _has(run: Mapping[str, Points], wanted: Mapping[str, Any], digits: int | None) -> bool:
    return all(
        name in run and (TIMED.search(name) or _same(run[name], points, digits))
        for name, points in wanted.items()
    )


def _same(a: Any, b: Any, digits: int | None) -> bool:
    a, b = sorted(map(tuple, a)), sorted(map(tuple, b))
    if len(a) != len(b):
        return False
    return all(
        s == t and (v == w or (v != v and w != w) or _near(v, w, digits))
        for (s, v), (t, w) in zip(a, b, strict=True)
    )


def _near(v: float, w: float, digits: int | None) -> bool:
    return digits is not None and math.isclose(v, w, rel_tol=0, abs_tol=0.51 * 10**-digits)


def _difference(a: Mapping[str, Any], b: Mapping[str, Any], digits: int | None) -> str:
    out = [
        f"{name}: {list(map(tuple, a[name]))[:4]} ({len(a[name])}), "
        + (f"not {list(map(tuple, b[name]))[:4]} ({len(b[name])})" if name in b else "missing")
        for name in a
        if not TIMED.search(name) and (name not in b or not _same(a[name], b[name], digits))
    ]
    return "; ".join(out) or "names only"
