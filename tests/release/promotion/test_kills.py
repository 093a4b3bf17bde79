"""Processes killed at every step; the next call repairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvtrack_magics.errors import PromotionConflict
from cvtrack_magics.release.promotion import history, promote, repair
from cvtrack_magics.store.registry import Registry
from tests.release.promotion.forks import Forks, Request
from tests.release.promotion.models import PASS, changes_of, copied, faults_of, new_model


def prepared(registry: Registry, case: str, stages: bool) -> Request:
    """Make a model, and return what is to be done with it."""
    name = new_model(registry.uri, 4)
    before = {"first": 0, "replacing": 1, "rollback": 3}[case]
    for n in range(before):
        promote(
            registry,
            name,
            str(n + 1),
            expected_champion=str(n) if n else None,
            verdict=PASS,
            who="ana",
            stage=stages,
        )
    return {
        "do": "rollback" if case == "rollback" else "promote",
        "uri": registry.uri,
        "name": name,
        "version": str(before + 1),
        "expected": str(before) if before else None,
        "stage": stages,
    }


@pytest.mark.parametrize("stages", [False, True])
@pytest.mark.parametrize("case", ["first", "replacing", "rollback"])
def test_killed_at_every_step_it_is_all_or_nothing_after_the_next_call(
    registry: Registry, forks: Forks, tmp_path: Path, case: str, stages: bool
) -> None:
    whole = prepared(registry, case, stages)
    database = tmp_path / "mlflow.db"
    (answer,) = forks.run({**whole, "name": copied(database, whole["name"])})
    assert "entry" in answer, answer
    steps: list[str] = answer["steps"]
    moves = next(n for n, step in enumerate(steps) if step.startswith("champion"))
    for at in range(len(steps)):
        request = {**whole, "name": copied(database, whole["name"])}
        name, expected = request["name"], request["expected"]
        (answer,) = forks.run({**request, "kill_at": at})
        assert answer == {"killed": True}
        moved = at > moves
        target = {"first": "1", "replacing": "2", "rollback": "2"}[case]
        champion = target if moved else expected
        production = [v.version for v in registry.versions(name) if v.stage == "Production"]
        assert len(production) <= 1
        assert registry.aliases(name).get("champion") == champion
        if at % 2:
            said = repair(registry, name, who="bob")
        else:
            said = _next_call(registry, request, champion)
        begun = steps.index("intention written") < at <= steps.index("intention fulfilled")
        assert len(said) == begun, (steps[at], said)
        if said:
            assert said[0].startswith("Completed" if moved else "Took back")
        assert list(faults_of(registry, name, stages=stages)) == [], steps[at]
        undone = [e for e in history(registry, name) if e.what == "undone"]
        assert len(undone) == (begun and not moved)


def _next_call(registry: Registry, request: Request, champion: str | None) -> tuple[str, ...]:
    """Promote another version; the gate was asked before the killed one began."""
    said: list[str] = []
    name, expected = request["name"], request["expected"]
    try:
        promote(
            registry,
            name,
            "4",
            expected_champion=expected,
            verdict=PASS,
            who="bob",
            stage=request["stage"],
            step=said.append,
        )
        assert champion == expected
        assert registry.aliases(name)["champion"] == "4"
    except PromotionConflict:
        assert champion != expected
    return tuple(line for line in said if line.startswith(("Completed", "Took back")))


def test_a_repair_that_is_killed_is_repaired(
    registry: Registry, forks: Forks, tmp_path: Path
) -> None:
    whole = prepared(registry, "replacing", stages=True)
    killed_at = 0
    for at in range(14):
        request = {**whole, "name": copied(tmp_path / "mlflow.db", whole["name"])}
        forks.run({**request, "kill_at": 8})
        (answer,) = forks.run({**request, "do": "repair", "kill_at": at})
        killed_at = at if answer == {"killed": True} else killed_at
        repair(registry, request["name"], who="carl")
        assert list(faults_of(registry, request["name"], stages=True)) == []
        assert [e.after for e in changes_of(registry, request["name"])] == ["1", "2"]
    assert killed_at > 8
