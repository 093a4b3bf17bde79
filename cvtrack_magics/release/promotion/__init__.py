"""Moves ``champion`` to a version that passed the gate, and keeps for good who did and why."""

from cvtrack_magics.release.promotion.history import Why, history, why
from cvtrack_magics.release.promotion.ledger import Entry
from cvtrack_magics.release.promotion.lock import Terms
from cvtrack_magics.release.promotion.lost import doubt_of, lost_champion
from cvtrack_magics.release.promotion.operations import Promotion, promote, repair, rollback
from cvtrack_magics.release.promotion.plan import CHAMPION, PREVIOUS, champion_of, look
from cvtrack_magics.release.promotion.plan import Found as Model
from cvtrack_magics.release.promotion.verdicts import record_verdict

__all__ = [
    "CHAMPION",
    "PREVIOUS",
    "Entry",
    "Model",
    "Promotion",
    "Terms",
    "Why",
    "champion_of",
    "doubt_of",
    "history",
    "look",
    "lost_champion",
    "promote",
    "record_verdict",
    "repair",
    "rollback",
    "why",
]
