"""The model card: facts that fill themselves in, around what only a person can say."""

from __future__ import annotations

from dataclasses import dataclass

from cvtrack_magics.artifacts.paths import CARD
from cvtrack_magics.release.card import facts, performance
from cvtrack_magics.release.card.escape import code, one_line, text
from cvtrack_magics.release.card.front_matter import front_matter
from cvtrack_magics.release.card.human_sections import (
    BLANK,
    FACTS_TAG,
    OPTIONAL,
    PROMPTS,
    Words,
    mark_of,
    read_words,
    stray_of,
    with_notes,
    without_secrets,
    wrapped,
)
from cvtrack_magics.release.facts import Candidate

SUMMARY_LIMIT = 5000
"""Characters of a version's description in MLflow's registry."""

_UNSAID = "Not recorded."


@dataclass(frozen=True, slots=True)
class Card:
    """A model card.

    Attributes
    ----------
    markdown : str
        The whole card with its front matter; a valid card of the Hugging Face Hub too.
    blanks : tuple of str
        Titles of the sections that a person has not written yet.
    summary : str
        At most 5,000 characters of it, whole sections only: a description of the version.
    words : Words
        What a person has said, as the card has it.
    """

    markdown: str
    blanks: tuple[str, ...]
    summary: str
    words: Words


@dataclass(frozen=True, slots=True)
class _Section:
    """A heading and what stands under it; ``key`` names a section of a person's words."""

    title: str
    body: str
    key: str = ""


def card_of(
    candidate: Candidate, *, words: Words | None = None, previous: Candidate | None = None
) -> Card:
    """Write the card of a candidate.

    Parameters
    ----------
    candidate : Candidate
        The run, and its version where there is one.
    words : Words, optional
        What a person has written for this card. A section that is blank in it keeps what the
        candidate's own card says, or else that of ``previous``.
    previous : Candidate, optional
        The version before this one, whose card a person may have filled in.

    Returns
    -------
    Card
        A person's sections stand in it word for word, without credentials.

    Raises
    ------
    UsageProblem
        A card that is already there has lost a section's end, so its words cannot be told.
    """
    said = without_secrets(known_words(candidate, words, previous))
    licence = said.licence or recorded_licence(candidate)
    blanks = blanks_of(said, licence)
    title = _title(candidate)
    about = facts.overview(candidate, licence)
    if blanks:
        about += f"\n\n**Not yet written:** {', '.join(blanks)}."
    sections = _sections(candidate, said, licence)
    mark = mark_of(said)
    whole = [title, about, *(_shown(section, mark) for section in sections)]
    told = [about, *(_shown(section) for section in sections if section.body)]
    return Card(
        markdown=f"{front_matter(candidate, licence)}\n" + "\n\n".join(whole) + "\n",
        blanks=blanks,
        summary=_summary(title, told),
        words=said,
    )


def known_words(
    candidate: Candidate, words: Words | None = None, previous: Candidate | None = None
) -> Words:
    """Return a person's words: the given ones, else the card's, else the previous card's."""
    found = words or Words()
    for holder in (candidate, previous):
        if holder is not None and CARD in holder.texts:
            found = found.over(read_words(holder.texts[CARD]))
    own = stray_of(candidate.texts.get(CARD, ""), candidate.tags.get(FACTS_TAG, ""))
    found = with_notes(found, own)
    return found


def blanks_of(words: Words, licence: str = "") -> tuple[str, ...]:
    """Return the titles of the sections that should be written and are not.

    ``licence`` is what the run says of it where a person says nothing.
    """
    told = words.over(Words(licence=licence))
    needed = (prompt for prompt in PROMPTS if prompt.key != OPTIONAL)
    return tuple(prompt.title for prompt in needed if not told.of(prompt.key))


def recorded_licence(candidate: Candidate) -> str:
    """Return the licence that a tag of the version or run, or a parameter, names."""
    version = candidate.version.tags if candidate.version else {}
    for holder in (version, candidate.tags, candidate.params):
        for key in ("license", "licence"):
            if holder.get(key):
                return one_line(holder[key])
    return ""


def _title(candidate: Candidate) -> str:
    version = candidate.version
    if version is None:
        return f"# Model card: {text(candidate.run_name, 120)}"
    return f"# Model card: {text(version.name, 120)} version {text(version.version, 40)}"


def _sections(candidate: Candidate, words: Words, licence: str) -> list[_Section]:
    def said(key: str) -> _Section:
        title = next(prompt.title for prompt in PROMPTS if prompt.key == key)
        return _Section(title, words.of(key), key)

    recorded = licence and not words.licence
    made = [
        said("intended_use"),
        said("out_of_scope"),
        said("limitations"),
        _Section("Data", facts.data(candidate)),
        _Section("Performance", performance.performance(candidate)),
        _Section("Latency", performance.latency(candidate)),
        said("fairness"),
        _Section("Training", facts.training(candidate)),
        _Section("Reproducing", facts.reproducing(candidate)),
        _Section("Lineage", facts.lineage(candidate)),
        _Section("Model and exports", facts.artifacts(candidate)),
        _Section("Gate", facts.gate(candidate)),
        _Section("Environment", facts.environment(candidate)),
        _Section("Licence", f"Recorded: {text(licence)}.") if recorded else said("licence"),
        said("notes"),
        _Section("Pictures", facts.pictures(candidate)),
    ]
    optional = (OPTIONAL, "Pictures")
    return [each for each in made if each.body or (each.key or each.title) not in optional]


def _shown(section: _Section, mark: str = "") -> str:
    """Return a section; without a mark, a person's words have no markers around them."""
    if not section.key or not mark:
        return f"## {section.title}\n\n{section.body or _UNSAID}"
    prompt = next(prompt for prompt in PROMPTS if prompt.key == section.key)
    return f"## {section.title}\n\n{wrapped(prompt, section.body or BLANK, mark)}"


def _summary(title: str, sections: list[str]) -> str:
    """Return as many whole sections as fit, in their order."""
    last = f"The whole card: {code(CARD)} of the run."
    parts = [title]
    room = SUMMARY_LIMIT - len(title) - len(last) - 2
    for section in sections:
        if len(section) + 2 <= room:
            parts.append(section)
            room -= len(section) + 2
    return "\n\n".join([*parts, last])
