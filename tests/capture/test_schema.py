"""The tag schema."""

from __future__ import annotations

import pytest

from cvtrack_magics.capture.data.schema import (
    TAG_SCHEMA,
    TASK_METRICS,
    canonical_task,
    check_tags,
)
from cvtrack_magics.records import Tag


def test_the_guides_table() -> None:
    keys = [rule.key for rule in TAG_SCHEMA]
    assert keys == ["task", "backbone", "dataset", "env", "git_commit", "hardware", "team"]
    assert len(TASK_METRICS) == 9


@pytest.mark.parametrize("key", [rule.key for rule in TAG_SCHEMA])
def test_names_of_the_schema_pass_quietly(key: str) -> None:
    value = "classification" if key == "task" else "x"
    assert check_tags({key: value}) == ([Tag(key, value)], [])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bakbone", "backbone"),
        ("Backbone", "backbone"),
        ("data_set", "dataset"),
        ("git-commit", "git_commit"),
        ("hardwear", "hardware"),
        ("Task", "task"),
        ("tasks", "task"),
    ],
)
def test_near_names_get_a_suggestion(typed: str, meant: str) -> None:
    tags, notices = check_tags({typed: "x"})
    assert tags == [Tag(typed, "x")]
    assert [meant in notice.text for notice in notices] == [True]


@pytest.mark.parametrize("key", ["customer", "ticket", "note", "mlflow.user", "site"])
def test_far_names_are_the_users_own(key: str) -> None:
    assert check_tags({key: 3}) == ([Tag(key, "3")], [])


def test_credentials_are_removed() -> None:
    tags, _ = check_tags({"origin": "https://me:pw@host/r", "api_key": "abc"})
    assert tags == [Tag("origin", "https://host/r"), Tag("api_key", "***")]


@pytest.mark.parametrize(
    ("typed", "task"),
    [
        ("Object Detection", "object-detection"),
        ("object_detection", "object-detection"),
        ("segmentation", "semantic-segmentation"),
        ("classification", "classification"),
        ("depth", "depth-estimation"),
        ("poetry", None),
    ],
)
def test_tasks(typed: str, task: str | None) -> None:
    assert canonical_task(typed) == task


def test_unknown_task() -> None:
    _, notices = check_tags({"task": "clasification"})
    assert "classification" in notices[0].text
