"""The sections of a card that hold figures: evaluations, other metrics, latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.evaluation import Interval, Measured
from cvtrack_magics.artifacts.latency import Latency
from cvtrack_magics.artifacts.paths import LATENCY
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.release.card.escape import NOTHING, code, number, one_line, table, text
from cvtrack_magics.release.card.readers import LATENCY_METRICS, finite, mapping
from cvtrack_magics.release.facts import Candidate, EvaluationFacts
from cvtrack_magics.release.timings import other_networks

_WORST = 5
_MANY = 25
_CLASS_SCORES = ("f1", "AP50", "IoU")
_NOT_THE_MODEL = ("resources/", "system/", "latency/")


def performance(candidate: Candidate) -> str:
    """Return a table for each evaluation, headline first, and for what else was logged."""
    parts = [_evaluation(candidate.evaluations[key]) for key in sorted(candidate.evaluations)]
    return "\n\n".join(part for part in [*parts, _others(candidate)] if part)


def _evaluation(found: EvaluationFacts) -> str:
    measured = found.measured
    metrics = measured.metrics
    names = sorted((n for n in metrics if "/" not in n), key=lambda n: n != found.headline)
    interval = measured.interval
    rows = [
        (code(name), number(metrics[name]), _interval(interval) if name == found.headline else "")
        for name in names[:_MANY]
    ]
    lines = [
        f"### On {code(found.prefix)} data",
        text(found.problem) if found.problem else _measured_on(found),
    ]
    lines += [table(("Metric", "Value", "Interval"), rows), _worst(measured)]
    lines += [f"Note: {text(note)}" for note in measured.notes[:5]]
    return "\n\n".join(line for line in lines if line)


def _measured_on(found: EvaluationFacts) -> str:
    digest = f", SHA-256 {code(found.data_sha256)}" if found.data_sha256 else ""
    return f"{number(found.measured.samples)} samples{digest}."


def _interval(interval: Interval | None) -> str:
    if interval is None or finite(interval.low) is None:
        return ""
    level = finite(interval.level)
    share = f"{number(100 * level)} %: " if level is not None else ""
    return f"{share}{number(interval.low)} to {number(interval.high)}"


def _worst(measured: Measured) -> str:
    """Return the classes with the lowest score; a class without one is not compared."""
    columns, classes = measured.per_class, measured.classes
    score = next((name for name in (*_CLASS_SCORES, *columns) if name in columns), "")
    if not score or not classes:
        return ""
    scored = [(finite(value), at) for at, value in enumerate(columns[score][: len(classes)])]
    order = sorted((value, at) for value, at in scored if value is not None)
    heads = ("Class", *(code(name) for name in columns))
    rows = [
        (text(classes[at], 80), *(_at(values, at) for values in columns.values()))
        for _, at in order[:_WORST]
    ]
    if not rows:
        return ""
    said = f"The {len(rows)} worst of {len(classes)} classes by {code(score)}:"
    return f"{said}\n\n{table(heads, rows)}"


def _at(values: Sequence[Any], place: int) -> str:
    return number(values[place]) if place < len(values) else NOTHING


def _others(candidate: Candidate) -> str:
    """Return the last values of what no evaluation and no measurement of latency says."""
    measured = tuple(f"{prefix}/" for prefix in candidate.evaluations)
    names = [
        name
        for name in sorted(candidate.metrics, key=lambda name: (not name.startswith("best_"), name))
        if not name.startswith((*measured, *_NOT_THE_MODEL)) and name not in LATENCY_METRICS
    ]
    rows = [
        (code(name), number(candidate.metrics[name].value), str(candidate.metrics[name].step))
        for name in names[:_MANY]
    ]
    if not rows:
        return ""
    more = f"\n\n{len(names) - _MANY} more are in the run." if len(names) > _MANY else ""
    return f"### As logged\n\n{table(('Metric', 'Last value', 'Step'), rows)}{more}"


def latency(candidate: Candidate) -> str:
    """Return what was timed, and on which machine."""
    try:
        found = read_from(candidate.texts, Latency, LATENCY) or Latency()
    except UnreadableArtifact as error:
        return text(error.problem)
    rows = [
        (
            code(row.runner),
            number(row.batch),
            *(number(finite(value)) for value in (row.p50_ms, row.p95_ms, row.p99_ms)),
            number(finite(row.throughput)),
        )
        for row in found.rows
    ]
    heads: Sequence[str] = ("Runner", "Batch", "p50 ms", "p95 ms", "p99 ms", "Images per second")
    if not rows:
        known = [name for name in LATENCY_METRICS if name in candidate.metrics]
        heads = ("Figure", "Value")
        rows = [(code(name), number(candidate.metrics[name].value)) for name in known]
    if not rows:
        return ""
    others = other_networks(candidate)
    notes = [f"{code(name)} was measured {text(why)}." for name, why in sorted(others.items())]
    said = [f"On {_machine(candidate, found.settings)}.", table(heads, rows[:_MANY]), *notes]
    return "\n\n".join(said)


def _machine(candidate: Candidate, settings: Mapping[str, Any]) -> str:
    runners = map(mapping, mapping(settings.get("runners")).values())
    devices = dict.fromkeys(
        one_line(each["device_name"]) for each in runners if "device_name" in each
    )
    said = ", ".join(devices) or settings.get("cpu")
    said = said or candidate.tags.get("hardware") or candidate.params.get("gpu_model")
    return text(said) if said else "hardware that is not recorded"
