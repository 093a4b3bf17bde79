"""Two schedules of ``make sweep-kills``, which plays all: see :mod:`tests.run.sweep.kills`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_sweep_that_was_cut_off_counts_every_trial_once() -> None:
    """Its process killed, its disk full, while a repeat is told of."""
    command = [sys.executable, "-m", "tests.run.sweep.kills", "--rounds", "1", "--first", "1"]
    command += ["--faults", "kernel,disk full", "--places", "tell"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "2 of 2 schedules ended right" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
