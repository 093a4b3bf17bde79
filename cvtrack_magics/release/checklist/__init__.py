"""Checklists of a run and of a promotion, with the line that mends what is missing."""

from cvtrack_magics.release.checklist.check import check_promotion, check_run
from cvtrack_magics.release.checklist.items import Checklist, Item

__all__ = ["Checklist", "Item", "check_promotion", "check_run"]
