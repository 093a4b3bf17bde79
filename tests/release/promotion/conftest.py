"""A registry for each test, and processes that are forked instead of started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cvtrack_magics.store.registry import Registry
from tests.release.promotion.forks import Forks


@pytest.fixture
def registry(store: str) -> Registry:
    """The registry of this test's own store."""
    return Registry(store)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """What forks processes that promote."""
    with Forks() as running:
        yield running
