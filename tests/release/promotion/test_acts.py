"""Promotion, rollback and their history, on a real registry."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from cvtrack_magics.errors import PromotionConflict, UsageProblem
from cvtrack_magics.release.promotion import (
    champion_of,
    history,
    look,
    promote,
    record_verdict,
    repair,
    rollback,
    why,
)
from cvtrack_magics.release.promotion.ledger import PREFIX, encode
from cvtrack_magics.release.promotion.plan import INTENT, MARK
from cvtrack_magics.store.registry import Registry
from tests.release.promotion.models import PASS, REFUSAL, changes_of, faults_of, new_model


def put(registry: Registry, name: str, *versions: str, stage: bool | None = None) -> None:
    """Promote versions one after the other."""
    for version in versions:
        now = registry.aliases(name).get("champion")
        promote(
            registry, name, version, expected_champion=now, verdict=PASS, who="ana", stage=stage
        )


@pytest.mark.parametrize("stages", [False, True])
def test_a_promotion_moves_aliases_and_stages(registry: Registry, stages: bool) -> None:
    name = new_model(registry.uri, 3)
    put(registry, name, "1", stage=stages)
    assert registry.aliases(name) == {"champion": "1"}
    done = promote(registry, name, "2", expected_champion="1", verdict=PASS, who="ana")
    assert (done.version, done.before, done.previous, done.stages) == ("2", "1", "1", stages)
    assert registry.aliases(name) == {"champion": "2", "previous": "1"}
    expected = ["Archived", "Production", "None"] if stages else ["None"] * 3
    assert [v.stage for v in registry.versions(name)] == expected
    assert list(faults_of(registry, name, stages=stages)) == []


def test_who_used_stages_by_hand_keeps_them(registry: Registry) -> None:
    name = new_model(registry.uri, 2)
    registry.set_stage(name, "1", "Production")
    champion = champion_of(look(registry, name))
    assert champion is not None
    assert champion.version == "1"
    promote(registry, name, "2", expected_champion="1", verdict=PASS, who="ana")
    assert registry.aliases(name) == {"champion": "2", "previous": "1"}
    assert [v.stage for v in registry.versions(name)] == ["Archived", "Production"]


def test_two_in_production_by_hand_become_one(registry: Registry) -> None:
    name = new_model(registry.uri, 3)
    for version in ("1", "2"):
        registry.set_stage(name, version, "Production")
    promote(registry, name, "3", expected_champion="2", verdict=PASS, who="ana")
    assert [v.stage for v in registry.versions(name)] == ["Archived", "Archived", "Production"]


def test_a_champion_without_a_stage_can_be_given_one(registry: Registry) -> None:
    name = new_model(registry.uri, 2)
    put(registry, name, "1", "2")
    promote(registry, name, "2", expected_champion="2", verdict=PASS, who="ana", stage=True)
    assert registry.aliases(name) == {"champion": "2", "previous": "1"}
    assert [v.stage for v in registry.versions(name)] == ["None", "Production"]
    with pytest.raises(UsageProblem, match=r"champion of .* already"):
        promote(registry, name, "2", expected_champion="2", verdict=PASS, who="ana")


def test_a_champion_of_another_verdict_is_a_conflict_and_nothing_changes(
    registry: Registry,
) -> None:
    name = new_model(registry.uri, 3)
    put(registry, name, "1")
    promote(registry, name, "2", expected_champion="1", verdict=PASS, who="bob <b>")
    before = look(registry, name)
    with pytest.raises(PromotionConflict) as caught:
        promote(registry, name, "3", expected_champion="1", verdict=PASS, who="ana")
    (line,) = caught.value._render_traceback_()
    assert f"Version 2 of {name!r} was promoted by bob <b> at 20" in line
    assert line.endswith("while the champion looked at was version 1. → Run the gate again.")
    after = look(registry, name)
    assert (after.aliases, after.tags) == (before.aliases, before.tags)
    assert [e.what for e in history(registry, name) if e.version == "3"] == ["passed"]
    registry.set_alias(name, "champion", "1")
    with pytest.raises(PromotionConflict, match="version 1 now, and no record says why"):
        promote(registry, name, "3", expected_champion=None, verdict=PASS, who="ana")
    registry.delete_alias(name, "champion")
    with pytest.raises(PromotionConflict, match="is none now"):
        promote(registry, name, "3", expected_champion="1", verdict=PASS, who="ana")


def test_a_refusal_is_recorded_and_does_not_promote(registry: Registry) -> None:
    name = new_model(registry.uri, 1)
    with pytest.raises(UsageProblem, match="refused version 1"):
        promote(registry, name, "1", expected_champion=None, verdict=REFUSAL, who="ana")
    (entry,) = history(registry, name)
    assert (entry.what, entry.summary, entry.who) == ("refused", "1 of 3 rules fails", "ana")
    assert registry.aliases(name) == {}


def test_the_full_verdict_is_stored_before_the_record(registry: Registry) -> None:
    name = new_model(registry.uri, 1)
    kept: dict[str, str] = {}

    def keep(path: str, text: str) -> None:
        assert history(registry, name) == []
        kept[path] = text

    entry = record_verdict(registry, name, "1", PASS, who="ana", keep=keep)
    assert history(registry, name) == [entry]
    (text,) = kept.values()
    assert list(kept) == [f"governance/gate/{entry.id}.json"]
    assert json.loads(text) == PASS
    assert hashlib.sha256(text.encode()).hexdigest() == entry.sha256
    assert entry.figures == {"val/mAP50": 0.871235, "p95_ms": 41.0}
    with pytest.raises(RuntimeError):
        record_verdict(registry, name, "1", PASS, who="ana", keep=_failing)
    assert len(history(registry, name)) == 1


def _failing(path: str, text: str) -> None:
    raise RuntimeError(path)


def test_rollbacks_go_back_one_by_one_and_never_to_a_bad_one(registry: Registry) -> None:
    name = new_model(registry.uri, 4)
    put(registry, name, "1", "2", "3", stage=True)
    one = rollback(registry, name, who="bob", reason="misses\nnight shots")
    assert (one.version, one.before, one.previous) == ("2", "3", "1")
    assert registry.aliases(name) == {"champion": "2", "previous": "1"}
    assert "by bob: misses night shots" in registry.version(name, "3").tags[MARK]
    two = rollback(registry, name, who="bob", reason="worse")
    assert (two.version, two.previous) == ("1", "")
    assert registry.aliases(name) == {"champion": "1"}
    with pytest.raises(UsageProblem, match=r"nothing to roll .* back to from version 1"):
        rollback(registry, name, who="bob", reason="again")
    put(registry, name, "4")
    assert rollback(registry, name, who="bob", reason="no better").version == "1"
    assert [v.stage for v in registry.versions(name)] == ["Production"] + ["Archived"] * 3
    assert list(faults_of(registry, name, stages=True)) == []


def test_a_version_promoted_again_is_no_longer_bad(registry: Registry) -> None:
    name = new_model(registry.uri, 3)
    put(registry, name, "1", "2")
    rollback(registry, name, who="bob", reason="hasty")
    put(registry, name, "2")
    assert MARK not in registry.version(name, "2").tags
    put(registry, name, "3")
    assert rollback(registry, name, who="bob", reason="bad").version == "2"


def test_a_rollback_from_a_champion_promoted_twice_leads_to_the_one_between(
    registry: Registry,
) -> None:
    name = new_model(registry.uri, 2)
    put(registry, name, "1", "2", "1")
    assert registry.aliases(name) == {"champion": "1", "previous": "2"}
    assert rollback(registry, name, who="bob", reason="bad").version == "2"
    with pytest.raises(UsageProblem, match="nothing to roll"):
        rollback(registry, name, who="bob", reason="bad")


def test_what_was_done_by_hand_is_reckoned_with(registry: Registry) -> None:
    name = new_model(registry.uri, 5)
    put(registry, name, "1", "2", "3")
    registry.set_alias(name, "champion", "2")  # by hand, back
    assert "no record says why" in why(registry, name).line
    assert rollback(registry, name, who="bob", reason="bad").version == "1"
    registry.set_alias(name, "champion", "4")  # by hand, to a new one
    put(registry, name, "5")
    assert rollback(registry, name, who="bob", reason="bad").version == "4"


def test_without_records_the_alias_previous_is_followed(registry: Registry) -> None:
    name = new_model(registry.uri, 2)
    registry.set_alias(name, "champion", "2")
    with pytest.raises(UsageProblem, match="nothing to roll"):
        rollback(registry, name, who="bob", reason="bad")
    registry.set_alias(name, "previous", "1")
    assert rollback(registry, name, who="bob", reason="bad").version == "1"
    assert registry.aliases(name) == {"champion": "1"}


def test_a_deleted_version_is_passed_over(registry: Registry) -> None:
    name = new_model(registry.uri, 3)
    put(registry, name, "1", "2", "3")
    registry._client.delete_model_version(name, "2")
    assert rollback(registry, name, who="bob", reason="bad").version == "1"


def test_two_rollbacks_of_one_champion_go_back_once(registry: Registry) -> None:
    name = new_model(registry.uri, 3)
    put(registry, name, "1", "2", "3")
    rollback(registry, name, who="ana", reason="bad", expected_champion="3")
    with pytest.raises(PromotionConflict, match=r"Version 2 of .* was brought back by ana"):
        rollback(registry, name, who="bob", reason="bad", expected_champion="3")
    assert registry.aliases(name)["champion"] == "2"


def test_why_a_version_is_in_production(registry: Registry) -> None:
    name = new_model(registry.uri, 3)
    assert why(registry, name).line == f"{name!r} has no champion."
    put(registry, name, "1", "2")
    told = why(registry, name)
    assert told.version == "2"
    assert told.change is not None
    assert told.verdict is not None
    assert told.change.verdict == told.verdict.id
    for part in ("promoted by ana", "replacing version 1", "val/mAP50 0.871235", "0123456789ab"):
        assert part in told.line
    rollback(registry, name, who="bob", reason="night shots")
    told = why(registry, name)
    assert "Version 1" in told.line
    assert "brought back by bob" in told.line
    assert "night shots" in told.line
    assert told.verdict is not None
    assert told.verdict.version == "1"


def test_history_has_everything_in_order_and_strangers_do_not_break_it(
    registry: Registry,
) -> None:
    name = new_model(registry.uri, 2)
    record_verdict(registry, name, "2", REFUSAL, who="ana")
    put(registry, name, "1", "2")
    registry.set_tag(name, PREFIX + "20200102T030405.678901Z-0a1b2c3d", "<script>", "1")
    registry.set_tag(name, PREFIX + "nonsense", "x", "1")
    forged = encode(changes_of(registry, name)[-1]).replace('"turn":2', '"turn":1e9')
    registry.set_tag(name, PREFIX + "20200102T030405.678902Z-0a1b2c3d", forged, "1")
    registry.set_tag(name, INTENT + "x y", '{"entry": {"what": "promoted"}}')
    seen = [(e.what, e.version) for e in history(registry, name)]
    assert seen == [
        ("unreadable", "1"),
        ("unreadable", "1"),
        ("refused", "2"),
        ("passed", "1"),
        ("promoted", "1"),
        ("passed", "2"),
        ("promoted", "2"),
    ]
    assert repair(registry, name, who="bob") == (f"Removed an unreadable intention of {name!r}.",)
    assert rollback(registry, name, who="bob", reason="bad").version == "1"


@pytest.mark.parametrize("turn", [2**53 - 1, 2**53 - 2, 10**9])
def test_a_strangers_record_does_not_take_all_turns(registry: Registry, turn: int) -> None:
    name = new_model(registry.uri, 3)
    put(registry, name, "1", "2")
    forged = encode(changes_of(registry, name)[-1]).replace('"turn":2', f'"turn":{turn}')
    registry.set_tag(name, PREFIX + "20200102T030405.678902Z-0a1b2c3d", forged, "1")
    put(registry, name, "3")
    assert [entry.what for entry in history(registry, name)][-2:] == ["passed", "promoted"]
    told = why(registry, name)
    assert told.version == "3"
    assert told.change is not None
    assert told.change.turn == 3
    assert rollback(registry, name, who="bob", reason="bad").version == "2"


def test_a_rollback_may_ask_for_a_proof(registry: Registry) -> None:
    name = new_model(registry.uri, 3)
    put(registry, name, "1", "2")
    asked: list[tuple[str, list[str]]] = []

    def unproved(version: Any, passed: Any) -> str:
        asked.append((version.version, [entry.what for entry in passed]))
        return "its verdict is gone."

    with pytest.raises(UsageProblem, match="back to version 1: its verdict is gone"):
        rollback(registry, name, who="bob", reason="bad", unproved=unproved)
    assert asked == [("1", ["passed"])]
    assert registry.aliases(name) == {"champion": "2", "previous": "1"}
    assert rollback(registry, name, who="bob", reason="bad").version == "1"


def test_unknown_models_and_versions_are_one_line(registry: Registry) -> None:
    name = new_model(registry.uri, 1)
    for model in ("nobody", "../x", 'a" OR name != "'):
        with pytest.raises(UsageProblem):
            history(registry, model)
        with pytest.raises(UsageProblem):
            promote(registry, model, "1", expected_champion=None, verdict=PASS, who="ana")
    for version in ("7", "x", "1; DROP"):
        with pytest.raises(UsageProblem):
            promote(registry, name, version, expected_champion=None, verdict=PASS, who="ana")
    with pytest.raises(UsageProblem, match="no champion"):
        rollback(registry, name, who="ana", reason="bad")


@pytest.mark.parametrize("at", ["intention written", "champion", "version 2 → Production"])
def test_an_interrupt_is_repaired_at_once(registry: Registry, at: str) -> None:
    name = new_model(registry.uri, 2)
    put(registry, name, "1", stage=True)
    said: list[str] = []

    def interrupted(line: str) -> None:
        said.append(line)
        if line.startswith(at) and said.count(line) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        promote(
            registry,
            name,
            "2",
            expected_champion="1",
            verdict=PASS,
            who="ana",
            step=interrupted,
        )
    moved = at == "version 2 → Production"
    assert list(faults_of(registry, name, stages=True)) == []
    assert registry.aliases(name)["champion"] == ("2" if moved else "1")
    assert repair(registry, name, who="bob") == ()
