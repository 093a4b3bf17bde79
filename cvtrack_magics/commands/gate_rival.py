"""Whom a version has to beat: the champion, as far as it can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.candidate_loader import gathered
from cvtrack_magics.errors import CvtrackError, StoreUnavailable
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.gate import Missing, evaluation_of
from cvtrack_magics.release.promotion import champion_of, doubt_of, lost_champion
from cvtrack_magics.run.model_reference import Found
from cvtrack_magics.store.error_kinds import is_denied, is_refusal

if TYPE_CHECKING:
    from cvtrack_magics.release.facts import Candidate
    from cvtrack_magics.release.gate import Verdict
    from cvtrack_magics.release.promotion import Model
    from cvtrack_magics.store.registry import Registry, Version

_OF_FILES = (PermissionError, FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class Rival:
    """The champion as it was looked at.

    ``version`` is None where there is none, ``facts`` what is judged: None where there never
    was one. ``doubt`` says what the user may not know of it.
    """

    version: Version | None
    facts: Candidate | Missing | None
    doubt: str = ""

    def told(self, verdict: Verdict) -> Verdict:
        """Return a verdict whose last row, the champion's, says what is doubtful of it."""
        if not self.doubt or not verdict.rows[-1].rule.startswith("champion "):
            return verdict
        last = verdict.rows[-1]
        why = "; ".join(text for text in (last.why, self.doubt) if text)
        return replace(verdict, rows=(*verdict.rows[:-1], replace(last, why=why)))


def rival_of(store: Registry, model: Model, metric: str = "", *, without: bool = False) -> Rival:
    """Look for the champion of a registered model.

    Parameters
    ----------
    store, model : Registry, Model
        The model as it is in the registry.
    metric : str
        What is to be compared of evaluations that are stored; empty where nothing is.
    without : bool
        Whether a champion that is gone, or cannot be read, is done without.
    """
    now = champion_of(model)
    if now is None:
        lost = lost_champion(model) or _made_of_a_run(store.uri, model.name)
        if not lost:
            return Rival(None, None, doubt_of(model))
        return Rival(None, Missing(lost, accepted=without))
    if not now.run_id:
        why = f"the registry does not say which run version {now.version} was made of"
        return Rival(now, Missing(why, accepted=without))
    try:
        facts = gathered(Found(now.run_id, now))
    except Exception as error:
        if isinstance(error, CvtrackError):
            raise
        why = f"the champion, version {now.version}, cannot be read from its run {now.run_id[:8]}"
        why = f"{why} ({kind_and_line(error)})"
        if not is_lost(error):
            raise StoreUnavailable(f"{why[0].upper()}{why[1:]}.", "Try again.") from error
        return Rival(now, Missing(why, accepted=without))
    lacking = _lacking(now, facts, metric, without) if metric else None
    return Rival(now, lacking or facts, doubt_of(model))


def _lacking(now: Version, facts: Candidate, metric: str, without: bool) -> Missing | None:
    """Return why the champion's evaluation is none to compare with, or None."""
    measured = evaluation_of(facts, metric)
    if measured is None:
        why = f"no evaluation of the champion, version {now.version}, that measured {metric} is "
        why += f"among the files of its run {now.run_id[:8]}: run %mleval for it"
        return Missing(why, accepted=without)
    if facts.altered and measured.table:  # a table that is gone is said where it is needed
        return Missing(f"of the champion, version {now.version}, {facts.altered}")
    return None


def is_lost(error: Exception) -> bool:
    """Whether asking again would bring the same; what the network did may pass."""
    if isinstance(error, _OF_FILES) or is_refusal(error) or is_denied(error):
        return True
    answer: Any = getattr(error, "response", None)  # of a store of artifacts
    if isinstance(answer, Mapping):
        status = dict(answer.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    else:
        status = getattr(answer, "status_code", None)
    return status in (401, 403, 404)


def _made_of_a_run(uri: str, name: str) -> str:
    from cvtrack_magics.store.promoted_runs import promoted_run

    try:
        run_id, version = promoted_run(uri, name)
    except Exception as error:
        return f"whether it had a champion before cannot be looked up ({kind_and_line(error)})"
    if not run_id:
        return ""
    return f"run {run_id[:8]} was made {version}, the champion, which was deleted since"
