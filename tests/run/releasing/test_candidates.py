"""What is read of a run's evaluations, whoever wrote them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from cvtrack_magics.commands.candidate_loader import evaluations_of


def read(facts: Any, table: Any) -> Any:
    texts = {
        "evaluation/val/metrics.json": facts if isinstance(facts, str) else json.dumps(facts),
        "evaluation/val/samples.json": table if isinstance(table, str) else json.dumps(table),
    }
    [(prefix, found)] = evaluations_of(texts)
    assert prefix == "val"
    return found


def test_a_table_is_read_by_columns() -> None:
    found = read({"replicates": [0.5, 1]}, {"columns": ["a", 1], "data": [[1, 2], [3, 4]]})
    assert found.table == {"a": [1, 3], "1": [2, 4]}
    assert found.replicates == (0.5, 1.0)


@pytest.mark.parametrize(
    "table",
    [
        "",
        "{",
        "[" * 100_000,
        [],
        "a text",
        {},
        {"columns": 3, "data": [[1]]},
        {"columns": "ab", "data": [[1, 2]]},
        {"columns": ["a"], "data": 3},
        {"columns": ["a"], "data": {"a": [1]}},
        {"columns": ["a"], "data": [1, 2]},
        {"columns": ["a"], "data": ["xy"]},
        {"columns": ["a", "b"], "data": [[1, 2], [3]]},
        {"columns": ["a"]},
        {"data": [[1]]},
        {"columns": None, "data": None},
    ],
)
def test_what_is_no_table_is_absent(table: object) -> None:
    assert read({}, table).table == {}


@pytest.mark.parametrize(
    "facts",
    ["", "{", "[" * 100_000, [], "x", {"replicates": 3}, {"replicates": "ab"}, {"replicates": {}}],
)
def test_facts_that_are_none_have_no_replicates(facts: object) -> None:
    assert read(facts, {}).replicates == ()


def test_a_replicate_without_a_value_is_nan() -> None:
    found = read({"replicates": [None, 0.5, 1]}, {})
    assert [math.isnan(value) for value in found.replicates] == [True, False, False]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"replicates": [0.5, "1"]}, "metrics.json: replicates[1]: expected float"),
        ({"replicates": [10**400]}, "metrics.json"),
        ({"interval": {"metric": "top1", "low": "0.1"}}, "interval.low: expected float"),
        ({"samples": 1.5}, "samples: expected int"),
        ({"classes": [1]}, "classes[0]: expected str"),
        ({"schema": 2}, "schema: is 2, and this release reads up to 1"),
        ("{", "metrics.json is no JSON"),
        ([], "metrics.json is no JSON object"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_field(facts: object, why: str) -> None:
    found = read(facts, {})
    assert why in found.problem
    assert found.replicates == ()
