"""The cells that a cell depends on."""

from __future__ import annotations

import pytest

from cvtrack_magics.capture.code.session import Cell, session_script
from cvtrack_magics.capture.code.slicing import cells_of, needed_cells

CASES: dict[str, tuple[list[str], str, list[int]]] = {
    "what is read": (["a = 1", "b = 2"], "print(a)", [0]),
    "the last of two": (["a = 1", "a = 2"], "a", [1]),
    "what is changed in place": (["a = []", "a.append(1)", "b = 3"], "a", [0, 1]),
    "an item": (["a = [0]", "a[0] = 1"], "a", [0, 1]),
    "an attribute": (["a = C()", "a.lr = 1"], "a", [0, 1]),
    "added to": (["x = 1", "x += 1"], "x", [0, 1]),
    "given to a function": (["m = [3]", "def fit(q): q.a = 1", "fit(m)"], "m", [0, 1, 2]),
    "shown only": (["x = 1", "print(x)", "len(x)", "display(x)"], "x", [0]),
    "drawn only": (["import matplotlib.pyplot as plt", "x = 1", "plt.imshow(x)"], "x", [1]),
    "an imported module": (
        ["import numpy as np", "x = np.zeros(3)", "y = np.ones(2)"],
        "x",
        [0, 1],
    ),
    "a generator seeded": (
        ["import numpy as np", "np.random.seed(0)", "x = np.zeros(3)", "y = np.mean(x)"],
        "x + np.pi",
        [0, 1, 2],
    ),
    "shuffled by a module": (["import random", "x = [1]", "random.shuffle(x)"], "x", [0, 1, 2]),
    "what a function reads when it is called": (
        ["lr = 0.1", "def f():\n    return lr", "lr = 0.2"],
        "f()",
        [1, 2],
    ),
    "what it read when it was called": (
        ["lr = 0.1", "def f():\n    return lr", "m = f()"],
        "m",
        [0, 1, 2],
    ),
    "what a method reads": (
        ["s = 2", "class N:\n  def go(self): return s", "n = N()"],
        "n.go()",
        [0, 1, 2],
    ),
    "what a function changes": (
        ["h = []", "def add(): h.append(1)", "add()", "q = 1"],
        "h",
        [0, 1, 2],
    ),
    "a branch": (["x = 1", "y = 3", "if x:\n    y = 2"], "y", [0, 1, 2]),
    "a loop's own name": (
        ["step = 1", "for step in range(3):\n    print(step)"],
        "for step in range(2):\n    print(step)",
        [],
    ),
    "a loop that may have no round": (["i = 5", "for i in range(n): pass"], "i", [0, 1]),
    "with": (["f = 1", "z = 2"], "with open(f) as h:\n    q = h\nq", [0]),
    "try": (
        ["E = 1", "z = 2"],
        "try:\n    1\nexcept E as e:\n    print(e)\nfinally:\n    z",
        [0, 1],
    ),
    "match": (
        ["p = 1", "s = 2", "t = 4"],
        "match s:\n    case p.x: t = 3\n    case y if y > p: print(y)",
        [0, 1],
    ),
    "a comprehension": (["x = 1", "y = [i * x for i in range(3)]", "i = 9"], "y", [0, 1]),
    "await": (["x = 1", "z = 1"], "await f(x)", [0]),
    "an extension": (["%load_ext x", "y = 3"], "1", [0]),
    "a magic's argument": (["data = 3", "name = 1"], "%mldata data --name q", [0]),
    "a magic's value": (["p = 3", "r = %mleval p"], "r", [0, 1]),
    "a sweep's cell": (["x = 1", "y = 1"], "%%mlsweep a --metric m\nlog(m=x)", [0]),
    "another run's cell": (["x = 1", "%%mlrun a --nested\nz = x"], "z", [0, 1]),
    "a cell of another language": (["%%html\n<b>x</b>", "x = 1"], "x", [1]),
    "a file that is written": (["%%writefile net.py\nx = 1"], "import net", [0]),
    "what is no Python": (["x = = 1", "y = 1"], "y", [0, 1]),
    "a star": (["from math import *", "y = 1"], "sqrt(2)", [0]),
    "a number given to a function": (["lr = 0.1", "fit(lr)"], "lr", [0]),
    "a copy of it": (["a = [0]", "b = a.copy()", "print(a.copy())"], "a", [0]),
    "exec": (["exec(code)", "y = 1"], "x", []),
    "a method of a class": (
        ["from q import P", "x = P.make(3)", "def f(): return P.make(2)", "f()"],
        "P.make(1)",
        [0],
    ),
    "a shell": (["!pip install q", "x = 1"], "x", [1]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cells_that_a_cell_needs(case: str) -> None:
    cells, body, wanted = CASES[case]
    assert needed_cells(cells, body) == wanted


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_out_is_not_missed(case: str) -> None:
    """Executed without the other cells, the cells that are taken give the same as all."""
    cells, body, wanted = CASES[case]
    plain = [source for source in (*cells, body) if "%" not in source and "!" not in source]
    if len(plain) < len(cells) + 1 or case in ("what is no Python", "await", "a star"):
        assert wanted == needed_cells(cells, body)
        return
    names = [name for name in ("a", "x", "y", "m", "h", "i") if body.startswith(name)]
    results = []
    for some in (cells, [cells[at] for at in wanted]):
        space: dict[str, object] = {"C": type("C", (), {}), "n": 0, "display": print}
        exec("import random; random.seed(0)", space)
        failed = ""
        for source in some:
            try:
                exec(source, space)
            except Exception as error:
                failed += type(error).__name__
        results.append([repr(space.get(name)).split(" object")[0] for name in names])
    assert results[0] == results[1]


SOURCES = [
    "x = 1",
    "%mlseed 3\nx = 2",
    "%%mlrun a b --seed 1\nlog({'a': 1})\n\n# a comment",
    '%%mlrun q\ntext = """three"""',
    "%%time\nx = '''a'''\ny = \"\"\"b\"\"\"",
    "%%html",
]


def test_a_session_that_was_written_is_read_as_it_was_typed() -> None:
    cells = [Cell(at, source) for at, source in enumerate(SOURCES, 1)]
    assert cells_of(session_script(cells)) == SOURCES


@pytest.mark.parametrize("text", ["", "no cells", "# %% [1]\n", "# %% [x]\nq"])
def test_what_is_no_session_has_no_cells(text: str) -> None:
    assert [cell for cell in cells_of(text) if cell] == []
