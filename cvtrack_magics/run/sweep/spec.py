"""What a user asked for when beginning a sweep."""

from __future__ import annotations

import hashlib
import io
import math
import tokenize
from dataclasses import dataclass, field

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.gate.parse import parse_rule
from cvtrack_magics.release.gate.rules import Rule
from cvtrack_magics.secrets.stored import lasting

PRUNERS = ("median", "halving", "hyperband", "none")
FAR = 1e9
"""How far a trial is from a rule about a metric that it did not log."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Where the bodies of trials run.

    ``kind`` is ``"optuna"`` (processes of this machine, or this one) or ``"ray"``; ``jobs`` is how
    many run at once, 0 where nothing was said; ``gpus`` is what a trial takes of a Ray node.
    """

    kind: str = "optuna"
    jobs: int = 0
    address: str = ""
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """The options of ``%%mlsweep``, already checked.

    ``body`` is what the trials run, as text; ``mode`` is ``"continue"``, ``"fresh"`` or empty.
    ``seeds`` is how often a promising trial is run in all, ``test_metric`` what is measured of the
    winner alone, ``more`` the further metrics with their directions.
    """

    name: str
    metric: str
    direction: str
    trials: int = 50
    pruner: str = "none"
    rules: tuple[Rule, ...] = ()
    timeout: float = 0.0
    retries: int = 2
    seed: int | None = None
    mode: str = ""
    body: str = field(default="", repr=False)
    seeds: int = 1
    test_metric: str = ""
    more: tuple[tuple[str, str], ...] = ()
    engine: EngineSpec = EngineSpec()

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is to be best."""
        return (self.metric, *(metric for metric, _ in self.more))

    @property
    def directions(self) -> tuple[str, ...]:
        """``"maximize"`` or ``"minimize"``, for each metric."""
        return (self.direction, *(direction for _, direction in self.more))

    @property
    def signs(self) -> tuple[int, ...]:
        """1 for each metric of which less is better, -1 where more is."""
        return tuple(1 if one == "minimize" else -1 for one in self.directions)

    @property
    def goes_on(self) -> bool:
        """Whether anything is run once the search has its trials."""
        return self.seeds > 1 or bool(self.test_metric)

    @property
    def bounds(self) -> list[str]:
        """The rules, as they are written."""
        return [f"{rule.name} {rule.demand}" for rule in self.rules]

    @property
    def digest(self) -> str:
        """What tells this body from another; comments, blank lines and secrets do not count."""
        return hashlib.sha256(_code_of(lasting(self.body)).encode()).hexdigest()[:16]


def rules_of(texts: list[str]) -> tuple[Rule, ...]:
    """Read rules about metrics in the gate's language.

    Raises
    ------
    UsageProblem
        One is about something else, or has no order.
    """
    rules = tuple(parse_rule(text) for text in texts)
    for rule in rules:
        if rule.function or rule.operator not in (">=", ">", "<=", "<"):
            raise UsageProblem(
                f"--require {rule.name} {rule.demand} is no bound of a metric.",
                "Write --require 'p95_latency_ms<=20'.",
            )
    return rules


def distances(rules: tuple[Rule, ...], metrics: dict[str, float]) -> list[float]:
    """Return how far values are from rules; at most 0 where one is kept, as Optuna counts."""
    found = []
    for rule in rules:
        value, bound = metrics.get(rule.subject), float(rule.wanted[0])
        if value is None or math.isnan(value):
            found.append(FAR)
            continue
        found.append(bound - value if rule.operator.startswith(">") else value - bound)
        if rule.operator in (">", "<") and found[-1] == 0:
            found[-1] = 1e-12
    return found


def _code_of(text: str) -> str:
    """Return code without its comments and blank lines, or text as it is."""
    kept: list[str] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                kept.append(f"{token.type}:{token.string}")
    except (tokenize.TokenError, SyntaxError):  # magics in it
        return text
    return "\n".join(kept)
