"""Where a run's files lie is written in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import cvtrack_magics
from cvtrack_magics.artifacts import paths

PACKAGE = Path(cvtrack_magics.__file__).parent
ONLY = PACKAGE / "artifacts" / "paths.py"
WITH_A_MODEL = PACKAGE / "release" / "model" / "serving"  # its files serve without this package
FOLDERS = sorted(
    {
        str(value).partition("/")[0]
        for name, value in vars(paths).items()
        if name.isupper() and isinstance(value, str) and "." not in str(value).partition("/")[0]
    }
    - {"latency", "params"}  # metrics and the user's own data have these before a slash, too
)
NAMES = r"/?(?:metrics|samples|latency|evidence|environment|hardware|repositories|serving)\.json"
LITERAL = re.compile(rf"(?:{'|'.join(FOLDERS)})/\S*|{NAMES}|latency/latency\S*|params/\S*\.txt")


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the texts of a module that are no docstrings."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node


def test_no_other_module_spells_a_path_of_a_run() -> None:
    found = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}: {node.value}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if file != ONLY and WITH_A_MODEL not in file.parents
        for node in literals(ast.parse(file.read_text(encoding="utf-8")))
        if LITERAL.fullmatch(str(node.value))
    ]
    assert found == []


def test_the_test_sees_a_path() -> None:
    for text in ("code/cell.py", "environment/x.json", "evidence.json", "visualisations/*.html"):
        assert LITERAL.fullmatch(text)
