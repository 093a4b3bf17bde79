"""Which metrics share a panel, and what each looks like.

``frontend/src/groups.ts`` says the same for the browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

PALETTE = ("#1f83c9", "#d55e00", "#0a9a6f", "#b56aa5", "#a07a00", "#8c6bd1", "#77808a")
"""Colours told apart by colour-blind readers, at least 3:1 on white and on #111."""

MAX_PANELS = 12
"""Panels shown before the reader asks for more."""

_SPLIT = re.compile(r"^(train(?:ing)?|val(?:id(?:ation)?)?|eval|test)[/_](?=.)", re.I)
_WANTED = {"train": 0, "": 0, "val": 1, "test": 2}
_ORDER = {"train": 0, "": 1, "val": 2, "test": 3}
_DASH: dict[str, tuple[int, ...]] = {"train": (), "": (), "val": (6, 4), "test": (2, 3)}

_OVERLAYS = (5, 3, 4, 6)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AT = re.compile(r"(?<=.)_at_")  # what follows says where it was measured
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^a-z0-9]+")
_LOWER = _words(
    "loss losses error err errors mse rmse mae mape smape rmsle nll bce perplexity ppl fid kid "
    "lpips wer cer eer ece brier hausdorff hd hd95 assd fpr fnr divergence kl distance "
    "absrel latency"
)
_HIGHER = _words(
    "acc accuracy f1 fbeta dice iou miou giou jaccard map ap ar auc auroc roc auprc precision "
    "recall sensitivity specificity psnr ssim r2 kappa mcc bleu rouge tpr tnr pq mota idf1 hota "
    "pck oks top score similarity delta fps throughput"
)
_NEITHER = _words("scale weight weights coef coefficient threshold lr size")


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
            spare = (i for i in range(3, len(PALETTE)) if i not in taken)
            slot = next(spare, at % len(PALETTE))
        taken.add(slot)
        styles.append(Style(name, PALETTE[slot], _DASH[role]))
    return styles


def overlay_color(at: int) -> str:
    """Return the colour of another run's curves, by its place among them."""
    return PALETTE[_OVERLAYS[at % len(_OVERLAYS)]]


def direction_of(name: str) -> Literal["min", "max", ""]:
    """Tell from a metric's name whether less or more of it is better.

    The name is cut into words at signs and at capitals, and a number at the end of a word
    does not count, so that ``mAP@0.5`` and ``valLoss2`` are known. A word of loss or error
    decides before one of score (``dice_loss`` is a loss); settings of a loss (``loss_scale``)
    have no direction. What follows ``_at_`` is not looked at.

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
    bare = _AT.split(_SPLIT.sub("", name))[0]
    words = [*_WORD.split(bare.lower()), *_WORD.split(_CAMEL.sub(" ", bare).lower())]
    known = {*words, *(word.rstrip("0123456789") for word in words)}
    if known & _NEITHER:
        return ""
    if known & _LOWER:
        return "min"
    return "max" if known & _HIGHER else ""
