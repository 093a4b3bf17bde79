"""The gate: rules, the champion, and the verdict of both. Pure functions of what is known."""

from __future__ import annotations

from cvtrack_magics.release.gate.champion import ChampionRule, Missing, compare
from cvtrack_magics.release.gate.file import GateFile, parse_gate, read_gate
from cvtrack_magics.release.gate.judging import judge
from cvtrack_magics.release.gate.metric_rules import evaluation_of
from cvtrack_magics.release.gate.parse import parse_rule, parse_rules
from cvtrack_magics.release.gate.rules import Found, Function, Rule
from cvtrack_magics.release.gate.verdict import Comparison, Row, Verdict

__all__ = [
    "ChampionRule",
    "Comparison",
    "Found",
    "Function",
    "GateFile",
    "Missing",
    "Row",
    "Rule",
    "Verdict",
    "compare",
    "evaluation_of",
    "judge",
    "parse_gate",
    "parse_rule",
    "parse_rules",
    "read_gate",
]
