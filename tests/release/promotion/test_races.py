"""A few races on a database and on a server; :mod:`races` plays hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Server
from tests.release.promotion.forks import Forks
from tests.release.promotion.races import Races


def test_races_on_a_database(store: str, tmp_path: Path, forks: Forks) -> None:
    races = Races(forks, store, tmp_path / "mlflow.db", seed=7)
    assert [fault for n in range(12) for fault in races.run(n)] == []
    assert races.figures["promotions"] >= 12
    assert races.figures["conflicts"] > 0
    assert races.figures["killed"] > 0


@pytest.mark.server
def test_races_on_a_server(server: Server, forks: Forks) -> None:
    database = Path(server.log.name).parent / "server.db"
    races = Races(forks, server.uri, database, seed=3)
    assert [fault for n in range(6) for fault in races.run(n)] == []
    assert races.figures["promotions"] >= 6
    assert races.figures["conflicts"] > 0
