"""The lightest guests, each with our line on top and beside it the same code without."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.guests.guest import CELLS, GUESTS, Guest
from tests.guests.try_guest import tried

LIGHT = [one for one in GUESTS if one.is_light]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("guest", LIGHT, ids=[one.cell for one in LIGHT])
def test_a_guests_run_is_as_it_must_be(guest: Guest, tmp_path: Path) -> None:
    assert list(tried(guest, tmp_path / guest.cell).problems) == []


def test_each_cell_has_a_guest_and_each_guest_a_cell() -> None:
    assert sorted(one.cell for one in GUESTS) == sorted(path.stem for path in CELLS.glob("*.py"))
    for guest in GUESTS:
        assert guest.title, guest.cell
        compile(guest.setup + guest.train + guest.curves, guest.cell, "exec")


def test_following_imports_no_library() -> None:
    from cvtrack_magics.run import adapters

    wanted = {one.module for one in adapters.METHODS}
    before = set(sys.modules)
    adapters.follow()
    adapters.leave()
    assert not (set(sys.modules) - before) & wanted
    assert importlib.util.find_spec("tqdm") is not None
