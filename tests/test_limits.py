"""What is read of others: files, YAML and JSON, each with its limits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.limits import NotRegular, Room, TooMuch, file_bytes, yaml_of
from cvtrack_magics.text import json_object, json_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        (b'{"a": 1}', {"a": 1}),
        ("[1]", [1]),
        ("null", None),
        ("", None),
        ("{", None),
        (b"\xff\xfe\xff", None),
        (None, None),
        ("[" * 100_000, None),
        ('{"a":' * 100_000, None),
        ("9" * 5000, None),
    ],
)
def test_json_of_any_text(text: Any, found: object) -> None:
    assert json_of(text) == found
    assert json_object(text) == (found if isinstance(found, dict) else {})


@pytest.mark.parametrize("size", [0, 9, 10, 11, 1000])
def test_one_byte_above_the_limit_is_read(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    assert file_bytes(file, 10) == b"x" * min(size, 11)


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    with pytest.raises(NotRegular, match="it is a folder"):
        file_bytes(tmp_path, 10)
    with pytest.raises(FileNotFoundError):
        file_bytes(tmp_path / "none", 10)
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(NotRegular, match="it is a pipe"):
            file_bytes(tmp_path / "pipe", 10)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 1, 1, 1]",
        "{a: 1, b: 1, c: 1, d: 1}",
        "[[[[1]]]]",
        "[&a [1], *a, *a]",
        "&a [*a]",
        "[xxxxxxxxxxxx, xxxxxxxxxxxx]",
        "{xxxxxxxxxxxx: xxxxxxxxxxxx}",
        "[&a {x: 1}, {<<: [*a, *a, *a]}]",
    ],
)
def test_yaml_that_is_too_much(text: str) -> None:
    with pytest.raises(TooMuch):
        yaml_of(text, values=4, levels=4, characters=20)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{a: 1, b: 1, c: 1}", {"a": 1, "b": 1, "c": 1}),
        ("[[[1]]]", [[[1]]]),
        ("", None),
        ("&a {x: 1, <<: {y: 2}}", {"x": 1, "y": 2}),
    ],
)
def test_yaml_that_fits(text: str, found: object) -> None:
    assert yaml_of(text, values=6, levels=4, characters=20) == found


def test_room_is_counted_over_all() -> None:
    room = Room(values=2, levels=1, characters=9)
    with room.below():
        room.take(1, 4)
    with room.below():
        room.take(1, 5)
    with pytest.raises(TooMuch, match="more than 2 values"):
        room.take()
    with pytest.raises(TooMuch, match="more than 9 characters"):
        room.take(-2, 1)
    with room.below(), pytest.raises(TooMuch, match="over 1 levels"), room.below():
        pass
