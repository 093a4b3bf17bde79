"""What only a person can say of a model, kept word for word through every new card."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

from cvtrack_magics.artifacts.paths import CARD
from cvtrack_magics.capture.params.values import hide_tokens
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.card.escape import one_line
from cvtrack_magics.text import utf8

CARD_PATH = CARD  # the name by which others import it
"""Where the card lies among a run's artifacts."""


class Prompt(NamedTuple):
    """One section that a person writes: field of `Words`, heading, and what to say there."""

    key: str
    title: str
    question: str


PROMPTS: tuple[Prompt, ...] = (
    Prompt("intended_use", "Intended use", "What is it for, on which images, in whose hands?"),
    Prompt("out_of_scope", "Out-of-scope use", "What must it not be used for?"),
    Prompt("limitations", "Limitations", "Where does it fail, and what was it never tested on?"),
    Prompt("fairness", "Fairness and ethics", "Whom can its errors harm, and who is missing?"),
    Prompt("licence", "Licence", "Under which licence may it be used, such as Apache-2.0?"),
    Prompt("notes", "Notes", "Anything else; may stay empty."),
)
OPTIONAL = "notes"
BLANK = "*Not yet written.*"
FACTS_TAG = "cvtrack.card_facts"  # of a run: which lines of its card are facts
_TOP = (
    "# In your words: ",
    "<!-- Write between the markers of each section, then type the same %mlcard again. -->",
)


@dataclass(frozen=True, slots=True)
class Words:
    """A person's sections as Markdown, ``""`` where nothing is written yet."""

    intended_use: str = ""
    out_of_scope: str = ""
    limitations: str = ""
    fairness: str = ""
    licence: str = ""
    notes: str = ""

    def of(self, key: str) -> str:
        """Return one section."""
        return str(getattr(self, key))

    def over(self, earlier: Words) -> Words:
        """Return these words, and the earlier ones where these are blank."""
        return Words(**{f.name: self.of(f.name) or earlier.of(f.name) for f in fields(self)})


_BEGIN = re.compile(r"^<!-- cvtrack:begin (?P<key>[a-z_]+) (?P<mark>[0-9a-f]{12}) -->$")
_HEADING = re.compile(r"^(?P<level>#{1,6})\s+(?P<title>.*?)[\s#]*$")
_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})(?P<rest>.*)$")
_TITLES = {
    **{prompt.title.lower(): prompt.key for prompt in PROMPTS},
    **{"out of scope use": "out_of_scope", "out-of-scope": "out_of_scope"},
    **{"fairness": "fairness", "fairness notes": "fairness", "ethical considerations": "fairness"},
    "license": "licence",
}


def wrapped(prompt: Prompt, text: str, mark: str) -> str:
    """Return a section's text between its markers, after a comment that asks for it."""
    begin = f"<!-- cvtrack:begin {prompt.key} {mark} -->\n{_asked(prompt)}"
    return f"{begin}\n{text}\n<!-- cvtrack:end {prompt.key} {mark} -->"


def mark_of(words: Words) -> str:
    """Return 12 hexadecimal digits that occur in none of the words.

    They are part of every marker, so that no text of a person can look like one.
    """
    whole = "\n".join(words.of(prompt.key) for prompt in PROMPTS)
    mark = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:12]
    while mark in whole:
        mark = hashlib.sha256(utf8(mark)).hexdigest()[:12]
    return mark


def questions(name: str, words: Words) -> str:
    """Return the file that asks for a person's words, with those that are known already."""
    mark = mark_of(words)
    parts = [f"{_TOP[0]}{one_line(name)}", _TOP[1]]
    for prompt in PROMPTS:
        parts += ["", f"## {prompt.title}", wrapped(prompt, words.of(prompt.key), mark)]
    return "\n".join(parts) + "\n"


def _asked(prompt: Prompt) -> str:
    return f"<!-- {prompt.question} -->"


def read_words(text: str, *, strict: bool = False) -> Words:
    """Read a person's sections out of a card, or out of the file that asked for them.

    Parameters
    ----------
    text : str
        With our markers, or any Markdown with headings such as ``## Limitations``; of the
        latter, what stands under other headings is taken as notes.
    strict : bool
        Refuse what would be lost or do harm: a file without any section, text outside of the
        markers of a file of questions, and code that would swallow the rest of the card.

    Returns
    -------
    Words
        Each section as it was written, blank lines before and after it left out.

    Raises
    ------
    UsageProblem
        A section has lost its end or occurs twice, or what ``strict`` refuses.
    """
    lines = _lines(text)
    first = _first_begin(lines)
    words, outside = _marked(lines, first["mark"]) if first else (_headed(lines, strict), [])
    if strict:
        _refuse_stray(outside)
        _refuse_open_code(words)
    return words


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


def _first_begin(lines: Sequence[str]) -> re.Match[str] | None:
    return next((found for line in lines if (found := _BEGIN.match(line.strip()))), None)


def digests_of_facts(card: str) -> str:
    """Return a short digest of each line of a card that no person wrote, beside each other."""
    return " ".join(dict.fromkeys(_short(line) for line in _outside(card) if line.strip()))


def stray_of(card: str, digests: str) -> str:
    """Return what a person wrote into a card beside the sections that are there for it.

    Parameters
    ----------
    card : str
        As it is now.
    digests : str
        Of the lines that were written of facts, as :func:`digests_of_facts` gave them; without
        them nothing is known.
    """
    known = set(digests.split())
    lines = [line if _short(line) not in known else "" for line in _outside(card)]
    return re.sub(r"\n{3,}", "\n\n", _trimmed(lines)) if known else ""


def with_notes(words: Words, stray: str) -> Words:
    """Return words with what was written beside them among the notes, once."""
    if not stray or stray in words.notes:
        return words
    return replace(words, notes="\n\n".join(part for part in (words.notes, stray) if part))


def _outside(card: str) -> list[str]:
    lines = _lines(card)
    first = _first_begin(lines)
    return _marked(lines, first["mark"])[1] if first else []


def _short(line: str) -> str:
    return hashlib.sha256(line.strip().encode("utf-8", "replace")).hexdigest()[:8]


def _marked(lines: list[str], mark: str) -> tuple[Words, list[str]]:
    found: dict[str, str] = {}
    outside: list[str] = []
    known = {prompt.key: prompt for prompt in PROMPTS}
    at = 0
    while at < len(lines):
        begin = _BEGIN.match(lines[at].strip())
        if begin is None or begin["mark"] != mark or begin["key"] not in known:
            _refuse_lone_end(lines[at], mark, known)
            outside.append(lines[at])
            at += 1
            continue
        prompt = known[begin["key"]]
        end = f"<!-- cvtrack:end {prompt.key} {mark} -->"
        ends = [place for place in range(at, len(lines)) if lines[place].strip() == end]
        if not ends:
            raise UsageProblem(
                f"The section {prompt.title!r} of the card has no end.", f"Put back: {end}"
            )
        if prompt.key in found:
            raise UsageProblem(
                f"The section {prompt.title!r} occurs twice in the card.", "Leave one of them."
            )
        stop = ends[0]
        found[prompt.key] = _written(lines[at + 1 : stop], prompt)
        at = stop + 1
    return Words(**found), outside


def _refuse_lone_end(line: str, mark: str, known: Mapping[str, Prompt]) -> None:
    found = re.fullmatch(rf"<!-- cvtrack:end ([a-z_]+) {mark} -->", line.strip())
    if found and found[1] in known:
        raise UsageProblem(
            f"The section {known[found[1]].title!r} of the card has no beginning.",
            f"Put back: <!-- cvtrack:begin {found[1]} {mark} -->",
        )


def _written(inside: list[str], prompt: Prompt) -> str:
    asked, _, rest = _trimmed(inside).partition("\n")
    text = _trimmed(rest.split("\n")) if asked == _asked(prompt) else _trimmed(inside)
    return "" if text == BLANK else text


def _headed(lines: list[str], needed: bool = False) -> Words:
    """Read a card that somebody wrote by hand, by its headings."""
    parts: dict[str, list[str]] = {}
    key, depth, fence = OPTIONAL, 7, ""
    for line in _without_top(lines):
        fence = _fence_after(line, fence)
        heading = None if fence else _HEADING.match(line)
        level = len(heading["level"]) if heading else 7
        title = heading["title"].lower() if heading else ""
        if title in _TITLES:
            key, depth = _TITLES[title], level
            parts.setdefault(key, [])
            continue
        if heading and level <= depth:
            key, depth = OPTIONAL, 7
        parts.setdefault(key, []).append(line)
    if needed and not parts.keys() - {OPTIONAL}:
        titles = ", ".join(prompt.title for prompt in PROMPTS)
        raise UsageProblem("The file has no section of a card.", f"Their headings are: {titles}.")
    return Words(**{key: _trimmed(inside) for key, inside in parts.items()})


def _without_top(lines: list[str]) -> list[str]:
    """Leave out the front matter and the title, which every card gets anew."""
    if lines[:1] == ["---"] and "---" in lines[1:]:
        lines = lines[lines.index("---", 1) + 1 :]
    filled = next((at for at, line in enumerate(lines) if line.strip()), 0)
    title = bool(lines) and lines[filled].startswith("# ")
    return lines[filled + 1 :] if title else lines


def _trimmed(lines: list[str]) -> str:
    filled = [at for at, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[filled[0] : filled[-1] + 1]) if filled else ""


def _fence_after(line: str, fence: str) -> str:
    """Return the fence of code that is open after a line (CommonMark, section 4.5)."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    if not fence:
        tick_in_info = found["fence"][0] == "`" and "`" in found["rest"]
        return "" if tick_in_info else found["fence"]
    closes = found["fence"].startswith(fence) and not found["rest"].strip()
    return "" if closes else fence


def _refuse_stray(outside: list[str]) -> None:
    if outside[:1] == ["---"]:  # a whole card: what is outside are facts, written anew
        return
    headings = {f"## {prompt.title}" for prompt in PROMPTS}
    stray = [x for x in outside if x.strip() and x not in headings and not x.startswith(_TOP)]
    if stray:
        raise UsageProblem(
            f"This line stands outside of the sections and would be lost: {stray[0][:80]!r}.",
            "Move it between the markers of a section.",
        )


def _refuse_open_code(words: Words) -> None:
    for prompt in PROMPTS:
        fence = ""
        for line in words.of(prompt.key).split("\n"):
            fence = _fence_after(line, fence)
        if fence:
            raise UsageProblem(
                f"The section {prompt.title!r} opens code with {fence} and never ends it.",
                f"Close it with {fence}; it would hide the rest of the card.",
            )


def edited_words(path: Path, name: str, known: Words, digests: str = "") -> Words | None:
    """Read the file that a person edits; write it with the questions where there is none.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What the card is of, for the file's first line.
    known : Words
        What an earlier card says; the new file holds it, to be edited.
    digests : str
        Of the card's lines of facts, where the file is a whole card.

    Returns
    -------
    Words or None
        None where the file was written just now and waits for answers.

    Raises
    ------
    UsageProblem
        The file cannot be read or written, or words in it would be lost.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(questions(name, known), encoding="utf-8", newline="\n")
            return None
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageProblem(f"{path.name!r} is not UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as error:
        raise UsageProblem(
            f"{str(path)!r} cannot be used: {error.strerror}.", "Name another file with --edit."
        ) from None
    words = read_words(text, strict=True)
    return with_notes(words, stray_of(text, digests)) if text.startswith("---") else words


def without_secrets(words: Words) -> Words:
    """Return the words without credentials; all else stays as it is."""
    return replace(words, **{p.key: hide_tokens(words.of(p.key)) for p in PROMPTS})
