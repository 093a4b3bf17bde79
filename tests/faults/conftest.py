"""One world for all fault tests: two servers, a database, and a parent of processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crowd import Crowd, World
from tests.faults.play import Arena
from tests.faults.schedule import STORES
from tests.faults.story import Story

_summary: list[str] = []


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Real servers on sqlite and, where it is installed, on PostgreSQL."""
    running = World(tmp_path_factory.mktemp("faults"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def arena(world: World) -> Arena:
    """What a play needs."""
    assert world.arena is not None
    return world.arena


@pytest.fixture(scope="session")
def crowd(world: World, request: pytest.FixtureRequest) -> Iterator[Crowd]:
    """The schedules of all selected tests, played beside each other."""
    seeds = [
        item.callspec.params["seed"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "crowd" in item.fixturenames
    ]
    running = Crowd(world, seeds)
    yield running
    running.close()
    _summary.extend(running.summary())


@pytest.fixture(params=STORES)
def story(request: pytest.FixtureRequest, arena: Arena, tmp_path: Path) -> Iterator[Story]:
    """A story to tell, on each of the servers."""
    if request.param not in arena.servers:
        pytest.skip("PostgreSQL is not installed; 'make postgres' installs it")
    told = Story(arena, arena.servers[request.param], tmp_path)
    yield told
    told.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the fault tests have done."""
    if _summary:
        terminalreporter.section("faults")
        for line in _summary:
            terminalreporter.write_line(line)
