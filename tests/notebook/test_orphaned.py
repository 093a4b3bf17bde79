"""An optimizer of an earlier network trains nothing: it is said before, and --strict refuses."""

from __future__ import annotations

import pytest

from tests.conftest import Shell
from tests.store_views import runs_of

IMPORTS = "import copy, torch\nfrom torch import nn\nfrom torch.optim.lr_scheduler import StepLR"
NET = "net = nn.Linear(3, 2)"
SGD = "opt = torch.optim.SGD(net.parameters(), lr=0.1)"
STEP = "sched = StepLR(opt, 1)"
TRAIN = "net(torch.ones(1, 3)).sum().backward()\nopt.step()"

ORPHANED: dict[str, tuple[list[tuple[str, str]], str, str]] = {
    "the network again": (
        [("a", NET), ("b", SGD), ("a", NET)],
        TRAIN,
        "`opt` was made with an earlier `net`, and trains that one; run cell [3] again",
    ),
    "of its last layer": (
        [
            ("a", "net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4))"),
            ("b", "opt = torch.optim.Adam(net[1].parameters())"),
            ("a", "net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4))"),
        ],
        TRAIN,
        "`opt` was made with an earlier `net`",
    ),
    "weights that were put in its place": (
        [("a", NET), ("b", SGD), ("c", "net.load_state_dict({k: v.clone() for k, v in "
          "net.state_dict().items()}, assign=True);")],
        TRAIN,
        "`opt` was made with an earlier `net`",
    ),
    "a scheduler": (
        [("a", NET), ("b", SGD), ("c", STEP), ("b", SGD)],
        f"{TRAIN}\nsched.step()",
        "`sched` was made with an earlier `opt`, and schedules that one; run cell [4] again",
    ),
}  # fmt: skip

FINE: dict[str, tuple[list[tuple[str, str]], str]] = {
    "its own network": ([("a", NET), ("b", SGD), ("c", STEP)], f"{TRAIN}\nsched.step()"),
    "both again": ([("a", f"{NET}\n{SGD}\n{STEP}")] * 2, f"{TRAIN}\nsched.step()"),
    "moved and frozen": (
        [("a", NET), ("b", SGD), ("c", "net.double().float(); net.bias.requires_grad_(False);")],
        TRAIN,
    ),
    "in a list": ([("a", "nets = [nn.Linear(3, 2)]\nnet = nn.Linear(3, 2)"),
                   ("b", "opt = torch.optim.SGD(nets[0].parameters(), lr=1)")], TRAIN),
    "in an object": (
        [
            ("a", "class Trainer:\n    def __init__(self):\n        self.net = nn.Linear(3, 2)\n"
             "        self.opt = torch.optim.SGD(self.net.parameters(), lr=1)\n"
             "    def __call__(self):\n        pass"),
            ("b", "t = Trainer()\nopt = t.opt\nnet = copy.deepcopy(t.net)"),
        ],
        f"{TRAIN}\nt()",
    ),
    "compiled and wrapped": (
        [("a", NET), ("b", SGD), ("c", "whole = nn.DataParallel(net)\ndel net\nnet = whole")],
        TRAIN,
    ),
    "of a picture": (
        [("a", NET), ("b", "image = torch.zeros(2, 3, requires_grad=True)"),
         ("c", "opt = torch.optim.LBFGS([image])")],
        "net(image).sum().backward()\nopt.param_groups",
    ),
    "another network's": (
        [("a", f"{NET}\nother = nn.Linear(9, 9)"),
         ("b", "opt = torch.optim.SGD(other.parameters(), lr=1)\ndel other")],
        TRAIN,
    ),
    "made in the run": ([("a", NET), ("b", SGD), ("a", NET)], f"{SGD}\n{TRAIN}"),
    "made anew after a fold": (
        [("a", NET), ("b", SGD)],
        f"for fold in range(2):\n    opt.zero_grad()\n    {NET}\n    {SGD}",
    ),
}  # fmt: skip


def played(shell: Shell, cells: list[tuple[str, str]], body: str, head: str = "%%mlrun a") -> str:
    shell.run(IMPORTS, "imports")
    for key, text in cells:
        shell.run(text, key)
    return shell.run(f"{head}\n{body}", "run").replace("\n", " ")


@pytest.mark.parametrize("name", ORPHANED)
def test_what_trains_nothing_is_said(shell: Shell, store: str, name: str) -> None:
    cells, body, expected = ORPHANED[name]
    said = played(shell, cells, body)
    if "[" in expected:
        expected = f"{expected.partition('[')[0]}"
    assert expected in said
    assert expected in runs_of(store)["a"].data.tags["stale"]


@pytest.mark.parametrize("name", FINE)
def test_what_trains_is_not_called_stale(shell: Shell, store: str, name: str) -> None:
    played(shell, *FINE[name])
    assert "stale" not in runs_of(store)["a"].data.tags


def test_strict_refuses_it(shell: Shell, store: str) -> None:
    cells, body, expected = ORPHANED["the network again"]
    said = played(shell, cells, f"ran = 1\n{body}", "%%mlrun a --strict")
    assert expected.partition(";")[0][1:] in said
    assert "ran" not in shell.ip.user_ns
    assert not runs_of(store)
