"""Documents of ``--json`` beside docs/json.md: every key is there, of the type that it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "json.md"
KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float, str),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "object": (dict,),
    "null": (type(None),),
}


def documented(heading: str) -> dict[str, tuple[type, ...]]:
    """Return the keys of a section with the types of their values."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w.\[\]]+)` \| ([\w ]+) \|", section, re.M)
    return {key: sum((KINDS[word] for word in kind.split(" or ")), ()) for key, kind in rows}


def check(document: dict[str, Any], heading: str) -> None:
    """Fail where a document is not what its section says."""
    known = documented(heading)
    found = dict(document)
    assert found.pop("format") == 1
    _walk(found, "", known)
    top = {key.split(".")[0].removesuffix("[]") for key in known}
    assert top == set(found)


def _walk(value: Any, path: str, known: dict[str, tuple[type, ...]]) -> None:
    if path in known:
        assert type(value) in known[path], (path, value)
    elif isinstance(value, dict):
        for key, one in value.items():
            _walk(one, f"{path}.{key}".lstrip("."), known)
    elif isinstance(value, list):
        for one in value:
            _walk(one, f"{path}[]", known)
    else:
        raise AssertionError(f"{path} is not in the page")
