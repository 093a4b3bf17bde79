"""Masks the sources and outputs of a notebook's JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from cvtrack_magics.secrets.masker import Masker

KEY = "cvtrack_masked"
_BINARY = ("image/", "video/", "audio/", "application/pdf", "application/octet")


def mask_notebook(text: str, masker: Masker) -> tuple[str, Counter[str]]:
    """Mask a notebook.

    Parameters
    ----------
    text : str
        The JSON of a notebook.
    masker : Masker
        Knows secrets.

    Returns
    -------
    text : str
        The notebook; cells that were masked, and the notebook, say so in their metadata
        under ``cvtrack_masked``. As it was where nothing was found.
    found : Counter
        How many secrets, by the name of their rule.
    """
    try:
        return _mask_cells(text, masker)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        masked = masker.mask(text)
        return masked.text, masked.found


def _mask_cells(text: str, masker: Masker) -> tuple[str, Counter[str]]:
    notebook = json.loads(text)
    cells = list(notebook["cells"])
    total: Counter[str] = Counter()
    changed = False
    for index, cell in enumerate(cells):
        found: Counter[str] = Counter()
        new = _walk(cell, masker, found)
        changed = changed or new != cell
        if found:
            new.setdefault("metadata", {})[KEY] = dict(found)
            if "id" in new:  # one that is made of the source could tell a short password
                new["id"] = f"masked-{index}"
            total += found
        cells[index] = new
    if not changed:
        return text, total
    notebook["cells"] = cells
    if total:
        notebook.setdefault("metadata", {})[KEY] = dict(total)
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", total


def _walk(  # noqa: PLR0911
    value: Any, masker: Masker, found: Counter[str], key: str = ""
) -> Any:
    if key.startswith(_BINARY) and key != "image/svg+xml":
        return value
    if isinstance(value, str):
        masked = masker.mask(value)
        found.update(masked.found)
        return masked.text
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        # the lines of one text: a secret may go over several
        masked = masker.mask("".join(value))
        if not masked.found and masked.text == "".join(value):
            return value
        found.update(masked.found)
        return masked.text.splitlines(keepends=True)
    if isinstance(value, list):
        return [_walk(item, masker, found) for item in value]
    if isinstance(value, dict):
        return {k: _walk(v, masker, found, k) for k, v in value.items()}
    return value
