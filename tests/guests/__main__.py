"""``make guests``: run every guest with and without us, and write ``docs/guests.md``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.guests.guest import GUESTS
from tests.guests.table import Row, write
from tests.guests.try_guest import tried


def main() -> int:
    """Run the guests that are named, or all; return how many are not as they must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.guests")
    parser.add_argument("names", nargs="*", help="cells in tests/guests/cells; all without")
    parser.add_argument("--no-table", action="store_true", help="leave docs/guests.md as it is")
    parser.add_argument("--keep", type=Path, help="folder that keeps stores and files")
    options = parser.parse_args()
    chosen = [one for one in GUESTS if not options.names or one.cell in options.names]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as made:
        for guest in chosen:
            folder = (options.keep or Path(made)) / guest.cell
            row = tried(guest, folder)
            rows.append(row)
            print(f"{guest.cell}: {'as it must be' if not row.problems else ''}", flush=True)
            for line in row.problems:
                print(f"  {line}", flush=True)
    if not options.no_table:
        write(rows)
    return sum(bool(row.problems) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
