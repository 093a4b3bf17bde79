"""What was judged and promoted before, and the way back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cvtrack_magics import system
from cvtrack_magics.artifacts.paths import verdict_path
from cvtrack_magics.commands.mlload import check_files
from cvtrack_magics.errors import FilesAltered
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import registry

if TYPE_CHECKING:
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.promotion import Entry, Promotion
    from cvtrack_magics.store.registry import Version

MOST_VERDICTS = 20  # passed verdicts whose files are looked for


def gate_rollback(name: str, *, reason: str = "", who: str = "") -> Listing:
    """Make the champion before this one the champion again.

    Parameters
    ----------
    name : str
        The registered model.
    reason : str
        Why; it is kept.
    who : str
        Who does it; otherwise the user of the machine.

    Returns
    -------
    Listing
        ``result`` is the ``Promotion``.

    Raises
    ------
    PromotionError
        There is none to go back to whose verdict has passed and is still there.
    """
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release import promotion

    masking = get_session().masking()
    done = promotion.rollback(
        registry(),
        name,
        who=masking.text(who or system.user_name()),
        reason=masking.text(reason),
        unproved=_unproved,
        step=tell_of_waiting,
    )
    return Listing(f"{name} was rolled back.", result=done, where=in_words(done), passed=True)


def gate_history(name: str) -> Listing:
    """Return what was judged, promoted and rolled back, the newest first, and why it is there.

    Parameters
    ----------
    name : str
        The registered model.

    Returns
    -------
    Listing
        ``result`` are the entries, the oldest first.
    """
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release import promotion

    store = registry()
    entries = promotion.history(store, name)
    return Listing(
        f"{name}: {len(entries)} records.",
        result=entries,
        where=promotion.why(store, name).line,
        columns=("when (UTC)", "", "version", "who", "commit", "what for"),
        rows=tuple(_row(entry) for entry in reversed(entries)),
    )


def _unproved(version: Version, passed: list[Entry]) -> str:
    """Say why a version cannot be returned to: no passed verdict, with its file, is there."""
    if not passed:
        return "no verdict of the gate on it has passed."
    why = altered(version)
    if why:
        return f"{why}."
    faults = []
    for verdict in passed[:MOST_VERDICTS]:
        fault = _fault_of(version, verdict)
        if not fault:
            return ""
        faults.append(fault)
    return faults[0]


def _fault_of(version: Version, verdict: Entry) -> str:
    path = verdict_path(verdict.id)
    tracking = get_session().tracking
    try:
        kept = tracking.read_file(tracking.run_of(version.run_id), path)
    except Exception as error:
        return f"its verdict {path} cannot be read ({kind_and_line(error)})."
    if hashlib.sha256(kept).hexdigest() != verdict.sha256:
        return f"its verdict {path} is not the one that passed."
    return ""


def _row(entry: Entry) -> tuple[str, ...]:
    # a change has the figures of the verdict it rests on, which has a row of its own
    figures = [] if entry.after else [f"{key}: {value}" for key, value in entry.figures.items()]
    change = f"{entry.before or 'none'} → {entry.after}" if entry.after else ""
    summary = "" if entry.after else entry.summary
    said = (change, entry.reason, entry.repaired, summary, ", ".join(figures))
    about = "; ".join(text for text in said if text)
    when = f"{entry.time:%Y-%m-%d %H:%M:%S}"
    return (when, entry.what, entry.version, entry.who, entry.commit[:8], about)


def tell_of_waiting(step: str) -> None:
    """Say why nothing seems to happen; the other steps take no time worth a line."""
    if step.startswith("waits"):
        get_session().host.say(f"cvtrack: this promotion {step}.")


def in_words(done: Promotion) -> str:
    """Return what a promotion did."""
    instead = f"; it replaces version {done.before}" if done.before else ""
    stages = ", and in Production" if done.stages else ""
    words = f"Version {done.version} is the champion{stages}{instead}."
    return " ".join([words, *done.repaired])


def altered(version: Version | None) -> str:
    """Return that a version's files are not those that were registered, or nothing."""
    try:
        check_files(version)
    except FilesAltered:
        return "its files are not those that were registered: their SHA-256 differs"
    return ""
