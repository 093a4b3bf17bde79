"""``mlcard()``: the model card of a run or version."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.artifacts.paths import CARD, ENVIRONMENT
from cvtrack_magics.commands.candidate_loader import gather
from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.mlload import check_files
from cvtrack_magics.errors import FilesAltered, UsageProblem
from cvtrack_magics.records import Artifact, Record, Tag
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import Found, find, registry
from cvtrack_magics.run.recording import stored, target_of
from cvtrack_magics.store.asking import asking
from cvtrack_magics.store.recorded_files import card_tag

if TYPE_CHECKING:
    from cvtrack_magics.display.markdown_view import Marked
    from cvtrack_magics.release.card import Card
    from cvtrack_magics.release.facts import Candidate


@command(reference=Arg("NAME|RUN"), version=Arg("V"), edit=Arg("FILE"), licence=Arg("NAME"))
def mlcard(reference: str = "", *, version: str = "", edit: str = "", licence: str = "") -> Marked:
    """Write the model card from the facts of a run or version, and from a person's words.

    Intended use, limits and fairness are yours. The card is kept as
    ``governance/MODEL_CARD.md`` of the run, and as the version's description.

    Parameters
    ----------
    reference : str
        A registered model (``NAME``, ``NAME/3``, ``NAME@champion``) or a run; otherwise the
        open run.
    version : str
        Of the model; otherwise the newest.
    edit : str
        A file for a person's words. It is written once, with the questions; when it is there
        it is read, and never written again.
    licence : str
        Recorded as the run's tag ``licence``.

    Returns
    -------
    Marked
        ``result`` is the ``Card``: ``markdown``, ``blanks``.

    Examples
    --------
    ::

        %mlcard digits --edit MODEL_CARD.md
    """
    from cvtrack_magics.display.markdown_view import Marked
    from cvtrack_magics.release.card import FACTS_TAG, card_of, edited_words, known_words

    found = found_or_open(reference, version, "%mlcard")
    check_files(found.version)
    candidate = gather(found)
    if candidate.altered:
        raise FilesAltered(f"Of {candidate.label}, {candidate.altered}.")
    if ENVIRONMENT in candidate.changed:
        raise FilesAltered(f"Of {candidate.label}, {candidate.changed[ENVIRONMENT]}.")
    if licence:
        candidate = dataclasses.replace(candidate, tags={**candidate.tags, "licence": licence})
    previous = _before(found)
    words, notes = None, []
    if edit:
        path = Path(edit).expanduser()
        known = known_words(candidate, None, previous)
        words = edited_words(path, candidate.label, known, candidate.tags.get(FACTS_TAG, ""))
        if words is None:
            notes.append(f"{edit} asks for your words: fill it in, and run this line again.")
    if CARD in candidate.changed:
        notes.append(
            "The card there was changed after it was written: a person's words are kept, those "
            "beside their sections as notes."
        )
    card = card_of(candidate, words=words, previous=previous)
    where = _keep(found, card, CARD, {"licence": licence} if licence else {})
    notes += _blanks(card, edit)
    return Marked(card.markdown, card, f"{where} {' '.join(notes)}".strip())


def found_or_open(reference: str, version: str, magic: str) -> Found:
    """Return what a reference means; without one, the open run."""
    if reference:
        return find(reference, version=version)
    target = target_of()
    if target is None:
        raise UsageProblem(
            f"{magic} needs a run or a registered model, and no run is open.",
            f"{magic} NAME names one.",
        )
    return Found(stored(target, magic).run_id, None, "run")


def _before(found: Found) -> Candidate | None:
    """Return the version before this one: a person may have written its card."""
    if found.version is None:
        return None
    number = int(found.version.version)
    known = registry().versions(found.version.name)
    earlier = [v for v in known if int(v.version) < number and v.run_id]
    return gather(Found(earlier[-1].run_id, earlier[-1])) if earlier else None


def _keep(found: Found, card: Card, path: str, tags: Mapping[str, str]) -> str:
    from cvtrack_magics.release.card import FACTS_TAG, digests_of_facts

    tracking = get_session().tracking
    run = tracking.run_of(found.run_id)
    records: list[Record] = [Artifact(path, card.markdown)]
    records += [Tag(key, value) for key, value in tags.items()]
    masking = get_session().masking()
    records = masking.records(records)
    for record in list(records):
        if isinstance(record, Artifact) and isinstance(record.content, str):
            records += [card_tag(record.content), Tag(FACTS_TAG, digests_of_facts(record.content))]
    with asking(f"keep the card with run {run.name!r}"):
        said = [notice.text for notice in tracking.write(run, records)]
    said += [masking.said()] * bool(masking.said())
    where = f"Kept as {path} of run {run.name!r}."
    if found.version is not None:
        version = found.version
        what = f"the description of {version.name} version {version.version}"
        if registry().describe(version.name, version.version, masking.text(card.summary)):
            where = f"{where[:-1]} and as {what}."
        else:
            said.append(f"{what[0].upper()}{what[1:]} is a person's, and stays as it is.")
    return " ".join([where, *said])


def _blanks(card: Card, edit: str) -> list[str]:
    if not card.blanks:
        return []
    how = f"in {edit}" if edit else "with --edit FILE"
    return [f"Not yet written: {', '.join(card.blanks)}; write them {how}."]
