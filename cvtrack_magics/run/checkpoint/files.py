"""The checkpoints of one run on this disk: written whole or not at all, never unpickled."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cvtrack_magics.private import unfit
from cvtrack_magics.run.checkpoint.plain import from_plain

FORMAT = 1
FOLDER = "checkpoints"
"""Of the state folder, and of a run's artifacts."""
_NAME = re.compile(r"step-([0-9]{6,})\.pt")
SUFFIX = ".pt"
FORGOTTEN = 60 * 86_400.0  # seconds after which what no run went on from is deleted


@dataclass(frozen=True, slots=True)
class Kept:
    """One checkpoint: how many steps were done, and its file."""

    step: int
    path: Path


def step_of(path: str) -> int:
    """Return the step of a checkpoint by the name of its file or folder; -1 of what is none."""
    found = re.search(r"step-([0-9]{6,})(?:\.pt)?$", path)
    return int(found[1]) if found else -1


class CheckpointFolder:
    """The checkpoints of one run.

    Parameters
    ----------
    state : Path
        The state folder.
    key : str
        The run's key, which is the same in all its stretches.
    """

    before: ClassVar[Callable[[], None]] = staticmethod(lambda: None)
    """Called before one can be gone on from: what was logged up to it must be known by then."""
    told: ClassVar[Callable[[Kept], None]] = staticmethod(lambda _: None)
    """Told each one that was written: in a worker that has no store, its driver keeps it."""

    def __init__(self, state: Path, key: str) -> None:
        self.path = state / FOLDER / re.sub(r"[^0-9A-Za-z_-]", "_", key)

    def kept(self) -> list[Kept]:
        """Return what is there, the newest first; what others could have put there is not."""
        with suppress(OSError):
            if unfit(self.path):
                return []
            found = [(_NAME.fullmatch(path.name), path) for path in self.path.iterdir()]
            steps = [Kept(int(match[1]), path) for match, path in found if match]
            fit = [one for one in steps if not unfit(one.path)]
            return sorted(fit, key=lambda one: one.step, reverse=True)
        return []

    def write(self, step: int, state: Mapping[str, Any], keep: int) -> Kept:
        """Write a checkpoint, then delete the oldest of more than ``keep``."""
        import torch

        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path / f"step-{step:06d}.pt"
        part = self.path / f"{path.name}.part"
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                torch.save({"format": FORMAT, **state}, file)
                file.flush()
                os.fsync(file.fileno())
            CheckpointFolder.before()
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        for old in self.kept()[keep:]:
            old.path.unlink(missing_ok=True)
        kept = Kept(step, path)
        CheckpointFolder.told(kept)
        return kept

    def clear(self, above: int = -1) -> None:
        """Delete all, or those behind a step."""
        if above < 0:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        for one in self.kept():
            if one.step > above:
                one.path.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is ever run.

    Raises
    ------
    ValueError
        It is not one, or one of a later version of this package.
    """
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        said = found.get("format") if isinstance(found, dict) else None
        raise ValueError(f"format {said!r} is not known; a newer cvtrack_magics may have made it")
    state = from_plain(found)
    assert isinstance(state, dict)
    return state


def tidy(state: Path) -> None:
    """Delete the checkpoints of runs that nobody went on with for two months."""
    with suppress(OSError):
        for folder in (state / FOLDER).iterdir():
            if time.time() - folder.lstat().st_mtime > FORGOTTEN and not unfit(folder):
                shutil.rmtree(folder, ignore_errors=True)
