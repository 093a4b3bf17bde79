"""One guest: alone, with us, and what is wrong."""

from __future__ import annotations

from pathlib import Path

from tests.guests.guest import Guest
from tests.guests.judge import OURS, problems, recorded_in
from tests.guests.table import Row
from tests.guests.trials import Trial, alone, with_us


def tried(guest: Guest, folder: Path) -> Row:
    """Run a guest with and without us; return its row of the table."""
    found: list[str] = []
    folders = [folder / "alone", folder / "ours"]
    for one in folders:
        one.mkdir(parents=True)
    plain, ours = Trial(), Trial()
    try:
        plain, ours = alone(guest, folders[0]), with_us(guest, folders[1])
    except Exception as error:
        found.append(f"did not run: {error}")
    if not found:
        before, after = map(recorded_in, folders)
        found += problems(guest, plain, ours, before, after)
        run = next((one for one in after if one.name == "train"), None)
        if run is not None:
            curves = [key for key in run.curves if not OURS.match(key)]
            points = sum(len(run.curves[key]) for key in curves)
            return Row(guest, len(after), len(run.params), len(curves), points, found)
    return Row(guest, 0, 0, 0, 0, found)
