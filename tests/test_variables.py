"""The environment is read while other threads change it, and nobody's run fails of it."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import cvtrack_magics
from cvtrack_magics.secrets import Masker
from cvtrack_magics.syntax import tree_of
from cvtrack_magics.variables import variables

PACKAGE = Path(cvtrack_magics.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
ONE_AT_A_TIME = {"get", "pop", "setdefault"}


class Vanishing(dict[str, str]):
    """Variables of which one is gone as soon as it was named, as between two lines of a thread."""

    def __iter__(self) -> Iterator[str]:
        yield from (*super().__iter__(), "GONE")


def test_a_variable_that_vanishes_meanwhile_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", Vanishing(A="1", MY_API_TOKEN="sk-1f9a7c3e5b2d8046af13"))
    assert variables() == {"A": "1", "MY_API_TOKEN": "sk-1f9a7c3e5b2d8046af13"}
    assert "1f9a7c3e" not in Masker().mask("it was sk-1f9a7c3e5b2d8046af13 then").text


def wholes(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that take ``os.environ`` as a whole, and so one name after the other."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and node.attr == "environ"):
            continue
        if not (isinstance(node.value, ast.Name) and node.value.id == "os"):
            continue
        above = parents[node]
        single = isinstance(above, ast.Subscript) or (
            isinstance(above, ast.Attribute) and above.attr in ONE_AT_A_TIME
        )
        asked = isinstance(above, ast.Compare) and node in above.comparators
        if not single and not asked:
            yield node.lineno


def test_a_look_over_the_whole_environment_is_seen() -> None:
    lines = ["dict(os.environ)", "{**os.environ}", "os.environ.items()", "f(os.environ)"]
    fine = ["os.environ['A']", "'A' in os.environ", "os.environ.get('A')", "os.environ.pop('A')"]
    assert [list(wholes(ast.parse(line))) for line in lines] == [[1]] * 4
    assert [list(wholes(ast.parse(line))) for line in fine] == [[]] * 4


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_environment_is_read_as_a_whole_in_one_place(path: Path) -> None:
    if path.name == "variables.py" and path.parent == PACKAGE:
        return
    assert not list(wholes(tree_of(path.read_text(encoding="utf-8"))))
