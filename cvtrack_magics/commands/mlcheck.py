"""``mlcheck()``: the checklists of a run and of a promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvtrack_magics.commands.altered_files import checked
from cvtrack_magics.commands.candidate_loader import gather
from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.mlcard import found_or_open
from cvtrack_magics.errors import ChecklistNotMet
from cvtrack_magics.run.model_reference import registry

if TYPE_CHECKING:
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.checklist import Checklist


@command(reference=Arg("RUN|NAME"), version=Arg("V"))
def mlcheck(reference: str = "", *, version: str = "", strict: bool = False) -> Listing:
    """Go through the checklists of a run and, for a registered model, of a promotion.

    Each item has ✓ or ✗ and the line that mends it.

    Parameters
    ----------
    reference : str
        A run, or a registered model (``NAME``, ``NAME/3``, ``NAME@champion``); otherwise the
        open run.
    version : str
        Of the model; otherwise the newest.
    strict : bool
        Raise when an item is not met.

    Returns
    -------
    Listing
        That of a promotion, which has all of a run's, where there is a version; ``result`` is
        the ``Checklist``.

    Raises
    ------
    ChecklistNotMet
        An item is not met, and ``strict`` is set.

    Examples
    --------
    ::

        %mlcheck digits
    """
    listing = listing_of(_checklist(reference, version))
    failed = listing.result.failed
    if strict and failed:
        error = ChecklistNotMet(f"Not met: {', '.join(item.title for item in failed)}.")
        error.shown = listing
        raise error
    return listing


def _checklist(reference: str, version: str) -> Checklist:
    from cvtrack_magics.commands.gate_rival import rival_of
    from cvtrack_magics.release.checklist import check_promotion, check_run
    from cvtrack_magics.release.promotion import champion_of, look

    found = found_or_open(reference, version, "%mlcheck")
    candidate = checked(gather(found))
    if found.version is None:
        return check_run(candidate)
    model = look(registry(), found.version.name)
    now = champion_of(model)
    is_other = now is not None and now.version != found.version.version
    rival = rival_of(registry(), model).facts if now is None or is_other else None
    others = list(model.versions.values())
    return check_promotion(candidate, champion=rival, others=others)


def listing_of(found: Checklist) -> Listing:
    """Return a checklist as a table."""
    from cvtrack_magics.display.table_view import MARKS, Listing

    asked = sum(item.passed is not None for item in found.items)
    rows = tuple((MARKS[item.passed], item.title, item.found, item.fix) for item in found.items)
    return Listing(
        f"{found.title}: {asked - len(found.failed)} of {asked}",
        result=found,
        passed=found.passed,
        columns=("", "item", "found", "what mends it"),
        rows=rows,
    )
