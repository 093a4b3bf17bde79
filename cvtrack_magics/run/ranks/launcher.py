"""The process between a notebook and its ranks: it starts them by torch elastic, and ends them.

``python -m cvtrack_magics.run.ranks.launcher FOLDER N``. Its standard input is a pipe whose other
end the notebook alone has: when that is closed, the notebook is gone, and so is all below.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

RANK = "cvtrack_magics.notebook.rank_process"
PATIENCE = 3  # seconds that ranks are given to go once one has failed


def main() -> int:
    """Start the ranks and wait for them; the exit codes of those that failed are printed."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    threading.Thread(target=_end_with_notebook, args=[folder], daemon=True).start()
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    from cvtrack_magics.run.ranks.wire import LOGS

    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(PATIENCE))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        monitor_interval=0.1,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / LOGS)),
    )
    try:
        elastic_launch(config, sys.executable)("-m", RANK, str(folder))
    except ChildFailedError as error:
        print(json.dumps({str(rank): one.exitcode for rank, one in error.failures.items()}))
        return 1
    return 0


def _end_with_notebook(folder: Path) -> None:
    """Wait for the notebook's end; then leave no process, and no file."""
    while os.read(0, 1):
        pass
    end_groups(below())
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def below() -> list[int]:
    """Return the processes that this one has started."""
    import psutil

    with suppress(psutil.Error):
        return [one.pid for one in psutil.Process().children()]
    return []


def end_groups(leaders: list[int]) -> None:
    """End ranks with all that they have started: each is the first of a group of its own."""
    for pid in leaders:
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
