"""Whole lines of a stream that comes in pieces, as from a pipe or a socket."""

from __future__ import annotations


class Lines:
    """Puts pieces together; what has no end yet is held, and a long line joined only once."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def take(self, piece: bytes) -> list[bytes]:
        """Return the lines that a piece completes, without their ends."""
        first, *others = piece.split(b"\n")
        self._held.append(first)
        if not others:
            return []
        whole = b"".join(self._held)
        self._held = [others.pop()]
        return [whole, *others]
