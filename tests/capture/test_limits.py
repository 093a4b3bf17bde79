"""Configurations and values that are huge, endless or hostile: one line, and little memory."""

from __future__ import annotations

import functools
import os
import random
import socket
from collections import UserList, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.capture.params import configfile, values
from cvtrack_magics.capture.params import logged as params
from cvtrack_magics.capture.params.configfile import describe_config
from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.capture.params.values import plain_value, value_text
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Notice, Param
from cvtrack_magics.secrets import looks_secret


def laughs(levels: int = 6, each: int = 10, first: str = "[x]") -> str:
    """Return YAML whose last value is as many as ``each`` to the power of ``levels``."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * each)}]")
    return "\n".join(lines)


def shared(levels: int = 30, each: int = 10, first: object = 0) -> list[Any]:
    value: list[Any] = [first]
    for _ in range(levels):
        value = [value] * each
    return value


def shared_dict(levels: int = 30, each: int = 5, first: object = 0) -> dict[str, Any]:
    value: dict[str, Any] = {"x": first}
    for _ in range(levels):
        value = {f"k{at}": value for at in range(each)}
    return value


def own_list() -> list[Any]:
    value: list[Any] = []
    value += [value] * 10
    return value


def own_dict() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value.update(lr=0.1, a=value, b=[value])
    return value


def own_array(shape: tuple[int, ...]) -> Any:
    value = np.empty(shape, object)
    value[...] = None
    value[(0,) * len(shape)] = value
    return value


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


TOO_MUCH = {
    "aliases.yaml": laughs(),
    "long aliases.yaml": f"a: &a {'x' * 100_000}\nb: [{'*a, ' * 1000}]",
    "long names.yaml": f"? {'k' * 10_000}\n:\n" + "".join(f"  k{i}: 1\n" for i in range(6000)),
    "set aliases.yaml": f"a: &a !!set {{{'x' * 50_000}}}\nb: [{'*a, ' * 2000}]",
    "merged often.yaml": f"b: &b {{x: [{'1, ' * 2000}]}}\nc: {{<<: [{'*b, ' * 50_000}]}}",
    "itself.yaml": "a: &a [*a]",
    "itself by name.yaml": "&a {lr: 0.1, b: *a}",
    "merges itself.yaml": "a: &a {<<: *a, lr: 0.1}",
    "levels.yaml": "[" * 5000,
    "levels by lines.yaml": "".join(" " * level + "a:\n" for level in range(300)),
    "values.yaml": f"[{'1, ' * 100_001}]",
    "base 60.yaml": "a: 1" + ":10" * 5000,
    "a number.yaml": "a: " + "9" * 5000,
    "levels.json": "[" * 100_000,
    "levels of names.json": '{"a":' * 200 + "1" + "}" * 200,
    "values.json": f"[{'1, ' * 100_001}1]",
    "many lists.json": f"[{'[], ' * 1_000_000}1]",
    "levels.toml": "a = " + "[" * 100_000,
    "values.toml": "".join(f"a{number} = 1\n" for number in range(100_001)),
    "parts of a name.toml": ".".join(["a"] * 20_000) + " = 1",
    "levels of tables.toml": f"[{'.'.join(['a'] * 200)}]\nb = 1",
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_file_that_is_too_much_is_one_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(TOO_MUCH[name])
    with pytest.raises(UsageProblem, match="is not read: it ") as caught:
        describe_config(file, "")
    assert name in caught.value.problem
    assert "100,000 values" in caught.value.hint
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


MALFORMED = {
    "date.yaml": "a: 2020-99-99",
    "a tagged date.yaml": "a: !!timestamp x",
    "a tagged number.yaml": "a: !!int ''",
    "a tagged flag.yaml": "a: !!bool x",
    "base 60.yaml": "a: 1" + ":10" * 1000 + ".5",
    "a number.json": "9" * 5000,
    "a date.toml": "a = 2020-99-99",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_a_parser_raises_is_one_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(MALFORMED[name])
    with pytest.raises(UsageProblem, match="is not valid") as caught:
        describe_config(file, "")
    assert "\n" not in str(caught.value)


def test_the_largest_that_is_read_is_read(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"a":' * 99 + "1" + "}" * 99)
    assert [r.value for r in describe_config(file, "") if isinstance(r, Param)] == ["1"]
    file.write_text(f"[{'1, ' * 99_997}1]")
    assert any(isinstance(record, Param) for record in describe_config(file, ""))
    yaml = tmp_path / "c.yaml"
    yaml.write_text("{" + "".join(f"a{number}: 1, " for number in range(15_000)) + "}")
    found = describe_config(yaml, "")
    assert sum(isinstance(record, Param) for record in found) == params.MOST


def test_a_large_file_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configfile, "MOST_BYTES", 2_000_000)
    file = tmp_path / "c.yaml"
    file.write_text("a: 1 #" + "x" * 1_999_994)
    assert len(describe_config(file, "")) == 2
    file.write_text("a: 1 #" + "x" * 1_999_995)
    with pytest.raises(UsageProblem, match=r"c\.yaml is not read: it is larger than 2 MB"):
        describe_config(file, "")


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


IRREGULAR: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "c.yaml"
    IRREGULAR[kind](file)
    with pytest.raises(UsageProblem, match=f"it is a {kind}, no regular file"):
        describe_config(file, "")


@pytest.mark.parametrize("name", ["x" * 5000 + ".yaml", "a\0b.yaml", "~nobody-of-this-name/c.yaml"])
def test_a_name_that_is_none_is_one_line(name: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        describe_config(name, "")
    assert "\n" not in str(caught.value)


class Raises:
    def to_dict(self) -> dict[str, object]:
        raise RuntimeError("not now")


class Endless:
    def to_dict(self) -> dict[str, object]:
        return {"a": Endless(), "b": Endless()}


OBJECTS = {
    "itself": own_dict(),
    "a list of itself": {"a": own_list()},
    "aliases": {"a": shared()},
    "aliases of names": shared_dict(),
    "long aliases": {"a": ["x" * 100_000] * 1000},
    "an array of itself": {"a": own_array((3,)), "b": own_list()},
    "values": {"a": list(range(100_001))},
    "levels": deep(200),
    "no end": Endless(),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_that_is_too_much_is_one_line(name: str) -> None:
    with pytest.raises(UsageProblem, match="cfg is not read: it ") as caught:
        describe_config(OBJECTS[name], "cfg")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [Raises(), {"a": Raises()}])
def test_an_object_that_raises_is_one_line(value: object) -> None:
    with pytest.raises(UsageProblem, match="'cfg' cannot be read: RuntimeError: not now"):
        describe_config(value, "cfg")


SECRET = {
    "merged.yaml": "b: &b {password: hunter2, x: [" + "1, " * 600 + "]}\n"
    "c: {<<: [" + "*b, " * 2000 + "]}",
    "blank.toml": 'password = "hunter2"\nb = """\n' + " " * 20_000 + "\n" * 20_000 + '"""',
    "brackets.toml": 'password = "hunter2"\nb = """\n' + "[" * 50_000 + '\n"""',
    "long.toml": 'password = "hunter2"\nb = "' + "\\n" * 700_000 + '"',
    "tables.toml": "".join(f'[t{number}]\npassword = "hunter2"\n' for number in range(20_000)),
    "many.yaml": "".join(f"password{number}: hunter2\n" for number in range(3000)),
}


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_in_a_large_file_is_hidden(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(SECRET[name])
    found = describe_config(file, "")
    assert isinstance(found[0], Artifact)
    assert "hunter2" not in str(found[0].content)
    named = [record for record in found if isinstance(record, Param) and "password" in record.key]
    assert {record.value for record in named} == {"***"}
    notices = [record.text for record in found if isinstance(record, Notice)]
    assert any(text.startswith("Hidden in the recorded") for text in notices)
    assert max(map(len, notices)) < 1000


def test_ten_thousand_params_are_recorded_of_one_value() -> None:
    found = describe_params({f"k{number}": number for number in range(10_001)}, name="cfg")
    assert [record.key for record in found[:-1]] == [f"k{n}" for n in range(10_000)]  # type: ignore[union-attr]
    assert found[-1] == Notice("Only the first 10,000 params of 'cfg' are recorded.")
    all_of_it = describe_params({f"k{number}": number for number in range(10_000)})
    assert not any(isinstance(record, Notice) for record in all_of_it)


def test_the_text_of_params_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params, "MOST_CHARACTERS", 10_000)
    found = describe_params({f"k{number}": "x" * 1000 for number in range(100)})
    assert sum(isinstance(record, Param) for record in found) < 12
    assert "Only the first" in str(found[-1])


ENDLESS = {
    "aliases of names": shared_dict(),
    "nothing but generators": shared_dict(first=random.Random(0)),
    "no end": Endless(),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_params_without_end_are_cut_with_a_notice(name: str) -> None:
    found = describe_params(ENDLESS[name], name="cfg")
    assert sum(isinstance(record, Param) for record in found) <= params.MOST
    assert any(isinstance(record, Notice) and "'cfg'" in record.text for record in found)


def test_what_holds_itself_has_params() -> None:
    found = {r.key: r.value for r in describe_params(own_dict()) if isinstance(r, Param)}
    assert found == {"lr": "0.1", "a": "…", "b.0": "…"}
    assert [r.value for r in describe_params(deep(3000)) if isinstance(r, Param)] == ["…"]


class Lies(list[int]):
    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


def partials(levels: int = 30) -> functools.partial[Any]:
    value = functools.partial(print)
    for _ in range(levels):
        value = functools.partial(print, value, value)
    return value


BIG = {
    "list": (list(range(1_000_001)), "list(len=1000001)"),
    "in a list": ([1, [0] * 1_000_001], '[1, "list(len=1000001)"]'),
    "dict": (dict.fromkeys(range(1_000_001)), "dict(len=1000001)"),
    "set": (set(range(1_000_001)), "set(len=1000001)"),
    "range": (range(10**12), "range(0, 1000000000000)"),
    "deque": (deque(range(20_000)), "deque(len=20000)"),
    "view": (dict.fromkeys(range(20_000)).keys(), "dict_keys(len=20000)"),
    "small deque": (deque([1, 2]), "deque([1, 2])"),
    "deque of aliases": (deque([shared()]), "deque(len=1)"),
    "list object": (UserList([shared()]), "UserList(len=1)"),
    "lies": (Lies([1, 2]), "[1, 1]"),
    "number": (10**100_000, "int(bits=332193)"),
    "number in a list": ([10**100_000], '["int(bits=332193)"]'),
    "array of itself": (own_array(()), "array(shape=(), dtype=object)"),
}


@pytest.mark.parametrize("name", BIG)
def test_a_word_stands_for_what_is_too_big(name: str) -> None:
    value, text = BIG[name]
    assert value_text(value) == text


ALIASES = {
    "list": shared(),
    "dict": shared_dict(),
    "itself": own_list(),
    "dict of itself": own_dict(),
    "array": np.array([None, shared()], dtype=object),
    "array of itself": own_array((3,)),
    "partial": partials(),
    "text": ["x" * 1_000_000] * 1000,
    "keys": [{"x" * 1_000_000: 1}] * 1000,
}


@pytest.mark.parametrize("name", ALIASES)
def test_the_text_of_aliases_has_an_end(name: str) -> None:
    assert len(value_text(ALIASES[name])) < 100 * values.MOST


def test_what_fits_is_whole() -> None:
    numbers = list(range(999_000))
    assert plain_value(numbers) == numbers
    assert plain_value([[0] * 400_000, [0] * 700_000, [1]]) == [
        [0] * 400_000,
        "list(len=700000)",
        [1],
    ]
    nest: Any = [1]
    for _ in range(9):
        nest = [nest]
    assert value_text(nest) == "[[[[[[[[" + '"[[1]]"' + "]]]]]]]]"


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ([[[["x"]]]], True),
        ([[], [[]], ""], False),
        ([[None, [False]]], False),
        (shared(first=None), True),
        (own_list(), True),
    ],
)
def test_a_list_is_secret_where_one_may_be(value: object, secret: bool) -> None:
    assert looks_secret("passwords", value) is secret
    assert looks_secret("sizes", value) is False


def test_a_long_name_is_looked_at_from_its_end() -> None:
    assert looks_secret(".".join(["a"] * 100_000) + ".password", "x")
    assert not looks_secret("0." * 100_000, "x")
