"""Whether what was uploaded is listed, whatever the server made of its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store.error_kinds import of_another_version
from cvtrack_magics.store.uploads import check_by


@dataclass
class Item:
    path: str
    file_size: int | None


NAMES = ["images/a%step%20%timestamp%1%b.png", "a%2b.txt", "100%.txt", "a b+c.txt", "é~#.txt"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("server", [str, unquote], ids=["as it is", "escapes read"])
def test_a_name_with_escapes_is_found_as_servers_keep_it(
    tmp_path: Path, name: str, server: type[str]
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("abc")
    check_by(lambda at: [Item(server(name), 3)], tmp_path)
    for listed in ([], [Item(server(name), 2)], [Item("other", 3)]):
        with pytest.raises(StoreUnavailable, match="does not list it"):
            check_by(lambda at, listed=listed: listed, tmp_path)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("said", "which"),
    [
        ("Can't locate revision identified by 'dc11669786a5'", "newer"),
        ("Detected out-of-date database schema (found version a, but expected b).", "older"),
        ("database is locked", ""),
    ],
)
def test_a_database_of_another_version_is_named(said: str, which: str) -> None:
    assert which in of_another_version(RuntimeError(said))
    assert bool(which) == bool(of_another_version(RuntimeError(said)))
