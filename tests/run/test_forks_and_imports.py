"""A child that is forked while another thread imports something can import that too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run.test_workers import run_script

CODE = """
import sys
sys.path.insert(0, FOLDER)
from cvtrack_magics import threads
threads.FORK_PATIENCE = HOW_LONG
mlrun("r", output=False)  # the hooks of forks are there
importing = threading.Thread(target=__import__, args=("slow_to_import",))
importing.start()
while "slow_to_import" not in sys.modules:
    time.sleep(0.001)
pid = os.fork()
if pid == 0:
    import slow_to_import
    os._exit(7 if slow_to_import.done else 8)
for _ in range(3000):
    found, status = os.waitpid(pid, os.WNOHANG)
    if found:
        break
    time.sleep(0.01)
else:
    os.kill(pid, signal.SIGKILL)
    sys.exit("the child hangs")
print("child ended with", os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize(("seconds", "patience"), [(0.3, 5.0), (1.5, 5.0), (1.5, 0.0)])
def test_a_child_does_not_wait_for_an_import_of_its_parent(
    seconds: float, patience: float, store: str, tmp_path: Path
) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        f"import time\ntime.sleep({seconds})\ndone = True\n"
    )
    code = CODE.replace("FOLDER", repr(str(tmp_path))).replace("HOW_LONG", str(patience))
    ran = run_script(code, tmp_path)
    assert "child ended with 7" in ran.stdout, ran.stderr


INSIDE = """
import importlib._bootstrap, sys
sys.path.insert(0, FOLDER)
mlrun("r", output=False)  # the hooks of forks are there
lock = importlib._bootstrap._get_module_lock("quick_to_import")
assert lock.owner is None and lock.lock.acquire(timeout=9)  # as whoever is about to be the owner
pid = os.fork()
if pid == 0:
    signal.alarm(30)
    import quick_to_import
    os._exit(7)
lock.lock.release()
print("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_child_does_not_wait_for_who_was_about_to_import(store: str, tmp_path: Path) -> None:
    (tmp_path / "quick_to_import.py").write_text("")
    ran = run_script(INSIDE.replace("FOLDER", repr(str(tmp_path))), tmp_path)
    assert "child ended with 7" in ran.stdout, ran.stderr
