"""The notebook and the script of a run that is run again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

from cvtrack_magics.capture.code.minimal import script_cell
from cvtrack_magics.replay.plan import Plan
from cvtrack_magics.text import visible

NOTEBOOK, SCRIPT, REQUIREMENTS = "replay.ipynb", "replay.py", "requirements.txt"
_PINNED = re.compile(r"^[A-Za-z0-9][\w.\-]*(\[[\w,\-]+\])?\s*(==|@ (?!file:))\s*\S+")


def notebook_of(plan: Plan) -> str:
    """Return the notebook (nbformat 4.5): the cells that are needed, and the rest below a line."""
    cells = [("markdown", _head(plan)), *(("code", one) for one in (*plan.before, plan.cell))]
    if plan.rest:
        cells.append(("markdown", "---\nThe rest of the session, which the run does not need:"))
        cells += (("raw", one) for one in plan.rest)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {
        "cells": [_cell(kind, source, at) for at, (kind, source) in enumerate(cells)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _cell(kind: str, source: str, at: int) -> dict[str, object]:
    name = hashlib.sha256(f"{at}:{source}".encode("utf-8", "replace")).hexdigest()[:8]
    more: dict[str, object] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    lines = source.splitlines(keepends=True)
    return {"cell_type": kind, "id": name, "metadata": {}, "source": lines, **more}


def _head(plan: Plan) -> str:
    name = re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", visible(plan.name).replace("\n", " "))
    return (
        f"# {name}, run again\n\nRun `{plan.run_id}`, as it was recorded: the cells that it "
        "depends on, then its own. `%mlreplay RUN --check` runs them and compares the metrics."
    )


def script_of(plan: Plan) -> str:
    """Return the script: cells as jupytext has them, magics as comments, its packages on top.

    ``uv run`` builds the environment by the lines on top (PEP 723); ``cvtrack exec`` runs it.
    """
    lines = ["# /// script", "# dependencies = ["]
    lines += [f"#     {json.dumps(line)}," for line in _packages(plan.requirements)]
    lines += ["# ]", "# ///", f"# Run {plan.run_id}: cvtrack exec {SCRIPT}", ""]
    for source in (*plan.before, plan.cell):
        lines.append(script_cell(source))
    if plan.rest:
        lines += ["# %% [markdown]", "# The rest of the session, which the run does not need:"]
        lines += [f"#     {line}" for source in plan.rest for line in [*source.splitlines(), ""]]
    return "\n".join(lines)


def _packages(requirements: str) -> Iterator[str]:
    for line in requirements.splitlines():
        if _PINNED.match(line.strip()):
            yield line.strip()
