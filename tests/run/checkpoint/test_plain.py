"""What a checkpoint holds comes back as it was, and nothing in it is ever run."""

from __future__ import annotations

import enum
import math
import random
from collections import Counter, OrderedDict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics import checkpoint, log, mlrun
from cvtrack_magics.capture.data import generator_state
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.checkpoint import random_state
from cvtrack_magics.run.checkpoint.files import CheckpointFolder, read, step_of
from cvtrack_magics.run.checkpoint.plain import to_plain
from cvtrack_magics.run.checkpoint.superseded import Standing, is_same
from cvtrack_magics.run.checkpoint.tensors import Copies


class Mode(enum.IntEnum):
    TRAIN = 3


STATES: dict[str, Any] = {
    "numbers": {"a": 1, "b": 2.5, "c": True, "d": None, "e": "text", "f": b"\x00\xff", "g": 1 + 2j},
    "a big number": {"state": 2**127 + 5, "other": -(2**63)},
    "infinities": [math.inf, -math.inf],
    "nesting": {"a": [{"b": ({"c": (1, 2)}, [3])}]},
    "keys": {0: "a", 1: "b", "x": {2.5: "c"}},
    "keys of other kinds": {(1, 2): "a", None: "b"},
    "sets": [{1, 2}, frozenset({"a"})],
    "an ordered dict": OrderedDict(b=1, a=2),
    "a counter": Counter({30: 2, 80: 1}),
    "a deque": deque([1, 2], maxlen=5),
    "an enum": Mode.TRAIN,
    "its own words": {"__kind__": "tuple", "value": [1]},
    "nothing": {},
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_comes_back(tmp_path: Path, name: str) -> None:
    state = STATES[name]
    folder = CheckpointFolder(tmp_path, "a")
    kept = folder.write(3, {"it": to_plain(state, name, Copies().copy)}, 3)
    assert kept.path.name == "step-000003.pt"
    found = read(kept.path)["it"]
    assert found == state
    assert type(found) is type(state) or isinstance(state, enum.Enum)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<i8", "|u1", "|b1", "<c16", "<M8[s]", "<U3"])
def test_arrays_come_back(tmp_path: Path, dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    state = {"array": array, "empty": array[:0], "one": array[0, 1]}
    kept = CheckpointFolder(tmp_path, "a").write(1, to_plain(state, "it", Copies().copy), 1)
    found = read(kept.path)
    for key, value in state.items():
        assert found[key].dtype == value.dtype
        np.testing.assert_array_equal(found[key], value)


def test_a_copy_does_not_change_with_the_training() -> None:
    weight = torch.ones(3)
    state = to_plain({"a": weight, "tied": weight, "part": weight[:2]}, "it", Copies().copy)
    weight.add_(1)
    assert state["a"].tolist() == [1, 1, 1]
    assert state["a"] is state["tied"]
    assert state["part"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda x: x, "scheduler['lambda'] is function"),
        (Path("a"), "scheduler['lambda'] is"),
        (np.array([object()]), "scheduler['lambda'] is an array of objects"),
    ],
)
def test_what_only_pickle_could_keep_is_refused(value: Any, said: str) -> None:
    with pytest.raises(UsageProblem) as error:
        to_plain({"lambda": value}, "scheduler", Copies().copy)
    assert said in str(error.value)


def test_a_file_of_pickle_is_not_read(tmp_path: Path) -> None:
    """Nor is one that is cut off: the one before it is taken."""
    folder = CheckpointFolder(tmp_path, "a")
    good = folder.write(1, {"a": 1}, 5)
    ran = tmp_path / "ran"

    class Bad:
        def __reduce__(self) -> Any:
            return (Path.touch, (ran,))

    torch.save({"format": 1, "a": Bad()}, folder.path / "step-000002.pt")
    (folder.path / "step-000003.pt").write_bytes(good.path.read_bytes()[:-40])
    for one in folder.kept()[:2]:
        with pytest.raises(Exception, match=r"(?s)."):
            read(one.path)
    assert not ran.exists()
    assert read(folder.kept()[2].path)["a"] == 1


def test_the_oldest_are_deleted_and_no_part_is_left(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "../a/b")
    for step in (1, 5, 20, 1_000_000):
        folder.write(step, {}, 2)
    assert [one.step for one in folder.kept()] == [1_000_000, 20]
    assert folder.path.parent == tmp_path / "checkpoints"
    assert len(list(folder.path.iterdir())) == 2


def test_every_generator_goes_on_as_it_would_have() -> None:
    own = torch.Generator().manual_seed(5)
    mine: list[Any] = [np.random.default_rng(1), np.random.RandomState(2), random.Random(3)]

    def draw() -> list[float]:
        global_ones = [random.gauss(0, 1), float(np.random.normal()), float(torch.randn(()))]
        return [
            *global_ones,
            float(torch.rand((), generator=own)),
            float(mine[0].random()),
            float(mine[1].normal()),
            mine[2].gauss(0, 1),
        ]

    draw()  # half of a pair of normal numbers is waiting
    state = random_state.capture([own])
    states = [generator_state.state_of(one) for one in mine]
    wanted = [draw(), draw()]
    random_state.restore(state, [own])
    for one, was in zip(mine, states, strict=True):
        generator_state.set_state(one, was)
    assert [draw(), draw()] == wanted


@pytest.mark.parametrize(
    ("stored", "value", "same"),
    [
        (1.5, 1.5, True),
        (1.5, 1.5000000000000002, False),
        (0.0, -0.0, True),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (0.0, math.nan, False),
        (1.7976931348623157e308, math.inf, True),
        (-1.7976931348623157e308, -math.inf, True),
        (1.7976931348623157e308, -math.inf, False),
    ],
)
def test_a_value_is_the_one_that_a_store_has(stored: float, value: float, same: bool) -> None:
    assert is_same(stored, value) is same


def test_points_that_come_again_stand_and_others_are_named() -> None:
    passed: list[bool] = []
    had = [("a", float(step), 1000 + step, step) for step in range(5)]
    had += [("b", 1.0, 5, 3), ("b", 2.0, 6, 3), ("c", 9.0, 7, 4)]
    standing = Standing(had, {"a": 2, "b": 0, "c": 4}, lambda: passed.append(True))
    assert standing.new({"a": 1.0}, 1) == {"a": 1.0}  # before the checkpoint: as it is logged
    assert standing.new({"a": 2.0, "b": 2.0, "x": 0.0}, 2) == {"b": 2.0, "x": 0.0}
    assert standing.new({"a": 3.5, "b": 2.0}, 3) == {"a": 3.5}
    assert standing.new({"b": 1.0, "a": 7.0}, 3) == {"a": 7.0}
    assert not passed
    assert standing.changed.first == "a at step 3 was 3, is 3.5"
    assert standing.table().splitlines() == [
        "metric,step,value,unix_ms,why",
        "a,3,3.0,1003,logged again otherwise",
        "a,4,4.0,1004,not logged again",
        "c,4,9.0,7,not logged again",
    ]
    assert standing.new({"a": 4.0, "c": 9.0}, 4) == {}
    assert passed


@pytest.mark.usefixtures("script")
class TestBadInput:
    def test_no_run(self) -> None:
        with pytest.raises(UsageProblem, match="belongs into a run"):
            checkpoint(model=torch.nn.Linear(1, 1))

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"model": 3}, r"checkpoint\(model=…\) is int, which has no state_dict"),
            ({"every": 0}, "every=0 is no number of steps"),
            ({"keep": True}, "keep=True is no number of checkpoints"),
        ],
    )
    def test_what_is_no_use_is_said(self, store: str, given: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageProblem, match=said), mlrun("a"):
            checkpoint(**given)

    def test_a_second_pass_outside_epochs_is_told(self, store: str) -> None:
        with mlrun("a") as run:
            ckpt = checkpoint(loader=[1, 2])
            for _ in range(2):
                assert [batch for _, batch in ckpt.steps()] == [1, 2]
            assert ckpt.next_step == 4
        assert any("ckpt.epochs(N)" in line for line in run.summary.notices)

    def test_two_loops_in_one_pass_are_refused(self, store: str) -> None:
        with mlrun("a"):
            ckpt = checkpoint(loader=[1, 2])
            for _ in ckpt.epochs(2):
                list(ckpt.steps())
                with pytest.raises(UsageProblem, match="called twice in one pass"):
                    list(ckpt.steps())
                break

    def test_steps_are_counted_on_after_other_loops(self, store: str) -> None:
        with mlrun("a") as run:
            log({"x": 1.0}, step=7)
            ckpt = checkpoint(loader=[1, 2, 3])
            for step, batch in ckpt.steps():
                log({"y": float(batch), "step": float(step)})
        assert run.summary.metrics["y"] == 3.0


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("checkpoints/step-000120", 120),
        ("checkpoints/step-1000000.pt", 1_000_000),
        ("checkpoints/step-000120.pt", 120),
        ("checkpoints/other.pt", -1),
        ("checkpoints", -1),
    ],
)
def test_the_newest_is_found_among_files_and_models(path: str, step: int) -> None:
    assert step_of(path) == step
