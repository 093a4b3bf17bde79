"""Why a promotion did not take place."""

from __future__ import annotations

from cvtrack_magics.errors import CvtrackError


class PromotionConflict(CvtrackError):
    """The champion is no longer the one that the verdict was made against."""


class PromotionBusy(CvtrackError):
    """Another promotion of the same model did not come to its end in time."""


class LostTurn(CvtrackError):
    """The process paused so long that others may have gone on without it."""
