"""What a run's seed chooses of torch's algorithms ends with the run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conftest import Shell
from tests.store_views import runs_of

torch = pytest.importorskip("torch")

State = tuple[bool, bool, bool, bool, str | None]
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
PLAIN: State = (False, False, False, False, None)
OWN: State = (True, False, False, True, ":16:8")
"""Of a user who wants an error where there is no deterministic algorithm, and cuDNN's search."""
FIXED: State = (True, True, True, False, ":4096:8")


def now() -> State:
    cudnn = torch.backends.cudnn
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
        os.environ.get(CUBLAS),
    )


def choose(state: State) -> None:
    on, warns, torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark, cublas = state
    torch.use_deterministic_algorithms(on, warn_only=warns)
    os.environ.pop(CUBLAS, None)
    if cublas is not None:
        os.environ[CUBLAS] = cublas


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = now()
    yield
    choose(before)


RUN = "%%mlrun r --seed 1 --deterministic\n"
WITH = "from cvtrack_magics import mlrun\n"
ENDS: dict[str, tuple[str, ...]] = {
    "a cell": (f"{RUN}1",),
    "a cell that fails": (f"{RUN}1/0",),
    "a cell that is interrupted": (f"{RUN}raise KeyboardInterrupt",),
    "a seed alone": ("%%mlrun r --seed 1\n1",),
    "two in turn": (f"{RUN}1", "%%mlrun q --seed 2\n1", f"{RUN}1"),
    "one over several cells": ("%mlrun r --seed 1 --deterministic", "1", "%mlend"),
    "a child alone": ("%mlrun s", "%%mlrun r --nested --seed 1 --deterministic\n1", "%mlend"),
    "both": (
        "%mlrun s --seed 3 --deterministic",
        "%%mlrun r --nested --seed 1 --deterministic\n1",
        "%mlend",
    ),
    "a block that fails": (WITH + "with mlrun('r', seed=1, deterministic=True): 1/0",),
    "a run that is refused": (
        "%mlrun s",
        f"{RUN}1",
        "%mlend",
    ),
    "a seed that is refused": ("%%mlrun r --seed -4 --deterministic\n1",),
    "two side by side": (
        WITH
        + "import threading\n"
        + "gates = [threading.Event() for _ in range(4)]\n"
        + "def one(name, mine, wait):\n"
        + "  with mlrun(name, nested=True, seed=1, deterministic=True, output=False):\n"
        + "    mine.set(); wait.wait(60)\n"
        + "with mlrun('s', output=False):\n"
        + "  a = threading.Thread(target=one, args=('a', gates[0], gates[1]))\n"
        + "  b = threading.Thread(target=one, args=('b', gates[2], gates[3]))\n"
        + "  a.start(); gates[0].wait(60); b.start(); gates[2].wait(60)\n"
        + "  gates[1].set(); a.join(); gates[3].set(); b.join()",
    ),
}


@pytest.mark.parametrize(
    ("way", "before"),
    [*((way, PLAIN) for way in ENDS), *((way, OWN) for way in list(ENDS)[:4])],
)
@pytest.mark.usefixtures("store")
def test_the_choice_is_as_before_the_run(way: str, before: State, shell: Shell) -> None:
    choose(before)
    for cell in ENDS[way]:
        shell.run(cell)
    assert now() == before


def test_it_is_in_force_in_the_run_and_off_in_the_next(store: str, shell: Shell) -> None:
    choose(PLAIN)
    shell.run(f"{RUN}import torch; from cvtrack_magics import log\n"
              "log(on=float(torch.are_deterministic_algorithms_enabled()))")  # fmt: skip
    shell.run("%%mlrun next --seed 2\nlog(on=float(torch.are_deterministic_algorithms_enabled()))")
    found = runs_of(store)
    for name, on in (("r", True), ("next", False)):
        assert found[name].data.params["deterministic"] == str(on)
        assert found[name].data.metrics["on"] == float(on)


@pytest.mark.usefixtures("store")
def test_what_is_chosen_in_the_run_for_all_of_them_stays(shell: Shell) -> None:
    choose(PLAIN)
    shell.run("%%mlrun r --seed 1\nfrom cvtrack_magics import mlseed; mlseed(5)")
    assert now() == (False, False, True, False, None)
    shell.run(f"{RUN}mlseed(5, deterministic=True)")
    assert now() == FIXED
    choose(PLAIN)
    shell.run(f"{RUN}import torch; torch.backends.cudnn.benchmark = True")
    assert now() == (False, False, False, True, None)
