"""What a gate is asked: by its options, by a file, and in words of this package."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem

if TYPE_CHECKING:
    from cvtrack_magics.release.facts import Candidate
    from cvtrack_magics.release.gate import Function, GateFile, Rule


def functions() -> Mapping[str, Function]:
    """Return the words that a rule may use beside the gate's own: ``check(run)``."""
    from cvtrack_magics.release.checklist import check_promotion, check_run
    from cvtrack_magics.release.gate import Found as Finding
    from cvtrack_magics.release.gate import Function

    checks = {"run": check_run, "promotion": check_promotion}

    def checked(candidate: Candidate, rule: Rule) -> Finding:
        # what the gate itself will say is not there yet
        items = [
            item
            for item in checks[rule.subject](candidate).items
            if item.passed is not None and not item.key.startswith(("gate", "champion"))
        ]
        failed = [item.title for item in items if not item.passed]
        got = f"{len(items) - len(failed)} of {len(items)}"
        return Finding(got, not failed, f"not met: {', '.join(failed)}" if failed else "")

    def about(subject: str) -> str:
        return "" if subject in checks else "it takes run or promotion, as in check(run)"

    return {"check": Function(checked, about=about)}


def demanded(
    name: str,
    *,
    require: Sequence[str] = (),
    champion: str = "",
    margin: float | None = None,
    confidence: float | None = None,
    file: str = "",
    unproved: bool = False,
    undecided: bool = False,
) -> GateFile:
    """Return what is asked for, by a file and beside it; see :func:`gating.judged`."""
    from cvtrack_magics.release.gate import ChampionRule, GateFile, parse_rules, read_gate

    words = functions()
    asked = read_gate(file, words) if file else GateFile()
    rule = ChampionRule(champion) if champion else asked.champion
    given: dict[str, Any] = {"margin": margin, "confidence": confidence}
    changes = {key: value for key, value in given.items() if value is not None}
    if changes and rule is None:
        raise UsageProblem(
            f"--{next(iter(changes))} is about the champion.", "--champion METRIC names it."
        )
    return dataclasses.replace(
        asked,
        model=_named(name, asked, file),
        unproved=unproved or asked.unproved,
        undecided=undecided or asked.undecided,
        rules=(*asked.rules, *parse_rules(require, words)),
        champion=rule if rule is None else dataclasses.replace(rule, **changes),
    )


def model_of(name: str, file: str) -> str:
    """Return the registered model that is meant: as given, or as a file says."""
    from cvtrack_magics.release.gate import GateFile, read_gate

    return _named(name, read_gate(file, functions()) if file else GateFile(), file)


def _named(name: str, asked: GateFile, file: str) -> str:
    if name and asked.model and name != asked.model:
        raise UsageProblem(f"{file} is for {asked.model!r}, not for {name!r}.")
    if not (name or asked.model):
        raise UsageProblem("The gate needs a registered model.", "%mlgate NAME names one.")
    return name or asked.model
