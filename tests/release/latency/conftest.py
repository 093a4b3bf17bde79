"""Blocks begin at once in these tests, which saves a minute."""

from __future__ import annotations

import pytest

from cvtrack_magics.release.latency import sampling


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time from the second call on; the one test of the settling sets its own time."""
    monkeypatch.setattr(sampling, "SETTLE_NS", 0)
