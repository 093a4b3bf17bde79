"""Model cards: facts of the run, and a person's words that are never overwritten."""

from cvtrack_magics.release.card.build import Card, blanks_of, card_of, known_words
from cvtrack_magics.release.card.human_sections import (
    CARD_PATH,
    FACTS_TAG,
    PROMPTS,
    Words,
    digests_of_facts,
    edited_words,
    questions,
    read_words,
)

__all__ = [
    "CARD_PATH",
    "FACTS_TAG",
    "PROMPTS",
    "Card",
    "Words",
    "blanks_of",
    "card_of",
    "digests_of_facts",
    "edited_words",
    "known_words",
    "questions",
    "read_words",
]
