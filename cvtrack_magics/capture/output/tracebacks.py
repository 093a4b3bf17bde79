"""Knows which printed lines are of a traceback: what its code names, nobody measured."""

from __future__ import annotations

import re

_HEAD = re.compile(
    r"(?:(?P<error>[A-Za-z_][\w.]*) {2,})?[^\w\n]{0,60}Traceback \(most recent call last\)"
)
_LONGEST = 2000  # lines of one


class Tracebacks:
    """Follows lines in order, as Python, IPython and rich print tracebacks among them."""

    def __init__(self) -> None:
        self._left = 0
        self._error = ""
        self._boxed = False

    def has(self, line: str) -> bool:
        """Say whether the next line is of a traceback."""
        head = _HEAD.search(line)
        if head is not None:
            self._left, self._error = _LONGEST, head["error"] or ""
            self._boxed = "\u256d" in line or line.lstrip().startswith("+-")
            return True
        if not self._left:
            return False
        self._left = 0 if self._is_last(line) else self._left - 1
        return True

    def _is_last(self, line: str) -> bool:
        """Say whether a line names the error, which is what a traceback ends with."""
        if self._boxed:  # the lines of its box come first
            return line[:1].isalpha()
        if self._error:  # IPython's have lines of code that are not indented
            return line.startswith(self._error)
        return bool(line) and not line[0].isspace()
