"""One colour for each class, the same in every epoch, run and notebook."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#7f3c8d",
    "#11a579",
    "#3969ac",
    "#f2b701",
    "#e73f74",
    "#80ba5a",
    "#a5aa99",
    "#7a4b2a",
    "#4b4b8f",
    "#66c2d7",
    "#b8860b",
    "#5d8a1f",
    "#c2487a",
    "#2f6f6f",
    "#e8a27c",
    "#9d8fe0",
    "#8a8a00",
)
"""The first seven are Okabe and Ito's (2008), told apart by colour-blind readers."""


def colours(classes: Sequence[str]) -> tuple[str, ...]:
    """Return a colour for each class name, ``#rrggbb``.

    A name alone decides its colour, as long as no other name of the list wants the same; the
    first seven classes of a longer list never share one. The order of the names does not
    matter.
    """
    count = len(PALETTE) if len(classes) > 7 else 7
    taken: dict[int, str] = {}
    for name in sorted(set(classes)):
        want = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % count
        if len(taken) < count:
            while want in taken:
                want = (want + 1) % count
        taken.setdefault(want, name)
    chosen: dict[str, str] = {name: PALETTE[place] for place, name in taken.items()}
    for name in set(classes) - set(chosen):
        want = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        chosen[name] = PALETTE[want % len(PALETTE)]
    return tuple(chosen[name] for name in classes)
