"""Reads rules as they are typed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.release.gate.rules import ANY, NUMBERS, Function, Rule
from cvtrack_magics.release.gate.wording import plain

_HINT = "A rule looks like 'val/mAP50>=0.85', 'p95_latency_ms<=50' or 'has(card)'."
_LIMIT = 1000
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_DEMAND = re.compile(r"(>=|<=|==|!=|>|<)(?![=<>!])\s*(.*)", re.DOTALL)
_IN = re.compile(r"in\s*\((.*)\)", re.DOTALL)
_ITEM = re.compile(r"""\s*('(?:[^']|'')*'|"(?:[^"]|"")*"|[^,'"()]*)\s*(,|$)""")
_METRIC = re.compile(r"[\w\-. /:]+")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_WRITTEN = {"=>": ">=", "=<": "<=", "=": "==", "≥": ">=", "≤": "<=", "≠": "!=", "<>": "!="}


def parse_rules(
    texts: Iterable[str], functions: Mapping[str, Function] | None = None
) -> tuple[Rule, ...]:
    """Return :func:`parse_rule` of each text."""
    return tuple(parse_rule(text, functions) for text in texts)


def parse_rule(text: str, functions: Mapping[str, Function] | None = None) -> Rule:
    """Read one rule.

    Parameters
    ----------
    text : str
        As :mod:`.rules` describes it.
    functions : mapping of str to Function, optional
        Words beside the built-in ones.

    Raises
    ------
    UsageProblem
        It is no rule, with what to write instead.
    """
    from cvtrack_magics.release.gate.functions import built_in

    known = {**built_in(), **(functions or {})}
    text = text.strip()
    if not text or len(text) > _LIMIT:
        raise UsageProblem("A rule is empty." if not text else "A rule is too long.", _HINT)
    call = _CALL.match(text)
    if call:
        subject, rest = _argument(text, call.end())
        return _function(text, call[1], subject.strip(), rest.strip(), known)
    name, rest = _split(text)
    if not rest:
        raise UsageProblem(
            f"The rule {_said(text)} says no direction.",
            f"Write '{plain(text, 60)}>=0.85' or with <=, <, >, ==, !=; or 'has(…)'.",
        )
    if not _METRIC.fullmatch(name):
        raise UsageProblem(f"The rule {_said(text)} does not begin with a metric's name.", _HINT)
    demand, wanted = _demand(text, rest, known[""])
    return Rule("", name, demand, wanted)


def _argument(text: str, start: int) -> tuple[str, str]:
    """Return what stands in the parentheses that were just opened, and what comes after."""
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            return text[start:at], text[at + 1 :]
    raise UsageProblem(f"The rule {_said(text)} has a parenthesis that is not closed.", _HINT)


def _function(text: str, name: str, subject: str, rest: str, known: Mapping[str, Function]) -> Rule:
    if name not in known:
        words = ", ".join(sorted(word for word in known if word))
        raise UsageProblem(
            f"The rule {_said(text)} asks {plain(name, 40)}().{did_you_mean(name, known)}",
            f"There are {words}.",
        )
    function = known[name]
    if not subject:
        raise UsageProblem(f"The rule {_said(text)} has nothing in its parentheses.", _HINT)
    problem = function.about(subject)
    if problem:
        raise UsageProblem(f"The rule {_said(text)}: {problem}.")
    if not function.operators:
        if rest:
            raise UsageProblem(f"The rule {_said(text)} ends with {_said(rest)}: {name}() is all.")
        return Rule(name, subject)
    if not rest:
        raise UsageProblem(
            f"The rule {_said(text)} says no direction.",
            f"After {name}(…) comes one of {', '.join(function.operators)}.",
        )
    demand, wanted = _demand(text, rest, function)
    return Rule(name, subject, demand, wanted)


def _split(text: str) -> tuple[str, str]:
    """Return a metric's name, and the operator with what comes after."""
    at = re.search(r"[<>=!≥≤≠]|\s+in\s*\(", text)
    return (text, "") if at is None else (text[: at.start()].strip(), text[at.start() :].strip())


def _demand(text: str, rest: str, function: Function) -> tuple[str, tuple[str, ...]]:
    one, several = _DEMAND.fullmatch(rest), _IN.fullmatch(rest)
    wanted: tuple[str, ...]
    if one:
        demand, wanted = one[1], (_unquoted(one[2].strip()),)
    elif several:
        demand, wanted = "in", _items(text, several[1])
    else:
        spelled = next((right for wrong, right in _WRITTEN.items() if rest.startswith(wrong)), "")
        hint = f"Write {spelled}." if spelled else f"There are {', '.join(ANY)} (…)."
        raise UsageProblem(f"The rule {_said(text)} has no operator that is known.", hint)
    if demand not in function.operators:
        raise UsageProblem(
            f"The rule {_said(text)} has {demand!r}, which says nothing here.",
            f"There are {', '.join(function.operators)}.",
        )
    for value in wanted:
        problem = function.problem(demand, value) if value else "nothing is wanted"
        if problem:
            raise UsageProblem(f"The rule {_said(text)}: {problem}.", _HINT)
    return demand, wanted


def _items(text: str, inside: str) -> tuple[str, ...]:
    items, at = [], 0
    while True:
        found = _ITEM.match(inside, at)
        if found is None:
            raise UsageProblem(f"The rule {_said(text)}: its list cannot be read.", _HINT)
        items.append(_unquoted(found[1].strip()))
        at = found.end()
        if not found[2]:
            return tuple(items)


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote and quote in "'\"" and len(value) > 1 and value.endswith(quote):
        inside = value[1:-1]
        if quote not in inside.replace(quote * 2, ""):
            return inside.replace(quote * 2, quote)
    return value


def _said(text: str) -> str:
    return f"'{plain(text, 80)}'"


def no_number(_operator: str, value: str) -> str:
    """Say that a text is no finite number, or nothing."""
    return "" if is_number(value) else f"{_said(value)} is no number"


def is_number(value: str) -> bool:
    """Return whether a text is a finite number in plain digits."""
    return bool(_NUMBER.fullmatch(value.strip())) and math.isfinite(float(value))


def no_number_where_ordered(demand: str, value: str) -> str:
    """Say that a text that is to be above or below is no number, or nothing."""
    return no_number(demand, value) if demand in NUMBERS and demand not in ("==", "!=") else ""


def no_digest(_operator: str, value: str) -> str:
    """Say that a text is no SHA-256 or the start of one, or nothing."""
    good = re.fullmatch(r"[0-9a-fA-F]{8,64}", value)
    return "" if good else f"{_said(value)} is not 8 to 64 hexadecimal digits"


def no_version(demand: str, value: str) -> str:
    """Say that a text is no version by PEP 440, or nothing."""
    from packaging.specifiers import InvalidSpecifier, Specifier

    try:
        Specifier(f"{'==' if demand == 'in' else demand}{value}")
    except InvalidSpecifier:
        return f"{_said(value)} is no version"
    return ""
