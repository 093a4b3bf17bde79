"""A checklist: what was looked at, whether it holds, and the line that would mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from cvtrack_magics.release.card.escape import one_line

_MARKS = {True: "✓", False: "✗", None: "–"}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist.

    Attributes
    ----------
    key : str
        A stable name, such as ``data.training``.
    title : str
        What is asked for.
    passed : bool or None
        None where it does not apply; ``found`` then says why.
    found : str
        What there is, in one line.
    fix : str
        The one line to type that would mend it; ``""`` unless it failed.
    """

    key: str
    title: str
    passed: bool | None
    found: str
    fix: str = ""


def item(key: str, title: str, passed: bool | None, found: str, fix: str) -> Item:
    """Return an item, with its fix only where it failed."""
    return Item(key, title, passed, found, fix if passed is False else "")


@dataclass(frozen=True, slots=True)
class Checklist:
    """The items of one candidate, in the order in which they are made.

    Attributes
    ----------
    title : str
        What was checked, for a heading.
    items : tuple of Item
        One or more.
    """

    title: str
    items: tuple[Item, ...]

    @property
    def passed(self) -> bool:
        """Whether everything that applies holds."""
        return not self.failed

    @property
    def failed(self) -> tuple[Item, ...]:
        """The items that do not hold."""
        return tuple(each for each in self.items if each.passed is False)

    def as_text(self) -> str:
        """Return a heading and aligned lines with ``✓``, ``✗`` or ``–``, each fix after ``→``."""
        width = max((len(each.title) for each in self.items), default=0)
        asked = sum(each.passed is not None for each in self.items)
        held = asked - len(self.failed)
        lines = [f"{_MARKS[self.passed]} {self.title}: {held} of {asked}"]
        for each in self.items:
            fix = f" → {each.fix}" if each.fix else ""
            lines.append(f"  {_MARKS[each.passed]} {each.title:<{width}}  {each.found}{fix}")
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return all of it as JSON text: ``title``, ``passed`` and ``items``."""
        whole = {
            "title": self.title,
            "passed": self.passed,
            "items": [asdict(each) for each in self.items],
        }
        return json.dumps(whole, indent=1, ensure_ascii=False)


def unless_changed(made: Item, changed: Mapping[str, str], paths: Iterable[str], fix: str) -> Item:
    """Return an item, failed where one of the files it speaks of is not as it was recorded."""
    why = next((changed[path] for path in sorted(paths) if path in changed), "")
    return Item(made.key, made.title, False, one_line(why), fix) if why else made


def listed(names: Iterable[str], most: int = 6) -> str:
    """Return names with commas, the first few of many."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def typed(name: str) -> str:
    """Return a name as one word of a magic's line, in quotes where it needs them."""
    line = one_line(name, 120) or "NAME"
    return line if re.fullmatch(r"[\w.@/\-]+", line) else repr(line)
