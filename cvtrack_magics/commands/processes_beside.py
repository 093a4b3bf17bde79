"""``cvtrack ps`` and ``cvtrack stop``: the processes that kernels keep beside them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from cvtrack_magics.console import say

DONE, ERROR = 0, 2


def add_processes(commands: Any) -> None:
    """Add both to the parser's commands."""
    ps = commands.add_parser(
        "ps",
        help="list the processes that kernels keep beside them",
        description="List the processes that send long runs and that watch for a kernel's end.",
    )
    ps.add_argument("--json", action="store_true", help="say it as JSON")
    ps.set_defaults(perform=_ps)
    stop = commands.add_parser(
        "stop",
        help="end those processes",
        description="End the processes that send long runs and that watch for a kernel's end. "
        "Nothing is lost: a kernel that lives goes on by itself, and what one left that is gone "
        "is sent at the next load or by 'cvtrack sync'.",
    )
    stop.add_argument("pid", nargs="*", type=int, help="all of them when none is named")
    stop.set_defaults(perform=_stop_processes)


def _ps(options: argparse.Namespace) -> int:
    from cvtrack_magics.delivery.processes import beside

    found = beside()
    lines = "\n".join(map(str, found)) or "No process runs beside a kernel."
    said = json.dumps([asdict(item) for item in found], indent=2) if options.json else lines
    options.answer.give(said)
    return DONE


def _stop_processes(options: argparse.Namespace) -> int:
    from cvtrack_magics.delivery.processes import stop

    ended = stop(options.pid)
    say("\n".join(f"ended {item}" for item in ended) or "No such process runs.")
    return DONE if ended or not options.pid else ERROR
