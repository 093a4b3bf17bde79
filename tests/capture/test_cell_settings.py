"""Settings in the names of a cell, beside what %mlparams would record of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from cvtrack_magics.capture.params.cell_settings import said_of, settings_of
from cvtrack_magics.records import Param


def read(source: str, earlier: Sequence[str] = (), **names: Any) -> dict[str, str]:
    namespace: dict[str, Any] = dict(names)
    for cell in earlier:
        exec(compile(cell, "<earlier>", "exec"), namespace)
    plain = "\n".join(x if not x.startswith(("%", "!")) else "" for x in source.split("\n"))
    exec(compile(plain, "<cell>", "exec"), namespace)
    found = settings_of(source, namespace, [*earlier, source])
    return {record.key: record.value for record in found if isinstance(record, Param)}


LITERALS: dict[str, tuple[str, Sequence[str], dict[str, str]]] = {
    "at the top of the cell": (
        "%%mlrun a\nepochs = 5\nlr = 1e-3\nfor _ in range(epochs): pass\nprint(lr)",
        (),
        {"epochs": "5", "lr": "0.001"},
    ),
    "in capitals, in a cell above": (
        "print(LR, BATCH)",
        ("LR, BATCH = 0.1, 64",),
        {"LR": "0.1", "BATCH": "64"},
    ),
    "not used here": ("x = len('a')", ("LR = 0.1",), {}),
    "of a function, which has a name like it": (
        "fit()",
        ("lr = 0.5", "def fit():\n    lr = 0.1\n    return lr"),
        {},
    ),
    "an argument's name": ("fit(1)", ("lr = 0.5", "def fit(lr): return lr"), {}),
    "through several functions": (
        "a()",
        (
            "DEPTH = 3",
            "def b(): return [DEPTH for _ in range(2)]",
            "def a(): return (lambda: b())()",
        ),
        {"DEPTH": "3"},
    ),
    "through a class": (
        "Net()",
        ("WIDTH = 8\nOTHER = 1", "class Net:\n    def __init__(self): self.w = WIDTH"),
        {"WIDTH": "8"},
    ),
    "not through the cell that gave a value": ("print(net)", ("LR = 0.1\nnet = LR * 2",), {}),
    "set by a function": (
        "bump()\nprint(N)",
        ("N = 1", "def bump():\n    global N\n    N = 1"),
        {},
    ),
    "in a comprehension": ("[SIZE for _ in range(3)]", ("SIZE = 4",), {"SIZE": "4"}),
    "counted up": ("step = 0\nfor _ in range(3): step += 1", (), {}),
    "computed after": ("best = 0.0\nbest = max(best, 1.0)", (), {}),
    "given by a loop": ("for lr in (0.1, 0.2): print(lr)", (), {}),
    "used by a function that the cell calls": (
        "train()",
        ("WD = 5e-4\nUNUSED = 1", "def train():\n    return WD"),
        {"WD": "0.0005"},
    ),
    "changed in a later cell": ("print(LR)", ("LR = 0.1", "LR = 0.2"), {"LR": "0.2"}),
    "computed in a later cell": ("print(LR)", ("LR = 0.1", "LR = LR * 2"), {}),
    "changed by other code": ("print(LR)", ("LR = 0.1", "globals().update(LR=7)"), {}),
    "arithmetic": ("size = 2 ** 8\nratio = 1 / 8", (), {"size": "256", "ratio": "0.125"}),
    "a text, a list, a switch": (
        "name = 'resnet18'\nmilestones = [30, 60]\namp = True",
        (),
        {"name": "resnet18", "milestones": "[30, 60]", "amp": "True"},
    ),
    "a dict": (
        "cfg = dict(lr=0.1, wd=0.0)\nopt = {'name': 'sgd'}",
        (),
        {"cfg.lr": "0.1", "cfg.wd": "0.0", "opt.name": "sgd"},
    ),
    "what is no setting": (
        "losses = []\nhistory = {}\nnothing = None\n_private = 3\ntext = 'x' * 5",
        (),
        {},
    ),
    "a long text": (f"note = {'x' * 500!r}", (), {}),
    "magics between": ("%%mlrun a\n%matplotlib inline\nlr = 0.1\n!true", (), {"lr": "0.1"}),
}


@pytest.mark.parametrize("what", LITERALS)
def test_values_written_as_literals(what: str) -> None:
    source, earlier, expected = LITERALS[what]
    assert read(source, earlier) == expected


def test_a_cell_that_is_no_python_has_none() -> None:
    assert settings_of("%%bash\nLR=0.1", {"LR": 0.1}) == []
    assert settings_of("files = !ls\nlr = 0.1", {"lr": 0.1}) == []


def test_a_huge_power_is_not_computed() -> None:
    assert settings_of("n = 9 ** 9 ** 9 ** 9", {"n": 1}) == []


def test_training_objects_are_read_as_mlparams_reads_them() -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
    unused = torch.optim.Adam(model.parameters())
    found = read("%%mlrun a\noptimizer.zero_grad()", model=model, optimizer=optimizer, other=unused)
    assert found["optimizer"] == "SGD"
    assert found["lr"] == "0.25"
    assert found["momentum"] == "0.5"
    assert "model" not in found  # the cell does not use it


def test_two_of_a_kind_go_by_their_names() -> None:
    data = torch.utils.data.TensorDataset(torch.zeros(8, 1))
    train = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)
    val = torch.utils.data.DataLoader(data, batch_size=2)
    found = read("for x in train: pass\nfor x in val: pass", train=train, val=val, same=train)
    assert found["train.batch_size"] == "4"
    assert found["val.batch_size"] == "2"
    assert "batch_size" not in found
    alone = read("for x in train: pass\nfor x in same: pass", train=train, same=train)
    assert alone["batch_size"] == "4"  # one object under two names


def test_an_object_says_more_than_a_name() -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    assert read("lr = 0.1\noptimizer.zero_grad()", optimizer=optimizer)["lr"] == "0.25"


def test_what_was_read_is_said_in_one_line() -> None:
    records = settings_of("a = b = c = d = e = f = g = h = 1", dict.fromkeys("abcdefgh", 1))
    (notice,) = said_of(records)
    assert "a, b, c, d, e, f and 2 more" in notice.text
    assert "--no-auto" in notice.text
    assert said_of([]) == []
