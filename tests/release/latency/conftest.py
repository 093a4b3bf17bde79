"""Blocks begin at once in these tests, which saves a minute; PyTorch has two threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cvtrack_magics.release.latency import sampling


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time from the second call on; the one test of the settling sets its own time."""
    monkeypatch.setattr(sampling, "SETTLE_NS", 0)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Let a number of threads that is asked for be another one than there is."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
