"""Why runs differ: each cause alone, all together, none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cvtrack_magics.comparison.compare import compare
from cvtrack_magics.comparison.sentences import sentences
from cvtrack_magics.release.facts import Candidate
from tests.comparison.make import called, data, environment, points, run

SESSION = "code/session.ipy"

CHANGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a param": ("params", {"params": {"lr": "0.2"}}, "lr"),
    "a param more": ("params", {"params": {"depth": "3"}}, "depth"),
    "the cell": ("code", {"texts": {"code/cell.py": "%%mlrun b\nfit(2 * lr)\n"}}, "fit(2 * lr)"),
    "a cell before it": (
        "code",
        {"texts": {SESSION: f"# %% [1]\nlr = 0.5\n\n# %% [2]\n{called('b')}\n"}},
        "lr = 0.5",
    ),
    "an own module": ("code", {"texts": {"code/modules/net.py": "WIDTH = 3"}}, "WIDTH = 3"),
    "the commit": ("code", {"tags": {"git_commit": "abc"}}, "git_commit"),
    "a package": ("packages", {"texts": environment(packages={"numpy": "2.5.0"})}, "numpy"),
    "Python": ("packages", {"texts": environment(software={"Python": "3.12.1"})}, "Python"),
    "the processor": ("hardware", {"texts": environment(hardware={"CPU": "EPYC"})}, "CPU"),
    "the GPU": ("hardware", {"params": {"gpu_model": "H200"}}, "GPU"),
    "the seed": ("seeds", {"params": {"global_seed": "2"}}, "global_seed"),
    "what was seeded": ("seeds", {"tags": {"seeded": "Python"}}, "seeded"),
    "the data": ("data", {"datasets": (data("other", "b" * 64),)}, "train"),
    "a config file": ("config", {"texts": {"configs/a.yaml": "lr: 0.2"}}, "lr: 0.2"),
    "a tag": ("tags", {"tags": {"backbone": "tiny"}}, "backbone"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_found_under_its_cause_alone(change: str) -> None:
    kind, more, said = CHANGES[change]
    found = compare([run("a"), run("b", **more)], {})
    assert [cause.kind for cause in found.causes] == [kind]
    (cause,) = found.causes
    names = " ".join(row.name for row in cause.rows)
    assert said in f"{names} {cause.diff}"


SAME: dict[str, dict[str, Any]] = {
    "nothing": {},
    "the run's line": {"texts": {"code/cell.py": "%%mlrun other words --seed 1\nfit(lr)\n"}},
    "cells that it does not need": {
        "texts": {SESSION: f"# %% [7]\nlr = 0.1\n\n# %% [8]\nx = 3\n\n# %% [9]\n{called('b')}\n"}
    },
    "the same run before it": {
        "texts": {
            SESSION: f"# %% [1]\nlr = 0.1\n\n# %% [2]\n{called('a')}\n\n# %% [3]\n{called('b')}\n"
        }
    },
    "a cell that was run twice": {
        "texts": {SESSION: f"# %% [1]\nlr = 7\n\n# %% [2]\nlr = 0.1\n\n# %% [3]\n{called('b')}\n"}
    },
    "bookkeeping": {"tags": {"cvtrack.run_key": "x", "mlflow.user": "y", "stretch.1.started": "z"}},
}


@pytest.mark.parametrize("what", SAME)
def test_what_decides_nothing_is_no_difference(what: str) -> None:
    assert compare([run("a"), run("b", **SAME[what])], {}).causes == ()


def test_equal_runs_that_part_are_told_with_the_step() -> None:
    values = [1 / (step + 1) for step in range(300)]
    other = [*values[:212], *(value + 1e-12 for value in values[212:])]
    curves = {run("a").run_id: {"loss": points(values)}, run("b").run_id: {"loss": points(other)}}
    found = compare(
        [run("a", metrics={"loss": values[-1]}), run("b", metrics={"loss": other[-1]})], curves
    )
    assert found.should_be_equal
    (said,) = sentences(found)
    assert said == (
        "These two should be equal and are not: first differing metric loss at step 212 "
        f"({values[212]!r} and {other[212]!r})."
    )


def test_runs_without_a_seed_are_not_expected_to_be_equal() -> None:
    def unseeded(name: str, value: float) -> Candidate:
        made = run(name, metrics={"loss": value})
        return Candidate(**{**made.__dict__, "params": {"lr": "0.1"}})

    found = compare([unseeded("a", 1.0), unseeded("b", 2.0)], {})
    assert not found.should_be_equal
    assert "A run has no seed" in " ".join(sentences(found))


def test_equal_runs_are_said_to_be_equal() -> None:
    pair = [run(name, metrics={"loss": 0.5, "nan": float("nan")}) for name in "ab"]
    found = compare(pair, {})
    assert found.metrics == ()
    (said,) = sentences(found)
    assert "equal in all that was recorded, and all 2 metrics" in said


def test_more_runs_than_two_have_a_value_each() -> None:
    runs = [run(name, params={"lr": lr}) for name, lr in (("a", "1"), ("b", "2"), ("c", "1"))]
    (cause,) = compare(runs, {}).causes
    assert cause.rows[0].values == ("1", "2", "1")


def test_a_change_that_several_runs_have_is_in_the_diff_once() -> None:
    changed = {"code/cell.py": "%%mlrun x\nfit(3)\n"}
    runs = [run("a"), run("b", texts=changed), run("c", texts=changed)]
    (cause,) = compare(runs, {}).causes
    assert cause.diff.count("+fit(3)") == 1


def test_json_has_no_number_that_json_lacks() -> None:
    pair = [run("a", metrics={"loss": float("nan")}), run("b", metrics={"loss": float("inf")})]
    found = json.loads(compare(pair, {}).to_json())
    assert found["metrics"] == [{"name": "loss", "values": ["nan", "inf"]}]
    assert [one["name"] for one in found["runs"]] == ["a", "b"]


def test_a_file_beyond_all_measure_is_not_compared_line_by_line() -> None:
    huge = "\n".join(f"x{n} = 1" for n in range(5_000))
    (cause,) = compare([run("a"), run("b", texts={"code/modules/big.py": huge})], {}).causes
    assert "are not compared" in cause.diff
    assert len(cause.diff) < 1_000
