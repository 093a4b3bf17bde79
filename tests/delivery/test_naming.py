"""Two metrics are never stored as one, and what is shown is what is stored."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import mlflow
import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.delivery.naming import StoredNames
from cvtrack_magics.names import safe_key
from tests.store_views import points, runs_of

PAIRS = (
    ("mAP@0.5", "mAP_0.5"),
    ("mAP_0.5", "mAP@0.5"),
    ("mAP@0.5", "mAP#0.5"),
    ("val/acc%", "val/acc_"),
    ("loss ", "loss"),
    ("a//b", "a/b"),
    ("./a", "a"),
    ("a\tb", "a_b"),
    ("F₁(x)", "F₁[x]"),
    ("x" * 249 + "@", "x" * 249 + "_"),
    ("größe!", "größe?"),
)


@pytest.mark.parametrize("pair", PAIRS)
def test_two_names_stay_two_and_are_told(pair: tuple[str, str]) -> None:
    told: list[str] = []
    names = StoredNames(told.append)
    first, second = (names.of(name) for name in pair)
    assert first == safe_key(pair[0])
    assert first != second
    assert safe_key(second) == second
    assert [names.of(name) for name in pair] == [first, second]
    assert len(told) == 1
    assert repr(pair[1]) in told[0]


def test_names_that_differ_are_never_one() -> None:
    names = StoredNames(lambda _: None)
    given = ["".join(letters) for letters in itertools.product("a@_ /.", repeat=4)]
    stored = [names.of(name) for name in given]
    assert len(set(stored)) == len(given)


@pytest.mark.usefixtures("script")
def test_the_summary_shows_the_stored_names(store: str) -> None:
    with mlrun("r", code=False, output=False) as run:
        for value in range(3):
            log({"mAP@0.5": value, "mAP_0.5": 10.0 + value})
            log({"mAP@0.5": 0.5}, step=10 + value)
    found = runs_of(store)["r"]
    assert run.summary is not None
    assert set(run.summary.metrics) == set(found.data.metrics) - {
        key for key in found.data.metrics if key.startswith(("resources/", "system/"))
    }
    assert len(points(store, found, "mAP_0.5")) == 6
    assert any("under one name" in line for line in run.summary.notices)


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("given", [True, False], ids=["step given", "no step"])
def test_two_names_stay_two_by_every_way_into_the_journal(
    store: str, pair: tuple[str, str], given: bool
) -> None:
    """Floats with a step take a shorter way than all else."""
    with mlrun("r", code=False, output=False) as run:
        for value in range(4):
            for number, name in enumerate(pair):
                step = {"step": value} if given else {}
                log({name: 10.0 * number + value}, **step)
    found = runs_of(store)["r"]
    assert run.summary is not None
    shown = [name for name in run.summary.metrics if not name.startswith("resources/")]
    values = [sorted(value for _, value in points(store, found, name)) for name in shown]
    assert sorted(values) == [[0.0, 1.0, 2.0, 3.0], [10.0, 11.0, 12.0, 13.0]]
    assert sum("under one name" in line for line in run.summary.notices) == 1


def in_child(work: Callable[[], object]) -> None:
    """Do something in a forked process and wait for it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def by_mlflow() -> None:
    """Log the second name by MLflow's own call."""
    mlflow.log_metric("mAP_0.5", 20.0, step=0)


WORKERS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "the run first, the worker second": (
        lambda: log({"mAP@0.5": 1.0}, step=0),
        lambda: in_child(lambda: log({"mAP_0.5": 20.0}, step=0)),
    ),
    "the worker first": (
        lambda: in_child(lambda: log({"mAP@0.5": 1.0}, step=0)),
        lambda: log({"mAP_0.5": 20.0}, step=0),
    ),
    "two workers": (
        lambda: in_child(lambda: log({"mAP@0.5": 1.0}, step=0)),
        lambda: in_child(lambda: log({"mAP_0.5": 20.0}, step=0)),
    ),
    "a worker by MLflow": (
        lambda: log({"mAP@0.5": 1.0}, step=0),
        lambda: in_child(by_mlflow),
    ),
}


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("case", list(WORKERS))
def test_two_names_stay_two_across_processes(store: str, case: str) -> None:
    first, second = WORKERS[case]
    with mlrun("r", code=False, output=False):
        first()
        second()
    found = runs_of(store)["r"]
    apart = StoredNames(lambda _: None)
    stored = [apart.of(name) for name in ("mAP@0.5", "mAP_0.5")]
    assert [points(store, found, name) for name in stored] == [[(0, 1.0)], [(0, 20.0)]]
    assert found.data.tags[f"cvtrack.name.{stored[0]}"] == "mAP@0.5"
    assert found.data.tags[f"cvtrack.name.{stored[1]}"] == "mAP_0.5"
