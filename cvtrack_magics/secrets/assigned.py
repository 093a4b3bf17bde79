"""Values whose name says that they are secret: in code, settings, shells and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cvtrack_magics.secrets import blocks, connectors, markup, pairs, settings
from cvtrack_magics.secrets.names import Strength, strength
from cvtrack_magics.secrets.placeholders import is_placeholder
from cvtrack_magics.secrets.spans import Span
from cvtrack_magics.secrets.worth import (
    Named,
    Place,
    counts,
    is_bare_secret,
    is_number,
    is_phrase,
    is_place,
    is_word,
)

_NAME_BEFORE = re.compile(r"[\w\-]{0,64}\Z")
_NAME_AFTER = re.compile(r"[\w\-]{0,64}")
_WORD_BEFORE = re.compile(r"(?<![\w\-.])[A-Za-z]{2,10}[ \t]\Z")
_LOGIN = re.compile(r"login\([^()\n]{0,60}\Z")
_DOT_BEFORE = re.compile(r"(?<![\w\-])(?P<word>[A-Za-z]{2,20})\.\Z")  # as in api.key=…
_ADDRESS_KEY = re.compile(r"=(?=[A-Za-z_\-]{0,30}\d)[\w\-]{16,200}(?![^\s&#\"'<>`)])")
_SETS = re.compile(r"[ \t]{0,8}=(?!=)")
_IN_FRENCH = re.compile(
    r"(?i)utilisateur|identifiant|compte|(?:user|login|base|db|smtp)[^\n]{0,40}\Z"
)
_SHORTEST = 4


def find_assigned(
    text: str, hints: Iterable[tuple[int, int]], *, strict: bool = False, certain: bool = False
) -> Iterator[Span]:
    """Find values under names that say secret.

    Parameters
    ----------
    text : str
        Code, settings, command lines, messages: any text.
    hints : iterable of (int, int)
        See `hinted`.
    strict : bool
        Also values that are words, short, or look chosen.
    certain : bool
        The text is a file of settings: what stands behind ``=`` is a value, not a variable.
    """
    done = 0
    for first, last in hints:
        if first < done:
            continue
        before = _NAME_BEFORE.search(text, max(done, first - 64), first)
        start = before.start() if before else first
        if start < first and text[start - 1 : start] == "\\" and text[start] in "nrt":
            start += 1  # of a line's end in the source of a text
        after = _NAME_AFTER.match(text, last)
        end = done = after.end() if after else last
        named = _named(text, start, end, certain)
        if named is not None:
            for found in _values(text, named, strict):
                yield found
                done = max(done, found.end)


def _named(text: str, start: int, end: int, certain: bool) -> Named | None:
    name = text[start:end].strip("-")
    flag = "--" in (text[start : start + 2], text[start - 2 : start])
    kind = strength(name) or _kind_in_place(text, start, end, name)
    if kind:
        return Named(start, end, kind, name, flag, certain)
    before = _WORD_BEFORE.search(text, max(0, start - 12), start)  # as in "API key: …"
    if before is not None:
        kind = strength(f"{before.group().strip()}_{name}")
    return Named(before.start(), end, kind, name, flag) if kind and before else None


def _kind_in_place(text: str, start: int, end: int, name: str) -> Strength:
    """Say what a word promises that is one of many uses: ``key``, ``pass`` and ``pw``."""
    before = text[max(0, start - 80) : start]
    kind: Strength = "key" if name in ("pass_", "pw") else ""
    if name in ("pass", "pw", "key") and before.endswith(("?", "&")):
        given = _ADDRESS_KEY.match(text, end) if name == "key" else _SETS.match(text, end)
        kind = ("key" if name == "key" else "password") if given else ""
    elif name == "pass" and _SETS.match(text, end):  # no name of Python's
        kind = "password" if connectors.LINE_START.search(before[-24:]) else "key"
    elif (name == "pass" and text[end : end + 1] in ('"', "'", ":", "=")) or (
        name == "key" and _LOGIN.search(before)
    ):
        kind = "key"
    elif name in ("key", "keys"):
        dotted = _DOT_BEFORE.search(before)
        kind = strength(f"{dotted['word']}_{name}") if dotted is not None else ""
    elif "mdp" in re.split(r"[_\-]", name.lower()):  # also what a decision process is called
        kind = "key" if _IN_FRENCH.search(before + name) else "token"
    return kind


def _values(text: str, named: Named, strict: bool) -> Iterator[Span]:
    if text.startswith("->", named.start - 2) or text.startswith("-> ", named.start - 3):
        assigned = connectors.ASSIGNED.search(text, max(0, named.start - 420), named.start)
        if assigned is not None and counts(assigned["v"], named, strict):
            yield Span(*assigned.span("v"), named.label)
            return
    if named.flag and (gap := connectors.FLAG.match(text, named.end)) is not None:
        yield from _literal_or_bare(text, gap.end(), named, "flag", strict)
        return
    answer = _answer(text, named)
    second = pairs.beside(text, named) if answer is None else None
    if answer is not None or second is not None:
        texts = [one for one in (answer, second) if one is not None]
        yield from _counted(texts, named, strict, loose=answer is not None)
        return
    entry = _entry(text, named)
    if entry:
        yield from _literal_or_bare(text, entry, named, "setting", strict)
        return
    default = _default(text, named)
    if default:
        yield from _literal_or_bare(text, default, named, "setting", strict)
        return
    several = connectors.of_several(text, named.start)
    if several is not None:
        yield from _counted([several], named, strict)
        return
    tail = connectors.TAIL.match(text, named.end)
    if tail is None:
        yield from _without_operator(text, named, strict)
    elif tail["op"] == ",":
        yield from _next_argument(text, named, tail, strict)
    else:
        yield from _given(text, named, tail, strict)


def _answer(text: str, named: Named) -> connectors.Literal | None:
    """Return the text that a function of this name returns, or that a branch for it gives."""
    before = text[max(0, named.start - 30) : named.start]
    if connectors.FUNCTION.search(before):
        gap = connectors.RETURNED.match(text, named.end)
    elif connectors.BRANCH.search(before):
        gap = connectors.TAKEN.match(text, named.end)
    else:
        return None
    return connectors.literal(text, gap.end()) if gap is not None else None


def _entry(text: str, named: Named) -> int:
    """Return where the value stands of a name that is an entry's own ``name``; 0 if it is none."""
    if connectors.ENTRY.search(text[max(0, named.start - 20) : named.start]) is None:
        return 0
    gap = connectors.ITS_VALUE.match(text, named.end)
    return gap.end() if gap is not None else 0


def _default(text: str, named: Named) -> int:
    """Return where the default stands of a variable that is declared; 0 if it is none."""
    if connectors.DECLARES.search(text, max(0, named.start - 20), named.start):
        gap = connectors.DECLARED.match(text, named.end)
    else:
        gap = connectors.INPUT.match(text, named.end)
    return gap.end() if gap is not None else 0


def _given(text: str, named: Named, tail: re.Match[str], strict: bool) -> Iterator[Span]:
    """Yield what is assigned to a name, stands under it as a key, or is compared with it."""
    below = blocks.below(text, named)
    if below:
        yield from _counted(below, named, strict)
        return
    at, opened = tail.end(), bool(tail["opened"])
    broken = "\n" in tail.group()
    if (broken and tail["op"] == ":" and not tail["close"]) or (
        tail["op"] == "value=" and not tail["close"]
    ):
        return  # what follows is a block
    heredoc = connectors.HEREDOC.match(text, at) or connectors.CONTINUED.match(text, named.end)
    if heredoc is not None:
        yield from _literal_or_bare(text, heredoc.end(), named, "setting", strict)
        return
    foreign = connectors.raw(text, tail.start("opened"))
    if foreign is not None:
        yield from _counted([foreign], named, strict)
        return
    long = connectors.long_of_lua(text, tail.start("opened"))
    if long is not None:
        yield from _counted([long], named, strict, loose=True)
        return
    if opened and "join(" in tail["opened"]:
        whole = connectors.literal(text, at, lines=True, commas=True)
        yield from _counted([whole] if whole is not None else [], named, strict)
        return
    texts = list(connectors.literals(text, at, opened=opened))
    if not texts and text.startswith("<%=", at):
        template = connectors.TEMPLATE.match(text, at)
        texts = list(connectors.literals(text, template.end(), opened=False)) if template else []
    if not texts and tail["op"].endswith("="):
        otherwise = connectors.OTHERWISE.match(text, tail.end("op"))
        if otherwise is not None:
            texts = list(connectors.literals(text, otherwise.end(), opened=False))
    if texts:
        yield from _counted(texts, named, strict)
    elif not broken and not opened:
        yield from _bare(text, at, named, _place(text, named, tail))


def _next_argument(text: str, named: Named, tail: re.Match[str], strict: bool) -> Iterator[Span]:
    """Yield what stands behind a quoted name and a comma."""
    if not tail["close"]:
        return
    sure = named.flag or bool(
        connectors.SETTER.search(text[max(0, named.start - 90) : named.start])
    )
    found = connectors.literal(text, tail.end(), lines=True)
    if found is not None and not found.value.startswith("-"):
        yield from _counted([found], named, strict, loose=not sure)
        return
    default = connectors.DEFAULT.match(text, tail.end()) if named.flag else None
    if default is not None:
        yield from _counted(connectors.literals(text, default.end(), opened=False), named, strict)


def _without_operator(text: str, named: Named, strict: bool) -> Iterator[Span]:
    """Yield what a message, a table or a markup says beside a name."""
    element = markup.element(text, named.start, named.end)
    if element is not None:
        if counts(element["v"], named, strict):
            yield Span(*element.span("v"), named.label)
        return
    is_call = named.kind == "password" and text.startswith("(", named.end)
    argument = connectors.literal(text, named.end + 1) if is_call else None
    if argument is not None and "@" not in argument.value:
        is_set = named.name.lower().startswith("set")  # set_password("…")
        yield from _counted([argument], named, strict, loose=not is_set)
        return
    said = connectors.SAID.match(text, named.end)
    if said is None:
        return
    found = connectors.literal(text, said.end())
    if found is not None:
        yield from _counted([found], named, strict, loose=True)
    elif connectors.SET_BY_SPACE.search(text[max(0, named.start - 24) : named.start]):
        yield from _bare(text, said.end(), named, "shell")
    else:
        yield from _bare(text, said.end(), named, "near")


def _literal_or_bare(
    text: str, at: int, named: Named, place: Place, strict: bool
) -> Iterator[Span]:
    found = connectors.literal(text, at)
    if found is None:
        yield from _bare(text, at, named, place)
    else:
        yield from _counted([found], named, strict)


def _counted(
    texts: Iterable[connectors.Literal],
    named: Named,
    strict: bool,
    *,
    loose: bool = False,
) -> Iterator[Span]:
    for found in texts:
        if counts(found.value, named, strict, loose=loose):
            yield from (Span(start, end, named.label) for start, end in found.places)


def _place(text: str, named: Named, tail: re.Match[str]) -> Place:
    """Say where a bare value stands: in a shell, a URL, on a line of settings, or in code."""
    before = text[max(0, named.start - 24) : named.start]
    if before.endswith(("?", "&")) or (tail["op"] == "=" and connectors.SOURCE.search(before)):
        return "url"
    if tail["op"] == "=" and connectors.SHELL.search(before):
        return "shell"
    value = connectors.BARE.match(text, tail.end())
    lines = value is not None and text.startswith("\\n", value.end())
    if lines and tail["op"] == ":" and connectors.IN_TEXT.search(before):
        return "setting"
    if connectors.LINE_START.search(before) and not tail["close"]:
        tight = tail["op"] == "=" and text[named.end] == "=" and not text[tail.end() - 1].isspace()
        if tight and named.name.isupper():
            return "shell"
        if tail["op"] == ":" and text[tail.end() - 1].isspace():
            return "setting"
    return "code"


def _bare(text: str, at: int, named: Named, place: Place) -> Iterator[Span]:
    default = connectors.DEFAULTED.match(text, at)
    at = default.end() if default is not None else at
    match = connectors.BARE.match(text, at)
    whole = connectors.SETTING.match(text, at) if place == "setting" else None
    chosen = named.kind == "password" or named.name.lower().endswith("secret")
    if whole is not None and chosen and any(map(str.isdigit, whole.group())):
        match = whole
    if match is None:
        return
    if len(named.name) > 4 and named.name.lower() in match.group().lower():  # self.ai21_api_key
        return
    if is_placeholder(match.group()):
        return
    phrase = _phrase_end(text, at, named, place)
    value = match.group().rstrip(".:!?") if place == "near" else match.group()
    end = phrase or at + len(value)
    if (
        len(value) < _SHORTEST
        or value[0] in "-=:*"
        or is_place(value)
        or (text[end : end + 1] in ("(", "[") and not phrase)
    ):
        return
    found = bool(phrase) or is_number(value, named, place)
    found = found or (default is not None and counts(value, named, strict=False))
    found = found or is_bare_secret(text, value, end, named, place)
    if found or _is_set(text, value, at, named, place):
        yield Span(at, end, named.label)


def _is_set(text: str, value: str, at: int, named: Named, place: Place) -> bool:
    """Say whether a word is a password because it stands in settings and not in code."""
    if place != "code" or named.kind != "password" or not is_word(value):
        return False
    end = at + len(value)
    tight = not any(map(str.isspace, text[named.end : at]))
    return bool(connectors.LINE_END.match(text, end)) and _stands_in_settings(
        text, named, end, tight=tight
    )


def _phrase_end(text: str, at: int, named: Named, place: Place) -> int:
    """Return where a password of several words ends that settings have without quotes; else 0."""
    if place not in ("code", "setting") or named.kind != "password":
        return 0
    rest = connectors.REST.match(text, at)
    words = rest.group().rstrip() if rest is not None else ""
    if not is_phrase(words) or not connectors.LINE_END.match(text, at + len(words)):
        return 0
    sure = place == "setting" and any(map(str.isdigit, words))
    end = at + len(words)
    return end if sure or _stands_in_settings(text, named, end, tight=False) else 0


def _stands_in_settings(text: str, named: Named, end: int, *, tight: bool) -> bool:
    begin = settings.is_at_beginning(text, named.start)
    return begin and (named.certain or settings.are_around(text, named.start, end, tight=tight))
