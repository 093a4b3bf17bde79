"""The two checklists: before a run is closed, and before a version goes to production."""

from __future__ import annotations

from collections.abc import Sequence

from cvtrack_magics.release.card.escape import one_line
from cvtrack_magics.release.checklist import measured, promotion, settings, surroundings
from cvtrack_magics.release.checklist.items import Checklist, Item
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate import Missing
from cvtrack_magics.store.registry import Version

_PER_RUN = (
    surroundings.finished,
    settings.experiment,
    settings.tags,
    settings.hyperparameters,
    settings.implicit,
    settings.seed,
    settings.config,
    surroundings.training_data,
    surroundings.evaluation_data,
    surroundings.code,
    surroundings.git,
    surroundings.environment,
    surroundings.versions,
    measured.per_epoch,
    measured.summary,
    measured.of_task,
    measured.predictions,
    measured.confusion,
    measured.curves,
)
_PER_PROMOTION = (
    promotion.registered,
    promotion.signature,
    promotion.example,
    promotion.processing,
    promotion.export,
    promotion.latency,
    promotion.card,
    promotion.held_out,
    promotion.gate,
    promotion.by_alias,
)


def check_run(candidate: Candidate) -> Checklist:
    """Check a run for all that makes it complete and repeatable.

    Parameters
    ----------
    candidate : Candidate
        The run; a version is not needed.
    """
    title = f"Run {one_line(candidate.label)}"
    return Checklist(title, tuple(_run_items(candidate)))


def check_promotion(
    candidate: Candidate,
    *,
    champion: Candidate | Missing | None = None,
    others: Sequence[Version] | None = None,
) -> Checklist:
    """Check a version for all that production asks of it, and its run as `check_run` does.

    Parameters
    ----------
    candidate : Candidate
        The version and its run.
    champion : Candidate or Missing, optional
        What is in production now, where there is something.
    others : sequence of Version, optional
        All versions of the model, to see that only one is in production. Without it that
        item does not apply.
    """
    items = [
        *_run_items(candidate),
        *(check(candidate) for check in _PER_PROMOTION),
        promotion.against_champion(candidate, champion, others),
        promotion.one_in_production(candidate, others),
    ]
    return Checklist(f"Promotion of {one_line(candidate.label)}", tuple(items))


def _run_items(candidate: Candidate) -> list[Item]:
    return [*_files(candidate), *(check(candidate) for check in _PER_RUN)]


def _files(candidate: Candidate) -> list[Item]:
    """Return the item of files that are not as they were; none where nothing is known of it."""
    if not candidate.altered:
        return []
    title = "Files as they were registered and measured"
    return [Item("run.files", title, False, one_line(candidate.altered), "%mlmodel, %mleval")]
