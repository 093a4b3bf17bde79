"""A training that says of each call of ``log()`` that it returned; run as a script."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Training:
    """What a training does, in one run.

    ``waits`` lets it wait, after its steps, until somebody says that it may go on; ``more`` is
    how many steps it makes then, after a file.
    """

    name: str
    steps: int = 200
    pace: float = 0.002
    waits: bool = False
    more: int = 0
    seed: int = 0

    def metrics(self, step: int) -> dict[str, float]:
        """Return what is logged at a step; every third step has one name more."""
        base = float((self.seed * 7919 + step * 31) % 10_007)
        found = {"p/loss": base / 7, "p/acc": -base}
        return {**found, "p/third": base * 1e-9} if step % 3 == 0 else found

    def points(self, step: int) -> list[tuple[str, int, float]]:
        """Return the points of a step."""
        return [(key, step, value) for key, value in self.metrics(step).items()]


def main(training: Training, folder: Path) -> None:
    """Train."""
    from cvtrack_magics import mlconfig, mlrun

    acks = os.open(folder / f"{training.name}.acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with mlrun(training.name, output=False, params={"of": training.name}):
        os.write(acks, b"open\n")
        mlconfig({"made": training.name}, name=training.name)
        os.write(acks, b"config\n")
        train(training, range(training.steps), acks)
        while training.waits and not (folder / f"{training.name}.go").exists():
            time.sleep(0.02)
        if training.more:
            mlconfig({"late": training.name}, name=f"{training.name}-late")
            os.write(acks, b"late\n")
            train(training, range(training.steps, training.steps + training.more), acks)
    os.write(acks, b"closed\n")


def train(training: Training, steps: Iterable[int], acks: int) -> None:
    """Log some steps."""
    from cvtrack_magics import log

    for step in steps:
        log(training.metrics(step), step=step)
        os.write(acks, b"1\n")
        if training.pace:
            time.sleep(training.pace)


if __name__ == "__main__":
    main(Training(**json.loads(sys.argv[1])), Path(sys.argv[2]))
