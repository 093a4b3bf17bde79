"""Which metrics share a panel, and what each looks like.

``frontend/src/groups.ts`` says the same for the browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

PALETTE = ("#1f83c9", "#d55e00", "#0a9a6f", "#b56aa5", "#a07a00", "#8c6bd1", "#77808a")
"""Colours told apart by colour-blind readers, at least 3:1 on white and on #111."""

MAX_PANELS = 12
"""Panels shown before the reader asks for more."""

_SPLIT = re.compile(r"^(train(?:ing)?|val(?:id(?:ation)?)?|eval|test)[/_](?=.)", re.I)
_WANTED = {"train": 0, "": 0, "val": 1, "test": 2}
_ORDER = {"train": 0, "": 1, "val": 2, "test": 3}
_DASH: dict[str, tuple[int, ...]] = {"train": (), "": (), "val": (6, 4), "test": (2, 3)}


@dataclass(frozen=True, slots=True)
class Style:
    """How one metric is drawn; ``dash`` is a pattern of pixels, ``()`` a solid line."""

    name: str
    color: str
    dash: tuple[int, ...]


def group_of(name: str) -> str:
    """Return the panel of a metric: its name without a leading split.

    Examples
    --------
    >>> group_of("train/loss"), group_of("val_loss"), group_of("lr")
    ('loss', 'loss', 'lr')
    """
    return _SPLIT.sub("", name)


def role_of(name: str) -> str:
    """Return ``"train"``, ``"val"``, ``"test"`` or ``""``: the split a metric was measured on."""
    found = _SPLIT.match(name)
    split = found.group(1).lower() if found else ""
    if split.startswith("train"):
        return "train"
    if split == "test":
        return "test"
    return "val" if split else ""


def panels_of(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort metrics into panels, in order of first appearance, the machine's own metrics last.

    Parameters
    ----------
    names : iterable of str
        Names of metrics, in the order they first appeared.

    Returns
    -------
    dict of str to list of str
        The members of each panel, by the panel's title.
    """
    ordered = [(group_of(name), name) for name in names]
    panels: dict[str, list[str]] = {}
    for system in (False, True):
        for group, name in ordered:
            if group.startswith("system/") == system:
                panels.setdefault(group, []).append(name)
    return panels


def styles_of(members: Iterable[str]) -> list[Style]:
    """Give each member of one panel a colour of its own; train, val and test keep theirs."""
    taken: set[int] = set()
    styles = []
    for at, name in enumerate(sorted(members, key=lambda name: (_ORDER[role_of(name)], name))):
        role = role_of(name)
        slot = _WANTED[role]
        if slot in taken:
            spare = (i for i in range(3, len(PALETTE)) if i not in taken)
            slot = next(spare, at % len(PALETTE))
        taken.add(slot)
        styles.append(Style(name, PALETTE[slot], _DASH[role]))
    return styles
