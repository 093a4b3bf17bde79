"""What a rule is: a subject, an operator and what is wanted.

A rule is one line. It is about a metric, or about what a function finds:

=====================================  ============================================================
``val/mAP50 >= 0.85``                  the last value of a metric; ``>= <= > < == !=``
``val/AP50/traffic light >= 0.7``      the same of one class
``min(val/AP50/*) >= 0.6``             the worst class (``max``, ``mean``); all must have a value
``min(val/slices/size/*/mAP50)         the worst part of the samples, by its interval: what is
>= 0.5``                               not surely above nor below is undecided, and fails
``worst(delta(val/slices/camera/*/     the part that lost most beside the champion, on the same
top1_acc)) >= -0.01``                  samples; surely no more than this
``size_mb(model) <= 100``              an artifact or a folder of them, in 10⁶ bytes
``has(governance/MODEL_CARD.md)``      an artifact that is not empty; also ``has(card)``,
                                       ``has(export evidence)``, ``has(signature)`` and
                                       ``has(input example)``; takes no operator
``tag(env) in (staging, production)``  a tag of the run or else of the version; ``== != in``
``param(seed) == 42``                  a parameter; numbers are compared as numbers
``data(train) == 3f9a0c1e``            the SHA-256 of an input by its name or context, or the
                                       first 8 digits and more of it
``eval(val) == 3f9a0c1e``              the same of what an evaluation was measured on
``leak(train, val) == 0``              how many pictures of the second data set are in the first
``conflicts(val) <= 0.01``             the share of its pictures that have another label too
``env(torch) >= 2.1``                  a package (or ``python``) of the run's environment
=====================================  ============================================================

The direction is always written: a rule without an operator is refused, unless it is about
presence. What is missing fails every rule, ``!=`` too. A value with a comma, a parenthesis or
spaces around it is quoted (``'a, b'``); a quote inside is doubled.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.gate.wording import number

COMPARED: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        ">=": operator.ge,
        "<=": operator.le,
        "==": operator.eq,
        "!=": operator.ne,
        ">": operator.gt,
        "<": operator.lt,
    }
)
NUMBERS = tuple(COMPARED)
SAME = ("==", "!=", "in")
ANY = (*NUMBERS, "in")


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand.

    Attributes
    ----------
    function : str
        Empty for a metric.
    subject : str
        The metric, or what stands in the function's parentheses.
    operator : str
        One of ``>= <= > < == != in``; empty of a rule about presence.
    wanted : tuple of str
        One text; several for ``in``; none without an operator.
    """

    function: str
    subject: str
    operator: str = ""
    wanted: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the rule is about."""
        return f"{self.function}({self.subject})" if self.function else self.subject

    @property
    def demand(self) -> str:
        """What is wanted of it, ``>= 0.85``."""
        if self.operator == "in":
            return f"in ({', '.join(_quoted(value, ',()') for value in self.wanted)})"
        return f"{self.operator} {_quoted(self.wanted[0], '')}" if self.operator else ""

    @property
    def text(self) -> str:
        """The rule as it is written; it reads back as the same rule."""
        return f"{self.name} {self.demand}".rstrip()


def _quoted(value: str, special: str) -> str:
    plain = value and value == value.strip() and value[0] not in "'\""
    if plain and not any(mark in value for mark in special + ("'\"" if special else "")):
        return value
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Found:
    """What a candidate has to say to a rule.

    Attributes
    ----------
    got : str
        What was found, in a few characters; empty for nothing.
    passed : bool
        Whether the rule holds.
    why : str
        Why not.
    margin : float or None
        By how much it holds (or, negative, does not), in the unit of the value.
    """

    got: str
    passed: bool
    why: str = ""
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A word that stands before parentheses in a rule.

    Attributes
    ----------
    evaluate : callable
        Takes the candidate and the rule.
    operators : tuple of str
        What may follow; empty for a rule about presence.
    problem : callable, optional
        Takes an operator and one of the wanted texts, and says what is wrong with it or ``""``.
    about : callable, optional
        Takes the subject, and says what is wrong with it or ``""``.
    """

    evaluate: Callable[[Candidate, Rule], Found]
    operators: tuple[str, ...] = ()
    problem: Callable[[str, str], str] = lambda _operator, _wanted: ""
    about: Callable[[str], str] = lambda _subject: ""


def compared(value: float, rule: Rule) -> Found:
    """Return what a rule about a number finds."""
    wanted = float(rule.wanted[0])
    passed = COMPARED[rule.operator](value, wanted)
    margin = None
    if rule.operator[0] == ">":
        margin = value - wanted
    elif rule.operator[0] == "<":
        margin = wanted - value
    why = "" if passed else f"{number(value)} is not {rule.demand}"
    return Found(number(value), passed, why, margin)


def missing(why: str, got: str = "") -> Found:
    """Return that a rule does not hold for want of something."""
    return Found(got, False, why)
