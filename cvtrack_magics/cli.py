"""``cvtrack`` in a shell: what the magics do, without a notebook."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser(prog="cvtrack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sync = commands.add_parser(
        "sync",
        help="send the runs that wait on disk",
        description="Send the runs that wait on disk, exactly once each. A run whose process "
        "still lives is left alone. Exit code 0: nothing waits; 1: something still does.",
    )
    sync.add_argument("--state", metavar="FOLDER", help="the state folder, when not the usual one")
    sync.add_argument("--show", action="store_true", help="only say what waits")
    sync.add_argument("--json", action="store_true", help="say it as JSON")
    sync.add_argument("--timeout", type=float, default=600.0, help="seconds to wait for the store")
    options = parser.parse_args(arguments)
    return _sync(options)


def _sync(options: argparse.Namespace) -> int:
    from cvtrack_magics.runs.current import get_session
    from cvtrack_magics.runs.sync import mlsync

    session = get_session()
    if options.state:
        session.config.state_folder = str(Path(options.state).expanduser())
    report = mlsync(show=options.show, timeout=options.timeout)
    if options.json:
        kinds = ("sent", "waiting", "open")
        found = {kind: [asdict(i) for i in report.items if i.state == kind] for kind in kinds}
        print(json.dumps(found, indent=2))
    else:
        print(report)
    session.stop()
    return 1 if report.waiting else 0


if __name__ == "__main__":
    sys.exit(main())
