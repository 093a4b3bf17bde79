"""The cells executed so far, as a script and as a notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

OUTPUT_LIMIT = 1_000_000
_WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Cell:
    """One executed cell.

    Parameters
    ----------
    execution_count : int
        The number in ``In [n]``.
    source : str
        What was typed, magics included.
    outputs : tuple of dict
        Its outputs as nbformat 4 output dicts.
    """

    execution_count: int
    source: str
    outputs: tuple[dict[str, object], ...] = ()


def session_script(cells: Sequence[Cell]) -> str:
    """Return the cells as one IPython script, to be saved as ``.ipy``.

    Parameters
    ----------
    cells : sequence of Cell
        In the order of execution.

    Returns
    -------
    str
        Each cell under a ``# %% [n]`` line, which editors show as cells. Magics stay
        as they were typed, so it runs with ``ipython session.ipy``; a cell magic
        owns its whole cell, and is written as a ``run_cell_magic`` call.
    """
    parts = [f"# %% [{cell.execution_count}]\n{as_script(cell.source)}\n" for cell in cells]
    return "\n".join(parts)


def as_script(source: str) -> str:
    """Return a cell as a script has it: a cell magic is a call, for it would own what follows."""
    text = source.rstrip("\n")
    first, _, body = text.lstrip().partition("\n")
    if not first.startswith("%%"):
        return text
    name, _, line = first[2:].partition(" ")
    return f"get_ipython().run_cell_magic({name!r}, {line.strip()!r}, {_quoted(body)})"


def _quoted(body: str) -> str:
    """Return a body as a literal that still reads as the lines it is, if that is possible."""
    for quotes in ('"""', "'''"):
        if quotes not in body and "\r" not in body:
            return f"r{quotes}{body}\n{quotes}"
    return repr(body + "\n")


def session_notebook(cells: Sequence[Cell]) -> str:
    """Return the cells as the JSON text of a notebook (nbformat 4.5).

    Parameters
    ----------
    cells : sequence of Cell
        In the order of execution; the same cell executed twice stands there twice.

    Returns
    -------
    str
        Widget views are dropped, because they say nothing without their kernel. An
        output over 1 MB is replaced by a line that says what was left out.
    """
    notebook = {
        "cells": [_cell(cell, index) for index, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1, default=str) + "\n"


def _cell(cell: Cell, index: int) -> dict[str, object]:
    return {
        "cell_type": "code",
        "execution_count": cell.execution_count,
        "id": f"{index:08}",
        "metadata": {},
        "outputs": [kept for output in cell.outputs for kept in _output(output)],
        "source": cell.source.splitlines(keepends=True),
    }


def _output(output: dict[str, object]) -> list[dict[str, object]]:
    # "transient" is wire protocol (display ids), which the file format does not know.
    kept = {key: value for key, value in output.items() if key != "transient"}
    data = kept.get("data")
    if isinstance(data, dict):
        shown = {mime: content for mime, content in data.items() if mime != _WIDGET}
        if not shown:
            return []
        kept["data"] = _cap_data(shown)
        kept.setdefault("metadata", {})
    elif isinstance(kept.get("text"), (str, list)):
        text = _joined(kept["text"])
        if len(text) > OUTPUT_LIMIT:
            kept["text"] = text[:OUTPUT_LIMIT] + _left_out("text", len(text) - OUTPUT_LIMIT)
    elif len(json.dumps(kept, default=str)) > OUTPUT_LIMIT:
        return [{"output_type": "stream", "name": "stderr", "text": _left_out("an output", 0)}]
    return [kept]


def _cap_data(data: dict[str, object]) -> dict[str, object]:
    room = OUTPUT_LIMIT
    kept: dict[str, object] = {}
    dropped: list[str] = []
    for mime, content in sorted(data.items(), key=lambda item: _size(item[1])):
        size = _size(content)
        if size <= room:
            kept[mime] = content
            room -= size
        else:
            dropped.append(_left_out(mime, size))
    if dropped:
        kept["text/plain"] = _joined(kept.get("text/plain", "")) + "".join(dropped)
    return kept


def _size(content: object) -> int:
    return len(content) if isinstance(content, str) else len(json.dumps(content, default=str))


def _joined(content: object) -> str:
    return "".join(map(str, content)) if isinstance(content, list) else str(content)


def _left_out(what: str, size: int) -> str:
    amount = f", {size:,} characters" if size else ""
    return f"\n[left out of the saved session: {what}{amount}]\n"
