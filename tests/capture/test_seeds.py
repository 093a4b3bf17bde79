"""Seeding: the same seed gives the same numbers, and the report says what it did not reach."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from cvtrack_magics.capture.params.seeds import (
    apply_seed,
    current_seeds,
    finish_seed,
    loader_generator,
    seed_records,
    seed_worker,
)
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Param


@pytest.fixture(autouse=True)
def flags_put_back() -> object:
    cudnn = torch.backends.cudnn
    before = (cudnn.deterministic, cudnn.benchmark, os.environ.get("CUBLAS_WORKSPACE_CONFIG"))
    yield
    torch.use_deterministic_algorithms(False)
    cudnn.deterministic, cudnn.benchmark = before[:2]
    if before[2] is None:
        os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_the_same_seed_gives_the_same_numbers() -> None:
    apply_seed(7)
    first, facts = draw(), None
    apply_seed(7)
    facts = current_seeds()
    assert draw() == first
    assert current_seeds() != facts
    apply_seed(8)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_deterministic_flags() -> None:
    report = apply_seed(1, deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    assert report.deterministic
    assert "torch algorithms" in [row[0] for row in report.rows]


def test_without_deterministic_the_users_choice_stays() -> None:
    apply_seed(1)
    assert not torch.are_deterministic_algorithms_enabled()
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_what_is_not_reached_is_said() -> None:
    rows = {name: (said, ok) for name, said, ok in apply_seed(5).rows}
    said, ok = rows["NumPy Generator"]
    assert not ok
    assert "np.random.default_rng(5)" in said
    said, ok = rows["PYTHONHASHSEED"]
    assert "cannot change" in said
    assert ok is os.environ.get("PYTHONHASHSEED", "").isdigit()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "x", None, True])
def test_seeds_out_of_range(seed: object) -> None:
    before = random.getstate()
    with pytest.raises(UsageProblem):
        apply_seed(seed)  # type: ignore[arg-type]
    assert random.getstate() == before


def test_limits_and_text() -> None:
    assert apply_seed(0).seed == 0
    assert apply_seed(2**32 - 1).seed == 2**32 - 1
    assert apply_seed("0x10").seed == 16  # type: ignore[arg-type]


def test_records() -> None:
    records = seed_records(apply_seed(42))
    assert Param("global_seed", "42") in records
    assert Param("deterministic", "False") in records


class Noisy(Dataset):  # type: ignore[type-arg]
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))


def loaded(seed: int) -> list[list[float]]:
    loader = DataLoader(
        Noisy(),
        batch_size=None,
        num_workers=2,
        shuffle=True,
        worker_init_fn=seed_worker,
        generator=loader_generator(seed),
    )
    return [[float(x) for x in row] for row in loader]


def test_workers_repeat_and_differ_from_each_other() -> None:
    first = loaded(3)
    assert loaded(3) == first
    assert loaded(4) != first
    assert len({row[1] for row in first}) == 4


def test_torch_imported_later_is_seeded_later() -> None:
    code = """
import sys
from cvtrack_magics.capture.params.seeds import apply_seed, finish_seed, current_seeds
report = apply_seed(11)
assert "torch" not in sys.modules
assert report.pending == ("torch",), report
assert finish_seed(report) is report
assert "torch_initial_seed" not in current_seeds()
import torch
report = finish_seed(report)
assert report.pending == ()
assert torch.initial_seed() == 11
assert [row for row in report.rows if row[0] == "torch"] == []
assert current_seeds()["torch_initial_seed"] == "11"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_torch_leaves_nothing_pending() -> None:
    code = """
import sys
from cvtrack_magics.capture.params.seeds import apply_seed
report = apply_seed(11, import_torch=True)
assert report.pending == ()
assert sys.modules["torch"].initial_seed() == 11
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_finished_report_stays() -> None:
    report = apply_seed(3)
    assert finish_seed(report) is report
