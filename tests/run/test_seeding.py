"""A run's seed is the one its draws follow, whatever was seeded in between."""

from __future__ import annotations

import random

import pytest

from tests.conftest import Shell
from tests.store_views import runs_of

SCRIPT = "from cvtrack_magics import mlrun, mlseed, log\nimport random\n"
DRAW = "log({'draw': random.random()})"


def first_draws(seed: int) -> list[float]:
    """Return what Python's generator gives after a seed."""
    drawn = random.Random(seed)
    return [drawn.random() for _ in range(4)]


TABLE: dict[str, tuple[tuple[str, ...], str, int, int]] = {
    "after a run with its own seed": (
        ("%mlseed 3", f"%%mlrun other --seed 7\n{DRAW}", f"%%mlrun r\n{DRAW}"),
        "r",
        3,
        0,
    ),
    "the second of two goes on": (
        (
            "%mlseed 3",
            f"%%mlrun other --seed 7\n{DRAW}",
            f"%%mlrun q\n{DRAW}",
            f"%%mlrun r\n{DRAW}",
        ),
        "r",
        3,
        1,
    ),
    "with none in between nothing is set again": (
        ("%mlseed 3", f"%%mlrun q\n{DRAW}", f"%%mlrun r\n{DRAW}"),
        "r",
        3,
        1,
    ),
    "a sibling of a child with its own": (
        (
            "%mlrun span --seed 1",
            f"%%mlrun a --nested --seed 6\n{DRAW}",
            f"%%mlrun r --nested\n{DRAW}",
            "%mlend",
        ),
        "r",
        1,
        0,
    ),
    "the child itself": (
        ("%mlrun span --seed 1", f"%%mlrun r --nested --seed 6\n{DRAW}", "%mlend"),
        "r",
        6,
        0,
    ),
    "in one block": (
        (
            SCRIPT
            + "mlseed(4)\nwith mlrun('s'):\n  with mlrun('a', nested=True, seed=9): pass\n"
            + f"  with mlrun('r', nested=True): {DRAW}\n",
        ),
        "r",
        4,
        0,
    ),
    "a run that failed with its own": (
        ("%mlseed 3", "%%mlrun other --seed 7\n1/0", f"%%mlrun r\n{DRAW}"),
        "r",
        3,
        0,
    ),
    "a run that was refused with its own": (
        (
            "%mlrun span --seed 2",
            f"%%mlrun other --seed 7\n{DRAW}",
            f"%%mlrun r --nested\n{DRAW}",
            "%mlend",
        ),
        "r",
        2,
        0,
    ),
    "%mlseed again in between": (
        ("%%mlrun other --seed 7\n1", "%mlseed 8", f"%%mlrun r\n{DRAW}"),
        "r",
        8,
        0,
    ),
}


@pytest.mark.parametrize("case", list(TABLE))
def test_the_seed_on_record_is_the_one_that_the_draws_follow(
    shell: Shell, store: str, case: str
) -> None:
    cells, name, seed, nth = TABLE[case]
    shell.run("import random\nfrom cvtrack_magics import log")
    for cell in cells:
        shell.run(cell)
    run = runs_of(store)[name]
    assert run.data.params["global_seed"] == str(seed)
    assert run.data.metrics["draw"] == first_draws(seed)[nth]


def test_it_is_said_that_the_generators_were_set_again(shell: Shell) -> None:
    shell.run("%mlseed 3")
    shell.run("%%mlrun other --seed 7\n1")
    said = shell.run("%%mlrun r\n1")
    assert "followed seed 7" in said
    assert "set again to 3" in said
    assert "set again" not in shell.run("%%mlrun next\n1")


def test_a_stretch_without_a_seed_says_so_beside_the_seed_of_the_first(
    shell: Shell, store: str
) -> None:
    shell.run("%%mlrun r --seed 7\n1")
    shell.run("%%mlrun r --resume\n1")
    run = runs_of(store)["r"]
    assert run.data.params["global_seed"] == "7"
    assert run.data.tags["stretch.2.global_seed"] == "not set"
