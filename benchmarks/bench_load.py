"""What ``%load_ext cvtrack_magics`` adds to a bare IPython."""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path

import cvtrack_magics
from benchmarks.rows import Row, in_turn

BARE = """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance()
"""
LOADED = BARE + "InteractiveShell.instance().run_line_magic('load_ext', 'cvtrack_magics')\n"
# the process's own end is not what is measured, and MLflow may still be loading behind it
EXIT = "import os; os._exit(0)\n"


def rows() -> list[Row]:
    """Time whole processes, with and without the extension.

    The package is compiled first, as pip does when it installs one.
    """
    compileall.compile_dir(str(Path(cvtrack_magics.__file__).parent), quiet=1)

    def run(code: str) -> None:
        subprocess.run([sys.executable, "-c", code + EXIT], check=True)

    loaded, bare = in_turn(lambda: run(LOADED), lambda: run(BARE), rounds=15)
    added = loaded - bare
    return [
        Row(
            f"%load_ext (adds {added * 1000:.0f} ms)",
            loaded,
            "bare IPython",
            bare,
            "adds at most 30 ms",
            added <= 0.030,
        )
    ]
