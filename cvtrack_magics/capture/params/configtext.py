"""Hides the secret leaves of a configuration file and leaves the rest of its text alone."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from cvtrack_magics.capture.params.values import HIDDEN, hide_tokens, looks_secret
from cvtrack_magics.limits import Room

_MOST_NODES = 1_000_000
_MOST_LEVELS = 100
_MOST_CHARACTERS = 100_000_000
_LONGEST_TOML = 1_000_000  # characters; a pattern takes much memory for a text of escapes


def secret_keys(value: Any, key: str = "") -> list[str]:
    """Return the dotted names of all leaves that look secret."""
    if isinstance(value, dict):
        return [
            found
            for name, item in value.items()
            for found in secret_keys(item, f"{key}.{name}" if key else str(name))
        ]
    if isinstance(value, list):
        return [
            found
            for index, item in enumerate(value)
            for found in secret_keys(item, f"{key}.{index}")
        ]
    return [key] if value != HIDDEN and looks_secret(key, value) else []


def hide_secrets(
    text: str, content: Any, kind: str, parse: Callable[[str], Any]
) -> tuple[str, bool]:
    """Replace secret leaves by ``***`` and keep comments and layout.

    Parameters
    ----------
    text : str
        The file as it is.
    content : object
        What it parses to.
    kind : {"yaml", "json", "toml"}
        The format.
    parse : callable
        Parses a changed text again, to prove that no secret is left.

    Returns
    -------
    text : str
        The text to record.
    whole : bool
        ``False`` when the secrets could not be located in the text; then ``text``
        must not be recorded.
    """
    text = hide_tokens(text)
    if not secret_keys(content):
        return text, True
    try:
        changed = _hide_toml(text) if kind == "toml" else _hide_nodes(text)
        return changed, not secret_keys(parse(changed))
    except (ValueError, RecursionError):  # UsageProblem is one: what we wrote does not parse
        return text, False


def _hide_nodes(text: str) -> str:
    import yaml

    spans: set[tuple[int, int]] = set()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    _collect(root, "", spans, Room(_MOST_NODES, _MOST_LEVELS, _MOST_CHARACTERS))
    parts, at = [], 0
    for start, end in sorted(spans):
        # A block scalar ends with its line break, which the next line needs.
        kept = len(text[start:end].rstrip())
        parts += [text[at:start], f'"{HIDDEN}"']
        at = start + kept
    return "".join([*parts, text[at:]])


def _collect(node: Any, key: str, spans: set[tuple[int, int]], room: Room) -> None:
    if node is None:
        return
    # a merge of merges has more nodes than the content has values
    room.take(1, len(key))
    with room.below():
        if node.id == "mapping":
            for name, item in node.value:
                word = str(name.value)
                _collect(item, f"{key}.{word}" if key else word, spans, room)
        elif node.id == "sequence":
            for index, item in enumerate(node.value):
                _collect(item, f"{key}.{index}", spans, room)
        elif node.value and looks_secret(key, node.value) and not _harmless(node):
            spans.add((node.start_mark.index, node.end_mark.index))


def _harmless(node: Any) -> bool:
    return str(node.tag).rpartition(":")[2] in {"null", "bool"}


_TOML_LINE = re.compile(
    r"(?P<head>^[ \t]*|[{,][ \t]*)(?P<key>[\w\-.\"']+(?: +[\w\-.\"']+)*)[ \t]*=[ \t]*"
    r"(?P<value>\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"|'[^'\n]*'|[^\s,#\[{}\]\"'][^,#\n}\]]*)",
    re.MULTILINE,
)
_TOML_TABLE = re.compile(r"^[ \t]*\[+([^\[\]\n]+)\]+", re.MULTILINE)


def _hide_toml(text: str) -> str:
    if len(text) > _LONGEST_TOML:
        raise ValueError("it is too long to look for secrets in it")
    tables = list(_TOML_TABLE.finditer(text))
    starts = [table.start() for table in tables]

    def hidden(match: re.Match[str]) -> str:
        above = bisect_left(starts, match.start())
        table = tables[above - 1][1].strip() if above else ""
        key = f"{table}.{match['key']}" if table else match["key"]
        if match["value"] in {"true", "false"} or not looks_secret(
            key, match["value"].strip("\"'")
        ):
            return match.group(0)
        return match.group(0)[: -len(match["value"])] + f'"{HIDDEN}"'

    return _TOML_LINE.sub(hidden, text)
