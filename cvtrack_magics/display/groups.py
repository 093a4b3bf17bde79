"""Which metrics share a panel, and what each looks like.

``frontend/plot/groups.ts`` says the same for the browser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvtrack_magics.palette import CURVES, OVERLAYS

MAX_PANELS = 12
"""Panels shown before the reader asks for more."""

_SPLIT = re.compile(r"^(train(?:ing)?|val(?:id(?:ation)?)?|eval|test)[/_](?=.)", re.I)
_WANTED = {"train": 0, "": 0, "val": 1, "test": 2}
_ORDER = {"train": 0, "": 1, "val": 2, "test": 3}
_DASH: dict[str, tuple[int, ...]] = {"train": (), "": (), "val": (6, 4), "test": (2, 3)}

_OF_WHAT = re.compile(r"^(?:per_class|mask|box|bbox|segm|keypoint)_", re.I)
_AT = re.compile(r"(?<=.)(?:_at_|@)")  # what follows says where it was measured
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^a-zA-Z0-9]+")
_FREE = re.compile(r"(?:error|loss)s?[^a-z0-9]*free")
_TURNED = re.compile(r"^(?:neg(?:ative)?_|1 ?- ?)(?!loss$)", re.I)
_PLAIN = re.compile(r"[^a-z0-9]")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return found


_KINDS: dict[str, str] = {
    word: kind for kind, words in _read("metric_words.json").items() for word in words.split()
}
"""What a word of a metric's name says of it; the browser reads the same file."""
_WHOLE: dict[str, str] = {
    _PLAIN.sub("", name.lower()): kind
    for kind, sources in _read("metric_names.json").items()
    for names in sources.values()
    for name in names.split()
}
"""Whole names of metrics, as libraries and papers write them, without signs and capitals."""


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


def role_dash(name: str) -> tuple[int, ...]:
    """Return the dash that tells the splits apart, ``()`` for a solid line."""
    return _DASH[role_of(name)]


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
            spare = (i for i in range(3, len(CURVES)) if i not in taken)
            slot = next(spare, at % len(CURVES))
        taken.add(slot)
        styles.append(Style(name, CURVES[slot], _DASH[role]))
    return styles


def overlay_color(at: int) -> str:
    """Return the colour of another run's curves, by its place among them."""
    return CURVES[OVERLAYS[at % len(OVERLAYS)]]


def direction_of(name: str) -> Literal["min", "max", ""]:
    """Tell from a metric's name whether less or more of it is better.

    A whole name that libraries use (``metric_names.json``, each with its source) is known
    first. Else the name is cut into words at signs and at capitals, and a number at the end of
    a word does not count, so that ``mAP@0.5`` and ``valLoss2`` are known. The last known word
    decides (``size_weighted_iou``), but a loss or an error is one wherever it stands
    (``loss_giou``), and words of all kinds of measures (``distance``, ``score``) decide only
    where no other does (``distance_iou``, ``fid_score``). Settings of a loss (``loss_scale``,
    ``loss_coef``) have no direction, nor has what is told about a measure (``dice_std``,
    ``acc_gap``). What follows ``_at_`` or ``@`` is not looked at, nor what follows a
    measure and a slash: it is a class, whatever it is called (``per_class_f1/print error``).
    A measure that is turned round (scikit-learn's ``neg_log_loss``, ``1-ssim``) has the other
    direction.

    Parameters
    ----------
    name : str
        A metric's name, with or without its split.

    Returns
    -------
    str
        ``"min"``, ``"max"``, or ``""`` when the name does not tell.

    Examples
    --------
    >>> [direction_of(n) for n in ("val/loss", "mAP50", "dice_loss", "lr", "loss_scale")]
    ['min', 'max', 'min', '', '']
    """
    group = _SPLIT.sub("", name)
    bare = _AT.split(group)[0]
    around = next((part for part in bare.split("/")[:-1] if _is_measure(part)), "")
    last = [] if around else [bare.rsplit("/", 1)[-1]]
    ways = (_WHOLE.get(_PLAIN.sub("", whole.lower())) for whole in (group, bare, around, *last))
    way = next(filter(None, ways), "")
    turned = _TURNED.match(bare)
    if turned and not way:
        inner = direction_of(bare[turned.end() :])
        # "neg_accuracy" may as well be that of the negatives
        return "max" if inner == "min" else "min" if inner and bare[0] == "1" else ""
    return _direction(around or bare) if not way else "min" if way == "lower" else "max"


def _is_measure(part: str) -> bool:
    """Say whether a part of a name is a measure's, and nothing else."""
    words = [_known(word) for word in _WORD.split(_OF_WHAT.sub("", part)) if word]
    return bool(words) and all(
        found and all(_KINDS[word] in ("loss", "lower", "higher") for word in found)
        for found in words
    )


def _direction(bare: str) -> Literal["min", "max", ""]:
    words = [one for word in _WORD.split(bare) for one in _known(word)]
    kinds = [_KINDS[word] for word in words]
    if not kinds or kinds[-1] in ("setting", "no value if last") or "no value" in kinds:
        return ""
    if "loss" in kinds:
        return "" if kinds[-1] == "factor" or _FREE.search(bare.lower()) else "min"
    told = [kind for kind in kinds if kind in ("lower", "higher")]
    told = told or [kind.split()[0] for kind in kinds if kind.endswith("alone")]
    if not told or (kinds[-1] == "factor" and told[-1] == "lower"):
        return ""
    return "min" if told[-1] == "lower" else "max"


def _known(word: str) -> list[str]:
    """Return the words that are known in a part of a name, which may be joined by capitals."""
    for parts in ([word.lower()], _CAMEL.sub(" ", word).lower().split()):
        bare = [part if part in _KINDS else part.rstrip("0123456789") for part in parts]
        known = [part for part in bare if part in _KINDS]
        if known:
            return known
    return []
