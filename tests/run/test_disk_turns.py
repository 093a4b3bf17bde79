"""A disk that takes no changes any more under an open run: what was logged arrives, and its end."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.journal import segments
from cvtrack_magics.run import current
from tests.store_views import points, runs_of

STEPS = 12_000  # rows of several segments: one is sent and deleted while the next is written


def as_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("")


def refusing(number: int) -> Callable[[Path], Any]:
    """Let the system refuse to delete a file, as a disk does that failed."""

    def refuse(path: str | Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    return lambda _: mock.patch.object(segments.os, "unlink", refuse).start()


TURNS: dict[str, Callable[[Path], Any]] = {
    "the state folder is a file": as_file,
    "the journal is a file": lambda state: as_file(state / "journal"),
    "the run's folder is a file": lambda state: [
        as_file(one) for one in (state / "journal").iterdir() if (one / "run.json").is_file()
    ],
    "read-only": refusing(errno.EROFS),
    "not permitted": refusing(errno.EPERM),
    "failed": refusing(errno.EIO),
    "a stale handle": refusing(errno.ESTALE),
    "over quota": refusing(errno.EDQUOT),
}


@pytest.mark.parametrize("turn", TURNS)
def test_a_run_arrives_whatever_its_disk_turns_into(turn: str, store: str, script: None) -> None:
    state = Path(current.get_session().config.state_folder)
    try:
        with mlrun("turned", output=False) as run:
            log(a=-1.0)
            TURNS[turn](state)
            for step in range(STEPS):
                log(a=float(step))
    finally:
        mock.patch.stopall()
    assert run.summary is not None
    found = runs_of(store)["turned"]
    assert found.info.status == "FINISHED"
    assert [value for _, value in points(store, found, "a")] == [-1.0, *map(float, range(STEPS))]
    assert "wait" not in " ".join(run.summary.notices)
