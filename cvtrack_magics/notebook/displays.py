"""What cells displayed, for the session's notebook; ipykernel keeps only what they printed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

HOMES = 500  # of our own displays, the newest, of which it is known whether they were cleared
PRINTED = '<pre style="white-space:pre'
"""What the HTML of text begins with that rich's console prints."""
MOST_BYTES = 16_000_000
"""Of what is kept for all cells; the oldest are words only from there on."""


@dataclass(eq=False)
class Display:
    """An output, and behind how many other outputs of its cell it came."""

    count: int
    place: int
    key: str
    data: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes, as text."""
        return sum(len(str(value)) for value in self.data.values())

    def in_words(self) -> None:
        """Keep the words only."""
        self.data = {kind: text for kind, text in self.data.items() if kind == "text/plain"}

    def output(self) -> dict[str, Any]:
        """Return the output as nbformat has it."""
        return {"output_type": "display_data", "data": dict(self.data), "metadata": {}}


class Displays:
    """Listens to what a kernel's cells display.

    Parameters
    ----------
    shell : InteractiveShell
        A terminal's keeps all outputs by itself; there is nothing to do then.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._kept: list[Display] = []
        self._size = 0
        self._here = threading.local()
        self._homes: dict[str, str] = {}
        """The requests, one a cell that runs, whose outputs our own displays are among."""
        self._gone: set[str] = set()
        self.tables: Callable[[str, str], None] | None = None
        """Told of each table that the user's code displays: its key, and the HTML."""
        self.lines: Callable[[str], None] | None = None
        """Told of text that is displayed in place of being printed, as rich does in a kernel."""
        publisher = shell.display_pub
        self._listens = hasattr(publisher, "register_hook") and not getattr(
            publisher, "store_display_history", False
        )

    def install(self) -> None:
        """Begin to listen."""
        if self._listens:
            self._shell.display_pub.register_hook(self._take)

    def remove(self) -> None:
        """Stop listening."""
        if self._listens:
            self._shell.display_pub.unregister_hook(self._take)

    @contextmanager
    def ours(self) -> Iterator[None]:
        """Keep words only of what is displayed meanwhile: the run has the rest."""
        self._here.ours = True
        try:
            yield
        finally:
            self._here.ours = False

    def hooks_of_others(self) -> list[Any]:
        """Return who else hears what this thread displays; Colab puts in how to draw widgets."""
        hooks = getattr(self._shell.display_pub, "_hooks", ())
        return [hook for hook in hooks if hook != self._take]

    @contextmanager
    def heard_by(self, hooks: Sequence[Any]) -> Iterator[None]:
        """Let the hooks of the cell's thread hear what this one displays meanwhile."""
        publisher = self._shell.display_pub
        here = getattr(publisher, "_hooks", ())
        more = [hook for hook in hooks if hook not in here]
        for hook in more:
            publisher.register_hook(hook)
        try:
            yield
        finally:
            for hook in more:
                publisher.unregister_hook(hook)

    def is_gone(self, key: str) -> bool:
        """Whether a display of our own was cleared away with its cell's other outputs."""
        return key in self._gone

    def is_back(self, key: str) -> None:
        """Note that one is shown again; a thread's displays are not heard here."""
        self._gone.discard(key)

    def among(self, count: int, outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return a cell's outputs with what it displayed in its place among them."""
        found: list[dict[str, Any]] = []
        shown = [display for display in self._kept if display.count == count and display.data]
        for place, output in enumerate([*outputs, None]):
            found += [display.output() for display in shown if display.place == place]
            found += [output] if output is not None else []
        later = [display.output() for display in shown if display.place > len(outputs)]
        return found + later

    def _take(self, message: Any) -> Any:
        kind = message.get("msg_type") or message.get("header", {}).get("msg_type")
        content = message.get("content", {})
        cell = str((message.get("parent_header") or {}).get("msg_id", ""))
        if kind in ("display_data", "update_display_data"):
            self._keep(content, update=kind == "update_display_data")
            self._tell_of_tables(content)
            if kind == "display_data":
                self._tell_of_lines(content)
        if kind == "display_data" and self._are_ours:
            self._note_home(str(content.get("transient", {}).get("display_id", "")), cell)
        elif kind == "clear_output":
            self._clear(cell)
        return message

    def _tell_of_tables(self, content: Mapping[str, Any]) -> None:
        html = content.get("data", {}).get("text/html")
        is_table = isinstance(html, str) and "<table" in html
        if self.tables is not None and is_table and not self._are_ours:
            with suppress(Exception):  # nothing of ours keeps an output from being shown
                self.tables(str(content.get("transient", {}).get("display_id", "")), str(html))

    def _tell_of_lines(self, content: Mapping[str, Any]) -> None:
        data = content.get("data", {})
        html, text = data.get("text/html"), data.get("text/plain")
        is_text = isinstance(html, str) and html.lstrip().startswith(PRINTED) and bool(text)
        if self.lines is not None and is_text and not self._are_ours:
            with suppress(Exception):
                self.lines(str(text))

    @property
    def _are_ours(self) -> bool:
        return getattr(self._here, "ours", False)

    def _note_home(self, key: str, cell: str) -> None:
        self._homes.pop(key, None)
        self._homes[key] = cell
        self._gone.discard(key)
        for old in list(self._homes)[:-HOMES]:
            del self._homes[old]
            self._gone.discard(old)

    def _clear(self, cell: str) -> None:
        self._gone |= {key for key, home in self._homes.items() if home == cell}
        count = self._count()
        for display in [one for one in self._kept if one.count == count]:
            self._size -= display.size
            self._kept.remove(display)

    def _keep(self, content: Mapping[str, Any], *, update: bool) -> None:
        key = str(content.get("transient", {}).get("display_id", ""))
        data = dict(content.get("data", {}))
        if update:
            for display in self._kept:
                if key and display.key == key:
                    self._size -= display.size
                    display.data = data
                    self._add(display)
            return
        count = self._count()
        known = getattr(self._shell.history_manager, "outputs", {}).get(count, ())
        display = Display(count, len(known), key, data)
        self._kept.append(display)
        self._add(display)

    def _count(self) -> int:
        # execution_count is one more in some versions
        return len(self._shell.history_manager.input_hist_raw) - 1

    def _add(self, display: Display) -> None:
        if self._are_ours:
            display.in_words()
        self._size += display.size
        for old in self._kept:
            if self._size <= MOST_BYTES:
                break
            self._size -= old.size
            old.in_words()
            self._size += old.size
