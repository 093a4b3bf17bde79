"""What the system is asked for, where it has no answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASKS = """
import os, sys
number = int(sys.argv[1])
from cvtrack_magics import system
import getpass
if os.getuid() == 0:
    os.setuid(number)
else:
    import pwd
    pwd.getpwuid = {}.__getitem__
print(system.user_name())
"""


@pytest.mark.parametrize(("variable", "found"), [("", "uid "), ("ana", "ana")])
def test_a_user_without_a_name_has_a_number(variable: str, found: str) -> None:
    names = ("LOGNAME", "USER", "LNAME", "USERNAME")
    environment = {key: value for key, value in os.environ.items() if key not in names}
    environment |= {"USER": variable} if variable else {}
    done = subprocess.run(
        [sys.executable, "-c", ASKS, "54321"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.strip().startswith(found)
