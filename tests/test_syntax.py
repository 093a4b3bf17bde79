"""A tree is made though the garbage collector makes another one in its middle."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cvtrack_magics.syntax import tree_of

PACKAGE = Path(__file__).resolve().parents[1] / "cvtrack_magics"
SOURCE = "x = [" + ", ".join(f"f({at}, g={at})" for at in range(3000)) + "]"


@contextmanager
def collected_in_the_middle(times: int) -> Iterator[list[str]]:
    """The collector makes a tree of its own, deeper than the one that it interrupts."""
    seen: list[str] = []

    def parse(phase: str, info: object) -> None:
        del info
        if phase == "start" and len(seen) < times:
            seen.append(phase)
            ast.parse("y = 1")

    before = gc.get_threshold()
    gc.callbacks.append(parse)
    gc.set_threshold(50)
    try:
        yield seen
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(parse)


def test_another_tree_in_the_middle_is_no_error() -> None:
    plain = ast.dump(ast.parse(SOURCE))
    if sys.version_info[:2] == (3, 11):  # else this shows nothing
        with collected_in_the_middle(1), pytest.raises(SystemError, match="depth mismatch"):
            ast.parse(SOURCE)
    with collected_in_the_middle(1) as seen:
        assert ast.dump(tree_of(SOURCE)) == plain
    assert seen


@pytest.mark.parametrize("source", ["x = (", "x = 1\0", "(" * 5000])
def test_what_is_wrong_with_a_source_is_said(source: str) -> None:
    with pytest.raises((SyntaxError, ValueError, MemoryError, RecursionError)):
        tree_of(source)


def test_trees_are_made_in_one_place() -> None:
    own = {"syntax.py", "release/model/serving/checking.py"}  # the second stands alone in models
    files = [path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts]
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ast.parse"
    }
    assert found <= own
