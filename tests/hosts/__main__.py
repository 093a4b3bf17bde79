"""``make hosts``: try every host that needs no browser, and write the table of docs/hosts.md."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat

from tests.hosts import headless
from tests.hosts.cells import Host, Lane, github

PAGE = Path(__file__).parents[2] / "docs" / "hosts.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->"
COLUMNS = {
    "runs": "a cell is a run",
    "failures": "a failure is FAILED, once",
    "live": "seen while it runs",
    "buttons": "Stop, Pause, Mark",
    "saved": "what is saved",
    "viewer": "`%mlgrid`",
}
OLD = os.environ.get("HOSTS_OLD", "")  # a Python with IPython 7.34, ipywidgets 7.7.1
MARIMO = os.environ.get("HOSTS_MARIMO", "")  # a Python with marimo


def lanes() -> dict[str, Lane]:
    """Return what can be tried with the Pythons that there are."""
    found: dict[str, Lane] = {
        "script": headless.script,
        "terminal": headless.terminal,
        "exec": headless.exec_,
        "papermill": headless.papermill,
    }
    if OLD:
        name = "IPython 7.34, ipywidgets 7.7.1, ipykernel 6.17.1 (Colab's)"
        found["old"] = lambda folder: headless.kernel(folder, name, OLD)
    if MARIMO:
        found["marimo"] = lambda folder: headless.marimo(folder, MARIMO)
    return found


def table(hosts: list[Host]) -> str:
    """Return the rows as Markdown."""
    rows = [["host", *COLUMNS.values()], ["---"] * (len(COLUMNS) + 1)]
    rows += [[host.name, *(host.cells.get(key, "not tried") for key in COLUMNS)] for host in hosts]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main(names: list[str]) -> None:
    """Try the named lanes, or all; write the table when all were tried."""
    hosts = []
    for name, lane in lanes().items():
        if names and name not in names:
            continue
        folder = Path(tempfile.mkdtemp(prefix=f"host-{name}-"))
        hosts.append(lane(folder))
        print(table(hosts[-1:]).splitlines()[-1], flush=True)
        out = folder / "out.ipynb"
        if out.exists():
            hosts.append(github(nbformat.read(out, as_version=4)))
    if names:
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{table(hosts)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
