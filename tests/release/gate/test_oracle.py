"""Random rules of random runs, beside a judge that was written in another way."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.facts import Candidate, Point
from cvtrack_magics.release.gate import judge, parse_gate, parse_rule
from cvtrack_magics.release.gate.rules import Rule
from tests.release.gate.make import START, evaluation

NAMES = ["val/mAP50", "val/AP50/car", "val/AP50/bus", "p95_latency_ms", "train/loss", "a b"]
VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 0.5, 0.85, 1.0, float("nan"), float("inf")]),
)
POINTS = st.tuples(VALUES, st.sampled_from([START - 1, START, START + 1, START + 10**6]))
LIMITS = st.one_of(
    st.sampled_from(["0", "0.5", "0.85", "1", "-1", "1e-3", "+5E1", ".25"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
DEMANDS = st.tuples(
    st.sampled_from(["", "min", "max"]), st.sampled_from(NAMES),
    st.sampled_from([">=", "<=", ">", "<", "==", "!="]), LIMITS,
)  # fmt: skip


def holds(value: float, sign: str, limit: float) -> bool:
    order = (value > limit) - (value < limit)
    return order in {">=": (0, 1), "<=": (0, -1), ">": (1,), "<": (-1,), "==": (0,)}.get(
        sign, (1, -1)
    )


def believed(points: dict[str, Any], measured: dict[str, Any], name: str) -> float | None:
    value, at = points.get(name, (math.nan, START))
    if at < START or value != value or abs(value) == math.inf:
        return None
    if name in measured and measured[name] != value:
        return None
    return float(value)


def oracle(
    points: dict[str, Any], measured: dict[str, Any], status: str, demand: tuple[str, ...]
) -> bool:
    over, name, sign, limit = demand
    if status != "FINISHED":
        return False
    if not over:
        value = believed(points, measured, name)
        return value is not None and holds(value, sign, float(limit))
    everything = [key for key in {*points, *measured} if key.startswith("val/AP50/")]
    values = [believed(points, measured, key) for key in everything]
    if not values or None in values:
        return False
    chosen = sorted(values)[0 if over == "min" else -1]  # type: ignore[type-var]
    return holds(chosen, sign, float(limit))  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None)
@given(
    points=st.dictionaries(st.sampled_from(NAMES), POINTS),
    overwritten=st.sets(st.sampled_from(NAMES[:3])),
    status=st.sampled_from(["FINISHED"] * 4 + ["FAILED", "RUNNING"]),
    demands=st.lists(DEMANDS, min_size=1, max_size=5),
    space=st.sampled_from(["", " ", "  "]),
)
@example(
    points={"val/mAP50": (0.85, START)}, overwritten=set(), status="FINISHED",
    demands=[("", "val/mAP50", ">=", "0.85")], space="",
)  # fmt: skip
def test_every_verdict_is_the_oracles(
    points: Any, overwritten: Any, status: str, demands: Any, space: str
) -> None:
    measured = {
        name: (None if name in overwritten else points[name][0])
        for name in NAMES[:3]
        if name in points
    }
    inner = {name.removeprefix("val/"): value for name, value in measured.items()}
    candidate = Candidate(
        "r" * 32, "r", "e", status, START, START + 1,
        metrics={name: Point(value, 0, at) for name, (value, at) in points.items()},
        evaluations={"val": evaluation(metrics=inner)},
    )  # fmt: skip
    texts = [
        (f"{over}(val/AP50/*)" if over else name) + space + sign + space + limit
        for over, name, sign, limit in demands
    ]
    verdict = judge(candidate, [parse_rule(text) for text in texts])
    expected = [oracle(points, measured, status, demand) for demand in demands]
    rows = verdict.rows if status == "FINISHED" else verdict.rows[1:]
    assert [row.passed for row in rows] == expected
    assert all(bool(row.why) != row.passed for row in rows)
    assert verdict.passed == all(expected)


def tried(function: Any, text: str) -> Any:
    """Return what a function makes of a text, or the problem it has with it."""
    try:
        return function(text)
    except UsageProblem as problem:
        return problem


WORDS = st.text(max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
@example("tag(a)==''''")
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    made = tried(parse_rule, text)
    if isinstance(made, Rule):
        assert parse_rule(made.text) == made
    else:
        assert "\n" not in str(made)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["==", "!=", "in"]), st.lists(WORDS, min_size=1, max_size=3))
def test_a_value_with_anything_in_it_reads_back(sign: str, values: list[str]) -> None:
    values = [value for value in values if value] or ["x"]
    rule = Rule("tag", "t", sign, tuple(values if sign == "in" else values[:1]))
    assert parse_rule(rule.text) == rule


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("aelmdoruqi: \n-[]{}'\"&*!|>#,\t\x00ä"), max_size=80))
def test_no_file_does_anything_but_be_read_or_be_refused(text: str) -> None:
    made = tried(parse_gate, text)
    if isinstance(made, UsageProblem):
        assert "gate.yaml" in str(made)
        assert "\n" not in str(made)
