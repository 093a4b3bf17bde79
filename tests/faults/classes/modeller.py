"""A training that makes a model, and says where it is with it; run as a script."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.faults.classes.trainer import Training, acks_of, train, wait

FOLDER = "models/best"
FILE = f"{FOLDER}/weights.txt"


def main(training: Training, folder: Path, *, fails: bool) -> None:
    """Train, make a model, wait in the middle of it, and bring it to its end."""
    from cvtrack_magics import mlrun
    from cvtrack_magics.records import Artifact
    from cvtrack_magics.run.model_making import making
    from cvtrack_magics.run.recording import needed

    acks = acks_of(folder, training.name)
    with mlrun(training.name, output=False, code=False):
        train(training, range(training.steps), acks)
        target = needed("", "%mlmodel")
        try:
            with making(target, FOLDER, "model") as made:
                made.begin()
                os.write(acks, b"begun\n")
                wait(training.waits, folder / f"{training.name}.go")
                if fails:
                    raise ValueError("it differs")
                ended = made.ended(holds=True, tags={"proved": "8"})
                target.record({}, [ended, Artifact(FILE, training.name)], now=True)
                os.write(acks, b"ended\n")
        except ValueError:
            os.write(acks, b"failed\n")
        wait(training.stays, folder / f"{training.name}.end")
    os.write(acks, b"closed\n")


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    main(Training(**given["training"]), Path(sys.argv[2]), fails=given["fails"])
