"""Sessions in which a name has become stale, each in another way."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """Cells as they are executed: (id, text); ``saved`` is the file's last state."""

    cells: list[tuple[str, str]]
    body: str
    said: str
    saved: list[tuple[str, str]] | None = None


PLANTED = {
    "a function that the cell defines no more": Case(
        [("a", "def augment(x):\n    return x + 1"), ("a", "def other(x):\n    return x")],
        "log(x=augment(1))",
        "`augment` comes from an earlier version of cell [3], and no cell defines it now",
    ),
    "data of a path that was edited": Case(
        [("a", "path = 'one'"), ("b", "data = path.upper()"), ("a", "path = 'two'")],
        "log(x=len(data))",
        "`data` was made with an earlier `path`; run cell [3] again",
    ),
    "two names in a row of it": Case(
        [
            ("a", "size = 3"),
            ("b", "data = list(range(size))"),
            ("c", "batch = sum(data)"),
            ("a", "size = 5"),
        ],
        "log(x=batch + len(data))",
        "`data` and `batch` were made with an earlier `size`; run cells [3] and [4] again",
    ),
    "an instance of a class that was edited": Case(
        [
            ("a", "class Net:\n    width = 3"),
            ("b", "net = Net()"),
            ("a", "class Net:\n    width = 4"),
        ],
        "log(x=net.width)",
        "`net` was made with an earlier `Net`; run cell [3] again",
    ),
    "what a helper of a function read": Case(
        [
            ("a", "lr = 0.1"),
            ("b", "def make():\n    return lr * 2"),
            ("c", "rate = make()"),
            ("a", "lr = 0.5"),
        ],
        "log(x=rate)",
        "`rate` was made with an earlier `lr`; run cell [4] again",
    ),
    "appended twice": Case(
        [("a", "data = [1]"), ("b", "data.append(2)"), ("b", "data.append(2)")],
        "log(x=sum(data))",
        "`data` was changed by cell [4] 2 times; run cells [2] and [4] again",
    ),
    "multiplied twice": Case(
        [("a", "lr = 0.1"), ("b", "lr *= 0.1"), ("b", "lr *= 0.1")],
        "log(x=lr)",
        "`lr` was changed by cell [4] 2 times",
    ),
    "divided twice, as an expression": Case(
        [("a", "x = 255.0"), ("b", "x = x / 255"), ("b", "x = x / 255")],
        "log(x=x)",
        "`x` was changed by cell [4] 2 times",
    ),
    "a loop that adds up, twice": Case(
        [("a", "total = 0"), *[("b", "for i in range(3):\n    total += i")] * 2],
        "log(x=total)",
        "`total` was changed by cell [4] 2 times",
    ),
    "trained twice by a method of its own": Case(
        [
            (
                "a",
                "class M:\n    def __init__(self): self.w = 1.0\n    def more(self): self.w *= 2",
            ),
            ("b", "model = M()"),
            ("c", "model.more()"),
            ("c", "model.more()"),
        ],
        "log(x=model.w)",
        "`model` was changed by cell [5] 2 times; run cells [3] and [5] again",
    ),
    "a network trained twice outside a run": Case(
        [
            ("a", "import torch"),
            ("b", "net = torch.nn.Linear(1, 1)"),
            ("c", "def step():\n    with torch.no_grad():\n        net.weight.add_(1)"),
            ("d", "step()"),
            ("d", "step()"),
        ],
        "log(x=float(net.weight.sum()))",
        "`net` was changed by cell [6] 2 times",
    ),
    "changed by an earlier version": Case(
        [("a", "data = {'a': 1}"), ("b", "data['b'] = 2"), ("b", "data['c'] = 2")],
        "log(x=len(data))",
        "`data` was changed by an earlier version of cell [4]; run cells [2] and [4]",
    ),
    "a batch that was taken twice": Case(
        [
            ("a", "batches = iter(range(5))"),
            ("b", "one = next(batches)"),
            ("b", "one = next(batches)"),
        ],
        "log(x=sum(batches))",
        "`batches` was changed by cell [4] 2 times",
    ),
    "from a cell that was deleted": Case(
        [("a", "import math"), ("b", "scale = 3")],
        "log(x=scale * math.pi)",
        "`scale` comes from cell [3], which the saved notebook does not have any more",
        [("a", "import math")],
    ),
    "edited and not run again": Case(
        [("a", "lr = 0.1"), ("b", "n = 3")],
        "log(x=lr)",
        "`lr` comes from cell [2] as it was before it was edited; run cell [2] again",
        [("a", "lr = 0.2"), ("b", "n = 3")],
    ),
    "made of what was edited and not run again": Case(
        [("a", "lr = 0.1"), ("b", "opt = [lr]")],
        "log(x=opt[0])",
        "`opt` was made with `lr`, and `lr` comes from cell [2] as it was before it was edited; "
        "run cells [2] and [3] again",
        [("a", "lr = 0.2"), ("b", "opt = [lr]")],
    ),
    "changed by a cell that was deleted": Case(
        [("a", "data = [3]"), ("b", "data.append(9)")],
        "log(x=len(data))",
        "`data` was changed by cell [3], which the saved notebook does not have any more; "
        "run cell [2] again",
        [("a", "data = [3]")],
    ),
    "defined below": Case(
        [("a", "x = 1"), ("z", "helper = abs")],
        "log(x=helper(x))",
        "`helper` comes from cell [3], which stands below this one in the notebook",
        [("a", "x = 1"), ("run", ""), ("z", "helper = abs")],
    ),
    "the first of two cells, run again": Case(
        [("a", "lr = 0.1"), ("b", "lr = 0.2"), ("a", "lr = 0.1")],
        "log(x=lr)",
        "`lr` comes from cell [4], which ran after cell [3]; from top to bottom cell [3] defines "
        "it; run cell [3] again",
        [("a", "lr = 0.1"), ("b", "lr = 0.2"), ("run", "")],
    ),
    "made again, and not changed again": Case(
        [("a", "data = [1]"), ("b", "data.append(2)"), ("a", "data = [1]")],
        "log(x=sum(data))",
        "cell [3], which changes `data`, has not run since it was made; run cell [3]",
        [("a", "data = [1]"), ("b", "data.append(2)"), ("run", "")],
    ),
    "one that was put above": Case(
        [("a", "lr = 0.1"), ("b", "opt = [lr]"), ("new", "lr = 0.3")],
        "log(x=opt[0])",
        "`opt` was made with an earlier `lr`; run cell [3] again",
        [("a", "lr = 0.1"), ("new", "lr = 0.3"), ("b", "opt = [lr]"), ("run", "")],
    ),
    "what its own cell defined earlier": Case(
        [("run", "threshold = 0.5"), ("a", "x = 1")],
        "log(x=threshold)",
        "`threshold` comes from an earlier version of this cell, and no cell defines it now",
    ),
    "a cell that failed left a name": Case(
        [("a", "best = 3\nworst = 1 / 0"), ("a", "worst = 1")],
        "log(x=best + worst)",
        "`best` comes from an earlier version of cell [3], and no cell defines it now",
    ),
}
