"""Which names of a session are stale, without a notebook that runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cvtrack_magics.capture.code.cell_order import Notebook, Saved
from cvtrack_magics.capture.code.recipes import Executed
from cvtrack_magics.capture.code.stale_state import lines_of, stale_names
from cvtrack_magics.capture.code.steps import steps_of

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))
Cells = Sequence[tuple[str, str]]


def executed(key: str, source: str, at: int) -> Executed:
    """Return a cell that came to its end, and took every branch."""
    steps = steps_of(source) or ()
    bound = frozenset[str]().union(*(step.binds | step.perhaps | step.adds for step in steps))
    run = "a" if source.startswith("%%mlrun") else ""
    return Executed(key, source, at + 1, True, run, bound, ended=at + 1)


def stale(cells: Cells, body: tuple[str, str], saved: Cells = ()) -> list[str]:
    """Return what is said of a body that runs after cells; the file is saved after all of them."""
    history = [executed(key, source, at) for at, (key, source) in enumerate(cells)]
    file = Saved(len(cells) + 1, tuple(saved)) if saved else Saved()
    notebook = Notebook(history, executed(*body, len(cells)), file)
    return lines_of(stale_names(notebook, [body[1]]))


def cells_of(path: Path) -> list[tuple[str, str]]:
    """Return the cells of code of a notebook, with their ids."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(c["id"], "".join(c["source"])) for c in cells if c["cell_type"] == "code"]


@pytest.mark.parametrize("with_file", [False, True])
@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_is_stale_in_a_tutorial(path: Path, rounds: int, with_file: bool) -> None:
    cells = cells_of(path)
    assert cells
    file = cells if with_file else ()
    for at, cell in enumerate(cells):
        before = [*cells * (rounds - 1), *cells[:at]]
        assert stale(before, cell, file) == [], cell


BODY = ("run", "%%mlrun a\nprint(x)")
PLACES: dict[str, tuple[Cells, Cells, str]] = {
    "deleted": (
        [("a", "x = 1"), ("b", "y = 2"), ("a", "x = 3")],
        [("b", "y = 2"), ("run", "")],
        "`x` comes from cell [3], which the saved notebook does not have any more, and no cell "
        "defines it now: define it again.",
    ),
    "a cell put between, and run last": (
        [("a", "x = 1"), ("b", "x = 2"), ("between", "x = 3")],
        [("a", "x = 1"), ("between", "x = 3"), ("b", "x = 2"), ("run", "")],
        "`x` comes from cell [3], which ran after cell [2]; from top to bottom cell [2] defines "
        "it; run cell [2] again.",
    ),
    "the run's cell stands between two": (
        [("a", "x = 1"), ("b", "x = 2")],
        [("a", "x = 1"), ("run", ""), ("b", "x = 2")],
        "`x` comes from cell [2], which stands below this one in the notebook; from top to bottom "
        "cell [1] defines it; run cell [1] again.",
    ),
    "the same statement in two cells": (
        [("a", "x = 1"), ("b", "x = 1")],
        [("a", "x = 1"), ("run", ""), ("b", "x = 1")],
        "",
    ),
    "a cell that was never run": (
        [("a", "x = 1")],
        [("a", "x = 1"), ("never", "x = 5"), ("run", "")],
        "",
    ),
    "what is made of what stands below": (
        [("b", "lr = 1"), ("a", "x = [lr]")],
        [("a", "x = [lr]"), ("b", "lr = 1"), ("run", "")],
        "`x` was made with `lr`, and `lr` comes from cell [1], which stands below",
    ),
    "cut, and pasted elsewhere": (
        [("a", "x = 1"), ("b", "y = 2")],
        [("b", "y = 2"), ("pasted", "x = 1"), ("run", "")],
        "",
    ),
    "pasted below": (
        [("a", "x = 1"), ("b", "y = 2")],
        [("b", "y = 2"), ("run", ""), ("pasted", "x = 1")],
        "`x` comes from cell [1], which the saved notebook does not have any more",
    ),
    "a cell that was split": (
        [("a", "x = 1\ny = 2\nx = x + y")],
        [("a", "x = 1"), ("part", "y = 2\nx = x + y"), ("run", "")],
        "",
    ),
    "cells that were merged": (
        [("a", "y = 2"), ("b", "x = y")],
        [("a", "y = 2\nx = y"), ("run", "")],
        "",
    ),
    "split, and edited": (
        [("a", "y = 2\nx = y")],
        [("a", "y = 3"), ("part", "x = y"), ("run", "")],
        "`x` was made with `y`, and `y` comes from cell [1] as it was before it was edited; run "
        "cell [1] again.",
    ),
    "changed by what stands below": (
        [("a", "x = []"), ("b", "x.append(1)")],
        [("a", "x = []"), ("run", ""), ("b", "x.append(1)")],
        "`x` was changed by cell [2], which stands below this one; run cell [1] again.",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_place_of_a_cell_is_the_files(name: str) -> None:
    cells, file, said = PLACES[name]
    # what is new was executed after the file was saved
    found = stale(cells, BODY, file)
    if "new cell below" in name:
        history = [executed(key, text, at) for at, (key, text) in enumerate(cells)]
        found = lines_of(
            stale_names(Notebook(history, executed(*BODY, 9), Saved(1, tuple(file))), [BODY[1]])
        )
    assert "".join(found).startswith(said) if said else not found


def test_a_cell_that_the_file_does_not_have_yet_is_where_it_was_run() -> None:
    cells = [("a", "x = 1"), ("b", "y = 2"), ("new", "x = 2")]
    history = [executed(key, text, at) for at, (key, text) in enumerate(cells)]
    body = executed(*BODY, 9)
    assert stale_names(Notebook(history, body, Saved(2, (("a", ""), ("b", "")))), [BODY[1]]) == []
    assert stale_names(Notebook(history, body, Saved(2, (("a", ""), BODY))), [BODY[1]]) == []


def test_a_chain_that_never_ends_is_told_too() -> None:
    cells = [("a", "x = 1"), ("b", "y = 1"), *[("c", "x = f(y)"), ("d", "y = g(x)")] * 2000]
    (said,) = stale([*cells, ("d", "y = h(x)")], BODY)
    assert said.startswith("`x` ")


STEPS = {
    "x += 1": ({"x"}, {"x"}, set(), set()),
    "x = x * 2": ({"x"}, {"x"}, set(), set()),
    "x |= y": ({"x", "y"}, set(), {"x"}, set()),
    "x = x.to(d)": ({"x", "d"}, set(), {"x"}, set()),
    "d.append(x)": ({"d", "x"}, {"d"}, set(), set()),
    "d['a'] = x": ({"d", "x"}, set(), {"d"}, set()),
    "d.a.b = x": ({"d", "x"}, set(), {"d"}, set()),
    "d['a'] += x": ({"d", "x"}, {"d"}, set(), set()),
    "y = d.append(x)": ({"d", "x"}, set(), set(), {"y"}),
    "y = d.pop()": ({"d"}, {"d"}, set(), {"y"}),
    "y = d.pop('k', None)": ({"d"}, set(), set(), {"y"}),
    "y = a.add(b)": ({"a", "b"}, set(), set(), {"y"}),
    "s.add(b)": ({"s", "b"}, set(), {"s"}, set()),
    "img.rotate(90)": ({"img"}, set(), set(), set()),
    "b = next(iter(x))": ({"next", "iter", "x"}, set(), set(), {"b"}),
    "del d['a']": ({"d"}, set(), {"d"}, set()),
    "df.drop(i, inplace=True)": ({"df", "i"}, set(), {"df"}, set()),
    "y = next(it)": ({"next", "it"}, {"it"}, set(), {"y"}),
    "def f():\n    global n\n    n += k": (set(), set(), set(), {"f"}),
    "a = lambda: k": (set(), set(), set(), {"a"}),
    "import os.path as p": (set(), set(), set(), {"p"}),
    "x = [y for y in z]": ({"z"}, set(), set(), {"x"}),
    "print(x)": ({"print", "x"}, set(), set(), set()),
    "a, b = b, a": ({"a", "b"}, set(), {"a", "b"}, set()),
    "with o() as f:\n    y = f": ({"o"}, set(), set(), {"f", "y"}),
    "%mlrun over": (set(), set(), set(), set()),
    "%time f(x)": ({"f", "x"}, set(), set(), set()),
    "%mleval found --prefix test": ({"found"}, set(), set(), set()),
    "%mlgrid p.best --task=t": ({"p"}, set(), set(), set()),
    "%mldata ./data/train --name lr": (set(), set(), set(), set()),
    "!python {script}": (set(), set(), set(), set()),
    "q = %mlbest s": (set(), set(), set(), {"q"}),
}


@pytest.mark.parametrize("source", STEPS)
def test_what_a_statement_does(source: str) -> None:
    reads, adds, sets, binds = STEPS[source]
    (step,) = steps_of(source) or ()
    assert (step.reads, step.adds, {n for n, _ in step.sets}, step.binds) == (
        reads,
        adds,
        sets,
        binds,
    )


@pytest.mark.parametrize("source", ["x = = 1", "(" * 5000, "x = '\0'"])
def test_what_is_no_python_has_no_statements(source: str) -> None:
    assert steps_of(source) is None
    assert stale([("a", "x = 1"), ("b", source), ("a", "y = 1")], BODY) != []
    assert stale([("a", "x = 1"), ("b", source)], ("run", source)) == []
