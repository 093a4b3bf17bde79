"""A file of a run reads back as it was written, and what is not as it should be is named."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvtrack_magics.artifacts
from cvtrack_magics.artifacts.augmentation import Augmentation
from cvtrack_magics.artifacts.codec import plain, read, read_from, written
from cvtrack_magics.artifacts.environment import Environment
from cvtrack_magics.artifacts.evaluation import Interval, Measured, SampleTable
from cvtrack_magics.artifacts.export import CheckRow, Evidence, FileRow, Port
from cvtrack_magics.artifacts.latency import Latency, Row
from cvtrack_magics.artifacts.quantized import LostPart, Quantized
from cvtrack_magics.artifacts.slices import Slice, Slices
from cvtrack_magics.errors import UnreadableArtifact

WHOLE: list[Any] = [
    Environment({"Python": "3.11"}, {"CPU": "Ä"}, {"torch": "2.4+cu121"}, {"timm": "1.0"}),
    Measured(
        prefix="val",
        task="detection",
        headline="mAP50",
        samples=3,
        pictures={"a": "00" * 64},
        metrics={"mAP50": 0.5, "AP50/cat": None},
        interval=Interval("mAP50", 0.5, 0.4, 0.6, 0.95, 1000),
        classes=("cat", "dög"),
        per_class={"AP50": (0.5, None)},
        confusion=((1.0, 0.0), (0.0, 2.0)),
        settings={"threshold": None, "iou": 0.5, "scheme": 1, "average": "macro"},
        replicates=(0.5, None),
    ),
    SampleTable(("id", "correct"), (("a", True), ("b", None))),
    Slices(
        ("camera",),
        "f" * 64,
        0.5,
        (Slice("camera", "A", Measured(prefix="val/slices/camera/A"), (0, 2)),),
    ),
    Latency(
        "eager@1",
        {"p50_latency_ms": 3.0},
        (Row("eager", 1, 9, 3.0, intervals={"p50": (2.0, 4.0)}),),
    ),
    Evidence(
        "onnx",
        (FileRow("model.onnx", 10, "f" * 64),),
        opset=18,
        inputs=(Port("x", "float32", ("batch", 3)),),
        checks=(CheckRow("example", "y", (1, 3), 1e-6, 1e-6, 1.0, True),),
    ),
    Quantized(
        "int8",
        full=0.9,
        quantized=0.89,
        confidence=(0.8, None),
        parts=(LostPart("camera", "A", 30, 0.9, None),),
        kept_full=("head",),
        versions={"onnxruntime": "1"},
    ),
    Augmentation(1, (3, 4), ((5, 6), (7, 8)), ("a note",)),
]


@pytest.mark.parametrize("facts", WHOLE, ids=lambda facts: type(facts).__name__)
def test_a_file_reads_back_as_it_was_written(facts: Any) -> None:
    assert read(type(facts), "file.json", written(facts)) == facts


@pytest.mark.parametrize("facts", WHOLE, ids=lambda facts: type(facts).__name__)
def test_each_field_that_is_not_what_it_should_be_is_named(facts: Any) -> None:
    whole = json.loads(written(facts))
    wrong = {"str": 3, "int": "x", "float": "x", "Mapping": [1], "tuple": {"a": 1}, "Allowed": 3}
    for field in dataclasses.fields(facts):
        kind = str(field.type).split("[")[0].split(" ")[0]
        odd = wrong.get(kind, 3)
        key = getattr(facts, "KEYS", {}).get(field.name, field.name)
        with pytest.raises(UnreadableArtifact) as caught:
            read(type(facts), "some/file.json", json.dumps({**whole, key: odd}))
        assert caught.value.field.startswith(field.name), field.name
        assert "some/file.json" in caught.value.problem


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "null", "3", "[]", '"x"', b"\xff\xfe\xfd"]
)
def test_what_is_no_object_is_named(text: Any) -> None:
    with pytest.raises(UnreadableArtifact, match=r"^env\.json is no JSON"):
        read(Environment, "env.json", text)


def test_what_is_not_there_has_its_default_and_what_is_new_is_left_alone() -> None:
    assert read(Environment, "e", '{"software": {"Python": "3"}, "colour": 3}') == Environment(
        {"Python": "3"}
    )
    assert read_from({}, Environment, "e") is None


def test_a_later_layout_is_not_guessed() -> None:
    with pytest.raises(UnreadableArtifact, match="schema: is 2, and this release reads up to 1"):
        read(Environment, "e", '{"schema": 2}')


def test_numbers_that_are_none_are_null() -> None:
    text = written(Measured(metrics={"a": math.nan, "b": math.inf}, replicates=(math.nan,)))
    assert read(Measured, "m", text).metrics == {"a": None, "b": None}
    assert read(Measured, "m", '{"metrics": {"a": 1}}').metrics == {"a": 1.0}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Measured)]), ANY))
def test_whatever_a_file_holds_it_reads_or_says_why(content: dict[str, Any]) -> None:
    problem, found = "", None
    try:
        found = read(Measured, "m.json", json.dumps(content))
    except UnreadableArtifact as error:
        problem = error.problem
    assert problem.startswith("m.json") if found is None else json.dumps(plain(found))


def test_each_file_is_documented() -> None:
    names = [
        f"cvtrack_magics.artifacts.{one.name}"
        for one in pkgutil.iter_modules(cvtrack_magics.artifacts.__path__)
    ]
    page = (Path(__file__).parents[2] / "docs" / "artifacts.md").read_text(encoding="utf-8")
    for name in names:
        for thing in vars(importlib.import_module(name)).values():
            if dataclasses.is_dataclass(thing) and hasattr(thing, "SCHEMA"):
                assert f"::: {thing.__module__}.{thing.__qualname__}" in page  # type: ignore[union-attr]
