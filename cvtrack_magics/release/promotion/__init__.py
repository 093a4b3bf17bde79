"""Moves ``champion`` to a version that passed the gate, and keeps for good who did and why."""

from cvtrack_magics.release.promotion.acts import (
    Promotion,
    promote,
    repair,
    rollback,
)
from cvtrack_magics.release.promotion.entries import Entry
from cvtrack_magics.release.promotion.history import Why, history, why
from cvtrack_magics.release.promotion.plans import CHAMPION, PREVIOUS, champion_of, look
from cvtrack_magics.release.promotion.problems import LostTurn, PromotionBusy, PromotionConflict
from cvtrack_magics.release.promotion.turns import Terms
from cvtrack_magics.release.promotion.verdicts import record_verdict

__all__ = [
    "CHAMPION",
    "PREVIOUS",
    "Entry",
    "LostTurn",
    "Promotion",
    "PromotionBusy",
    "PromotionConflict",
    "Terms",
    "Why",
    "champion_of",
    "history",
    "look",
    "promote",
    "record_verdict",
    "repair",
    "rollback",
    "why",
]
