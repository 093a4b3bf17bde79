"""``cvtrack sweep``: several processes that run the trials of one sweep."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress


def run_beside(file: str, words: Sequence[str], jobs: int, gpus: Sequence[str]) -> int:
    """Run a file's cells in several processes at once; return the highest exit code.

    Parameters
    ----------
    file : str
        A notebook or script with a ``%%mlsweep`` cell: each process joins its sweep.
    words : sequence of str
        Further words of ``cvtrack exec``.
    jobs : int
        How many processes there are; none is forked.
    gpus : sequence of str
        GPUs that they see in turn, each one of them.
    """
    command = [sys.executable, "-m", "cvtrack_magics", "exec", file, *words]
    running = [subprocess.Popen(command, env=_seeing(at, gpus)) for at in range(jobs)]
    try:
        return max(_code(one.wait()) for one in running)
    except BaseException:  # an interrupt from the terminal has come to them, too
        for one in running:
            with suppress(subprocess.TimeoutExpired):
                one.wait(30)
            if one.poll() is None:
                one.terminate()
        raise


def _seeing(number: int, gpus: Sequence[str]) -> dict[str, str]:
    shown = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
    return {**os.environ, **shown}


def _code(code: int) -> int:
    return code if code >= 0 else 128 - code
