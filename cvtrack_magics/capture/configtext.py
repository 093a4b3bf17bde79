"""Hides the secret leaves of a configuration file and leaves the rest of its text alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cvtrack_magics.capture.values import HIDDEN, hide_tokens, looks_secret


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
    except ValueError:  # UsageProblem is one: what we wrote does not parse
        return text, False


def _hide_nodes(text: str) -> str:
    import yaml

    spans: set[tuple[int, int]] = set()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    _collect(root, "", spans)
    for start, end in sorted(spans, reverse=True):
        # A block scalar ends with its line break, which the next line needs.
        kept = len(text[start:end].rstrip())
        text = f'{text[:start]}"{HIDDEN}"{text[start + kept :]}'
    return text


def _collect(node: Any, key: str, spans: set[tuple[int, int]]) -> None:
    if node is None:
        return
    if node.id == "mapping":
        for name, item in node.value:
            word = str(name.value)
            _collect(item, f"{key}.{word}" if key else word, spans)
    elif node.id == "sequence":
        for index, item in enumerate(node.value):
            _collect(item, f"{key}.{index}", spans)
    elif node.value and looks_secret(key, node.value) and not _harmless(node):
        spans.add((node.start_mark.index, node.end_mark.index))


def _harmless(node: Any) -> bool:
    return str(node.tag).rpartition(":")[2] in {"null", "bool"}


_TOML_LINE = re.compile(
    r"(?P<head>^\s*|[{,]\s*)(?P<key>[\w\-.\"' ]+?)\s*=\s*"
    r"(?P<value>\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^\s,#\[{}\]\"'][^,#\n}\]]*)",
    re.MULTILINE,
)
_TOML_TABLE = re.compile(r"^\s*\[+\s*([^\]\n]+?)\s*\]+", re.MULTILINE)


def _hide_toml(text: str) -> str:
    tables = [(match.start(), match.group(1)) for match in _TOML_TABLE.finditer(text)]

    def hidden(match: re.Match[str]) -> str:
        above = [name for start, name in tables if start < match.start()]
        key = f"{above[-1]}.{match['key']}" if above else match["key"]
        if match["value"] in {"true", "false"} or not looks_secret(
            key, match["value"].strip("\"'")
        ):
            return match.group(0)
        return match.group(0)[: -len(match["value"])] + f'"{HIDDEN}"'

    return _TOML_LINE.sub(hidden, text)
