"""What a store says, as text for a program that reads it as words: short, masked and inert."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cvtrack_magics.commands.json_answer import ready
from cvtrack_magics.display.runs_table import RunsTable
from cvtrack_magics.display.text import ago, duration, number, plain, shorten
from cvtrack_magics.records import Param, Tag
from cvtrack_magics.secrets.records import RecordMasker

BYTES = 8_000
"""Of an answer: 2,000 tokens where one is four bytes of UTF-8."""
RUNS = 100
_NAME, _VALUE, _CELL = 24, 200, 10
_ID = 8
_FIXED = ("id", "status", "age", "took", "name")


class Inert:
    """Makes text of a store safe to be read on.

    Parameters
    ----------
    masker : RecordMasker
        That of the session, as for what is recorded.
    """

    def __init__(self, masker: RecordMasker) -> None:
        self._masker = masker

    def text(self, text: str, width: int = _VALUE) -> str:
        """Return one line without secrets and control characters, and not too long."""
        return shorten(plain(self._masker.text(text[: 20 * width])), width)

    def block(self, text: str, most: int) -> str:
        """Return the first lines of a text without secrets and control characters."""
        lines = [plain(line) for line in self._masker.text(text[: 4 * most]).split("\n")]
        whole = "\n".join(lines)
        return whole if len(whole) <= most else f"{whole[:most]}\n… cut"

    def named(self, values: Mapping[str, str], kind: type[Param] | type[Tag]) -> dict[str, str]:
        """Return params or tags, those hidden whose names say that they are secrets."""
        masked = self._masker.records(kind(key, str(value)) for key, value in values.items())
        return {
            self.text(one.key, 80): self.text(one.value)
            for one in masked
            if isinstance(one, (Param, Tag))
        }

    def metrics(self, values: Mapping[str, float]) -> dict[str, Any]:
        """Return metrics by names without secrets."""
        return {self.text(name, 80): ready(value) for name, value in values.items()}

    def walk(self, value: Any) -> Any:
        """Return JSON-ready data whose texts, names among them, are inert."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key), 80): self.walk(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.walk(one) for one in value]
        return ready(value)


def compact(facts: Mapping[str, Any], most: int = BYTES) -> str:
    """Return facts as JSON of at most so many bytes; the longest of its lists are cut first."""
    cut = {key: list(one) if isinstance(one, (list, tuple)) else one for key, one in facts.items()}
    left: dict[str, int] = {}
    while len((text := _json({**cut, **_said(left)})).encode()) > most:
        sizes = {key: len(_json(one)) for key, one in cut.items() if one and _can_be_cut(one)}
        if not sizes:
            return text.encode()[: most - 8].decode("utf-8", "ignore") + "… cut"
        longest = max(sizes, key=lambda key: sizes[key])
        half = len(cut[longest]) // 2
        left[longest] = left.get(longest, 0) + len(cut[longest]) - half
        cut[longest] = _first(cut[longest], half)
    return text


def _said(left: Mapping[str, int]) -> dict[str, Any]:
    return {"left_out": dict(left)} if left else {}


def _can_be_cut(value: Any) -> bool:
    return isinstance(value, (list, Mapping))


def _first(value: Any, many: int) -> Any:
    if isinstance(value, Mapping):
        return dict(list(value.items())[:many])
    return value[:many]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def runs_text(table: RunsTable, inert: Inert, now: float, most: int = BYTES) -> str:
    """Return runs as lines of columns between tabs, with as many columns as there is room for.

    Parameters
    ----------
    table : RunsTable
        The runs, ``RUNS`` of them at most.
    inert : Inert
        Makes their text safe.
    now : float
        Unix seconds.
    most : int
        Bytes.
    """
    lines = table.lines[:RUNS]
    rows = [
        [
            line.run_id[:_ID],
            line.status,
            ago(now - line.started).removesuffix(" ago"),
            duration(line.duration) if line.status != "RUNNING" else "",
            inert.text("> " * min(line.depth, 3) + line.name, _NAME),
        ]
        for line in lines
    ]
    head = [inert.text(table.title, 80), "\t".join(_FIXED)]
    more = [f"{len(table.lines) - len(lines)} more runs; a filter names fewer."]
    notes = [inert.text(note) for note in table.notes] + more * (len(table.lines) > RUNS)
    used = _size([*head, *map("\t".join, rows), *notes])
    columns = list(_FIXED)
    for name, cells in _columns(table, inert):
        size = len(name.encode()) + sum(len(cell.encode()) for cell in cells) + len(rows) + 1
        if used + size > most or len(columns) > 12:
            break
        used += size
        columns.append(name)
        for row, cell in zip(rows, cells, strict=True):
            row.append(cell)
    return "\n".join([head[0], "\t".join(columns), *map("\t".join, rows), *notes])


def _columns(table: RunsTable, inert: Inert) -> Iterable[tuple[str, list[str]]]:
    """Yield metrics and params in turn, each the most telling first."""
    lines, metrics, params = table.lines[:RUNS], table.metrics, table.params
    for at in range(max(len(metrics), len(params))):
        for name in metrics[at : at + 1]:
            values = (line.metrics.get(name) for line in lines)
            yield inert.text(name, _NAME), ["" if v is None else number(v, 4) for v in values]
        for name in params[at : at + 1]:
            kept = [inert.named({name: line.params.get(name, "")}, Param) for line in lines]
            yield inert.text(name, _NAME), [shorten("".join(one.values()), _CELL) for one in kept]


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
