"""What cells displayed, for the session's notebook; ipykernel keeps only what they printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
        self._ours = False
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
        self._ours = True
        try:
            yield
        finally:
            self._ours = False

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
        if kind in ("display_data", "update_display_data"):
            self._keep(content, update=kind == "update_display_data")
        return message

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
        history = self._shell.history_manager
        count = len(history.input_hist_raw) - 1  # execution_count is one more in some versions
        known = getattr(history, "outputs", {}).get(count, ())
        display = Display(count, len(known), key, data)
        self._kept.append(display)
        self._add(display)

    def _add(self, display: Display) -> None:
        if self._ours:
            display.in_words()
        self._size += display.size
        for old in self._kept:
            if self._size <= MOST_BYTES:
                break
            self._size -= old.size
            old.in_words()
            self._size += old.size
