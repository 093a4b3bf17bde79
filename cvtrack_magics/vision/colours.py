"""One colour for each class, the same in every epoch, run and notebook."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cvtrack_magics.palette import CLASSES
from cvtrack_magics.text import utf8


def colours(classes: Sequence[str]) -> tuple[str, ...]:
    """Return a colour for each class name, ``#rrggbb``.

    A name alone decides its colour, as long as no other name of the list wants the same; the
    first seven classes of a longer list never share one. The order of the names does not
    matter.
    """
    count = len(CLASSES) if len(classes) > 7 else 7
    taken: dict[int, str] = {}
    for name in sorted(set(classes)):
        want = int.from_bytes(hashlib.sha256(utf8(name)).digest()[:4], "big") % count
        if len(taken) < count:
            while want in taken:
                want = (want + 1) % count
        taken.setdefault(want, name)
    chosen: dict[str, str] = {name: CLASSES[place] for place, name in taken.items()}
    for name in set(classes) - set(chosen):
        want = int.from_bytes(hashlib.sha256(utf8(name)).digest()[:4], "big")
        chosen[name] = CLASSES[want % len(CLASSES)]
    return tuple(chosen[name] for name in classes)
