"""How much is read of what others wrote: bytes of a file, values, levels and text of its content.

Whoever reads something asks here once, at the gate; those who walk it later need no limits.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

YAML_VALUES = 100_000
YAML_LEVELS = 100
YAML_CHARACTERS = 50_000_000

_LONGEST_NUMBER = 4000
"""Characters; Python refuses to write a number much longer, and YAML's base 60 takes hours."""
_KINDS = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))


class NotRegular(OSError):
    """A pipe, a device, a socket or a folder, which may give nothing for ever, or never end."""


class TooMuch(ValueError):
    """There is more of it than is read; the text says how much is."""


def file_bytes(path: Path, most: int) -> bytes:
    """Return the bytes of a file, and not more than one above ``most`` of them.

    Raises
    ------
    NotRegular
        It is no regular file; the text says what it is. It was not opened.
    OSError
        It cannot be read.
    """
    _demand_regular(path.stat().st_mode)
    with open(path, "rb", opener=_at_once) as file:
        # what was a file a moment ago
        _demand_regular(os.fstat(file.fileno()).st_mode)
        return file.read(most + 1) or b""


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _demand_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((word for is_kind, word in _KINDS if is_kind(mode)), "device")
        raise NotRegular(f"it is a {kind}, no regular file")


class Room:
    """Counts what is walked or built, and ends it where it becomes too much.

    A value that stands in several places counts in each: aliases make few bytes of YAML into
    more values than any memory holds.

    Parameters
    ----------
    values, levels, characters : int
        The most of each; the names of all that is above a value count as its text.
    """

    def __init__(self, values: int, levels: int, characters: int) -> None:
        self._values = self._values_left = values
        self._levels = levels
        self._characters = self._characters_left = characters
        self._level = 0

    def take(self, values: int = 1, characters: int = 0) -> None:
        """Count values, and the characters of their text.

        Raises
        ------
        TooMuch
            There is no room for them.
        """
        self._values_left -= values
        self._characters_left -= characters
        if self._values_left < 0:
            raise TooMuch(f"it has more than {self._values:,} values")
        if self._characters_left < 0:
            raise TooMuch(f"it has more than {self._characters:,} characters of text")

    @contextmanager
    def below(self) -> Iterator[None]:
        """Go one level down while the block runs.

        Raises
        ------
        TooMuch
            It is too deep, or has no end.
        """
        self._level += 1
        try:
            if self._level > self._levels:
                raise TooMuch(f"it is nested over {self._levels} levels, or holds itself")
            yield
        finally:
            self._level -= 1


def yaml_of(
    text: str,
    values: int = YAML_VALUES,
    levels: int = YAML_LEVELS,
    characters: int = YAML_CHARACTERS,
) -> Any:
    """Return what a YAML text says, in plain values that can be walked without limits.

    Parameters
    ----------
    text : str
        YAML; tags that would make objects are refused.
    values, levels, characters : int
        The most of each, where an alias counts as all that it stands for.

    Raises
    ------
    TooMuch
        It has more.
    Exception
        It is no YAML: mostly ``yaml.YAMLError``, but its readers of dates and numbers raise
        what they like.
    """
    import yaml

    room = Room(values, levels, characters)

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            with room.below():
                room.take(int(parent is None or index is not None))  # keys come without
                node: Any = super().compose_node(parent, index)
            if _is_endless(node):
                raise TooMuch(f"it has a number of {len(node.value):,} characters")
            return node

        def flatten_mapping(self, node: Any) -> None:
            # each merge (<<) of merges multiplies, before a name that stands twice counts once
            for merged in _merged(node):
                with room.below():
                    self.flatten_mapping(merged)
                room.take(1 + len(merged.value))
            super().flatten_mapping(node)

    found = yaml.load(text, Loader)  # noqa: S506
    _measure(found, Room(values, levels, characters))
    return found


def _measure(value: Any, room: Room) -> None:
    """Raise ``TooMuch`` where plain values are more than there is room for."""
    room.take(1, _length(value))
    if not isinstance(value, (dict, list, tuple, set)):
        return
    with room.below():
        for item in value.values() if isinstance(value, dict) else value:
            _measure(item, room)
    room.take(0, sum(map(_length, value)) if isinstance(value, dict) else 0)


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, bytes)) else 0


def _is_endless(node: Any) -> bool:
    kind = str(node.tag).rpartition(":")[2]
    return kind in ("int", "float") and len(node.value) > _LONGEST_NUMBER


def _merged(node: Any) -> Iterator[Any]:
    import yaml

    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
            yield from (part for part in parts if isinstance(part, yaml.MappingNode))
