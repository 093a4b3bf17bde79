"""A person's words come back as they were written, or we say what is wrong."""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.card import (
    FACTS_TAG,
    Words,
    card_of,
    digests_of_facts,
    edited_words,
    questions,
    read_words,
)
from cvtrack_magics.release.card.human_sections import BLANK, PROMPTS, mark_of
from tests.release.card.candidates import WORDS, good, with_card

MARK = mark_of(Words())
LINES = (
    "## Limitations",
    "# In your words: x",
    "```python",
    "```",
    "---",
    "    indented",
    f"<!-- {PROMPTS[0].question} -->",
    f"<!-- cvtrack:begin limitations {MARK} -->",
    f"<!-- cvtrack:end intended_use {MARK} -->",
    "<!-- cvtrack:end intended_use -->",
    "<!-- open",
    "",
    "ü \u2028 \x0b end ",
)


def written(value: str) -> bool:
    lines = value.split("\n")
    return value == "" or (bool(lines[0].strip() and lines[-1].strip()) and value != BLANK)


words = st.lists(st.one_of(st.sampled_from(LINES), st.text("ab#<!->`~ \n", max_size=12)))
sections = words.map("\n".join).filter(written)


@given(st.lists(sections, min_size=6, max_size=6))
@example(["<!-- cvtrack:end intended_use 0 -->", *[""] * 5])
@example([f"<!-- cvtrack:end intended_use {MARK} -->", *[""] * 5])
def test_words_come_back_exactly(texts: list[str]) -> None:
    given_words = Words(*texts)
    assert read_words(questions("x", given_words)) == given_words
    card = card_of(good(), words=given_words)
    assert read_words(card.markdown) == given_words
    again = card_of(with_card(good(), card.markdown))
    assert again.markdown == card.markdown


def test_the_file_is_written_once_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "cards" / "card.md"
    known = Words(limitations="Not at night.")
    assert edited_words(path, "model <x>", known) is None
    asked = path.read_text(encoding="utf-8")
    for prompt in PROMPTS:
        assert f"## {prompt.title}" in asked
        assert asked.count(f"<!-- {prompt.question} -->") == 1
    assert edited_words(path, "model", Words()) == known
    assert path.read_text(encoding="utf-8") == asked
    question = f"<!-- {PROMPTS[0].question} -->\n"
    path.write_bytes(asked.replace(question, f"{question}For *parts*.\n").encode("utf-8-sig"))
    found = edited_words(path, "model", Words())
    assert found == Words(intended_use="For *parts*.", limitations="Not at night.")


def test_windows_line_ends_are_no_part_of_the_words() -> None:
    text = questions("x", Words(fairness="one\n\ntwo")).replace("\n", "\r\n")
    assert read_words(text, strict=True) == Words(fairness="one\n\ntwo")


def test_a_card_written_by_hand_is_read_by_its_headings() -> None:
    text = (
        "---\nlicense: mit\n---\n# Model Card: x\n\n## Intended Use\n- Parts\n\n### Where\nBelt\n"
        "## Limitations\n```\n## Licence\n```\n## Training Data\nInternal\n## License\nMIT\n"
    )
    assert read_words(text, strict=True) == Words(
        intended_use="- Parts\n\n### Where\nBelt",
        limitations="```\n## Licence\n```",
        licence="MIT",
        notes="## Training Data\nInternal",
    )


ASKED = questions("x", Words(**WORDS))
END = "<!-- cvtrack:end limitations"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ASKED.replace(END, "<!-- gone"), "'Limitations' of the card has no end"),
        (ASKED + ASKED[ASKED.index("<!-- cvtrack:begin") :], "occurs twice"),
        (ASKED.replace("## Licence", "My words\n## Licence"), "would be lost: 'My words'"),
        (ASKED.replace("People.", "```\nPeople."), "opens code with ```"),
        (ASKED.replace("People.", "~~~~\n~~~\nPeople."), "opens code with ~~~~"),
        ("import torch\n", "no section of a card"),
        ("", "no section of a card"),
    ],
)
def test_what_would_be_lost_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageProblem, match=said):
        edited_words(path, "x", Words())
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be used"):
        edited_words(tmp_path, "x", Words())
    (tmp_path / "latin.md").write_bytes("Prüfung".encode("latin-1"))
    with pytest.raises(UsageProblem, match="not UTF-8"):
        edited_words(tmp_path / "latin.md", "x", Words())


def test_a_whole_card_can_be_edited_too(tmp_path: Path) -> None:
    card = card_of(good(), words=Words(**WORDS))
    path = tmp_path / "MODEL_CARD.md"
    path.write_text(card.markdown.replace("People.", "Animals."), encoding="utf-8")
    found = edited_words(path, "x", Words())
    assert found == Words(**{**WORDS, "out_of_scope": "Animals."})


def test_every_section_is_a_field() -> None:
    assert [prompt.key for prompt in PROMPTS] == [field.name for field in fields(Words)]


KEPT = Words(limitations="Not at night.", notes="See the wiki.")


def _changed(text: str, how: str) -> str:
    """Return a card as an editor or a person leaves it."""
    begin, end = (f"<!-- cvtrack:{at} limitations {mark_of(KEPT)} -->" for at in ("begin", "end"))
    line = "A person's line."
    return {
        "nothing": text,
        "CRLF": text.replace("\n", "\r\n"),
        "BOM": f"\ufeff{text}",
        "spaces": text.replace(begin, f"  {begin} ").replace(end, f"{end}\t"),
        "between": text.replace("## Performance\n", f"## Performance\n\n{line}\n"),
        "between, CRLF": text.replace("## Data\n", f"## Data\n{line}\n").replace("\n", "\r\n"),
        "at the end": f"{text}\n{line}\n",
        "at the top": text.replace("# Model card", f"{line}\n\n# Model card", 1),
        "a fact": text.replace("## Environment", f"## Environment {line}", 1),
        "no end": text.replace(f"{end}\n", ""),
        "no begin": text.replace(f"{begin}\n", ""),
        "doubled": text.replace(f"{end}\n", f"{end}\n{begin}\n{end}\n"),
        "begin doubled": text.replace(f"{begin}\n", f"{begin}\n{begin}\n"),
    }[how]


@pytest.mark.parametrize(
    "how",
    ["nothing", "CRLF", "BOM", "spaces", "between", "between, CRLF", "at the end", "at the top"],
)
def test_words_beside_the_sections_of_a_card_are_kept_as_notes(how: str, tmp_path: Path) -> None:
    made = card_of(good(), words=KEPT).markdown
    text = _changed(made, how)
    stray = "A person's line." in text
    facts = {FACTS_TAG: digests_of_facts(made)}
    there = with_card(good(), text)
    there = dataclasses.replace(there, tags={**there.tags, **facts})
    again = card_of(there)
    assert again.words.limitations == KEPT.limitations
    assert again.words.notes == KEPT.notes + "\n\nA person's line." * stray
    assert again.markdown.count("A person's line.") == stray
    other = card_of(there, words=Words(notes="Of a file."))
    assert other.words.notes == "Of a file." + "\n\nA person's line." * stray
    file = tmp_path / "card.md"
    file.write_bytes(text.encode())
    if how != "at the top":
        edited = edited_words(file, "x", Words(), facts[FACTS_TAG])
        assert edited is not None
        assert edited.notes == again.words.notes
    once_more = with_card(good(), again.markdown)
    facts = {FACTS_TAG: digests_of_facts(again.markdown)}
    once_more = dataclasses.replace(once_more, tags={**once_more.tags, **facts})
    assert card_of(once_more).markdown == again.markdown


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no end", "'Limitations' of the card has no end"),
        ("no begin", "'Limitations' of the card has no beginning"),
        ("doubled", "'Limitations' occurs twice"),
    ],
)
def test_a_marker_that_is_lost_or_doubled_loses_no_words(how: str, said: str) -> None:
    text = _changed(card_of(good(), words=KEPT).markdown, how)
    for strict in (False, True):
        with pytest.raises(UsageProblem, match=said):
            read_words(text, strict=strict)


def test_a_doubled_beginning_is_part_of_the_words() -> None:
    text = _changed(card_of(good(), words=KEPT).markdown, "begin doubled")
    assert read_words(text).limitations.endswith("Not at night.")
