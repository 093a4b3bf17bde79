"""``make kills``: kill a training at 50 random steps, let it go on, and compare bit for bit."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import mlflow

from tests.run.checkpoint.training import Job, killed_and_resumed, points, run

STEPS = {"epochs": 28, "generator": 28, "stateful": 28, "track": 28, "own": 28, "flat": 7}


def main() -> int:
    """Play the kills; return 1 where one of them left a trace."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=14)
    wanted = options.parse_args()
    draw = random.Random(wanted.seed)
    os.environ.update(CVTRACK_WATCH="0", CVTRACK_SENDER="thread", CVTRACK_CLOSE_TIMEOUT="60")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db").search_experiments()
        wholes = {shape: Job(_folder(root, f"whole-{shape}"), shape) for shape in STEPS}
        run(list(wholes.values()))
        bad = 0
        for number in range(wanted.kills):
            shape = draw.choice(list(STEPS))
            step = draw.randrange(STEPS[shape])
            job = Job(_folder(root, f"{number}"), shape, kill=step)
            said = run(killed_and_resumed(job))
            codes = [one["code"] for one in said]
            same = codes == [-9, 0] and points(job.folder) == points(wholes[shape].folder)
            bad += not same
            print(
                f"{number + 1:3} {shape:10} step {step:3}: {'same' if same else said}", flush=True
            )
    print(f"{wanted.kills - bad} of {wanted.kills} gave the metrics of the run that was not killed")
    return int(bad > 0)


def _folder(root: Path, name: str) -> str:
    (root / name).mkdir()
    shutil.copyfile(root / "mlflow.db", root / name / "mlflow.db")
    return str(root / name)


if __name__ == "__main__":
    sys.exit(main())
