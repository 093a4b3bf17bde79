"""Rules about the data count only where just this data was checked, and as it was found."""

from __future__ import annotations

from typing import Any

import pytest

from cvtrack_magics.artifacts.codec import written
from cvtrack_magics.artifacts.data_check import CheckedSet, DataCheck
from cvtrack_magics.artifacts.paths import check_path
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact
from cvtrack_magics.release.facts import DataFact
from cvtrack_magics.release.gate import judge, parse_rule
from cvtrack_magics.store.evidence import evidence_tags
from tests.release.gate.make import candidate

A, B, C = "a" * 64, "b" * 64, "c" * 64
TRAIN, VAL = (
    CheckedSet("photos", "training", A, 100),
    CheckedSet("held", "validation", B, 50, 0, 0, 2),
)


def facts(*sets: CheckedSet, **more: Any) -> DataCheck:
    return DataCheck(sets=sets or (TRAIN, VAL), **more)


def found(
    rule: str, *checks: DataCheck, train: str = A, val: str = B, texts: Any = None, **more: Any
) -> Any:
    paths = {check_path(str(at)): written(check) for at, check in enumerate(checks)}
    bound = evidence_tags(Artifact(path, text) for path, text in paths.items())
    inputs = (DataFact("photos", "training", train), DataFact("held", "validation", val))
    run = candidate(
        datasets=more.pop("datasets", inputs),
        files={path: len(text) for path, text in paths.items()},
        texts=paths if texts is None else texts,
        tags=more.pop("tags", {tag.key: tag.value for tag in bound}),
        **more,
    )
    return judge(run, [parse_rule(rule)]).rows[-1]


HOLD: dict[str, tuple[str, list[DataCheck]]] = {
    "none leaks": ("leak(train, val) == 0", [facts()]),
    "by name": ("leak(photos, held) <= 3", [facts(leaked=3)]),
    "few leak": ("leak(training, validation) < 4", [facts(leaked=3)]),
    "conflicts": ("conflicts(val) <= 0.04", [facts()]),
    "conflicts of one set": ("conflicts(held)<=0.04", [facts(VAL)]),
    "conflicts of the first": ("conflicts(train) == 0", [facts()]),
    "another check beside": ("leak(train, val)==0", [facts(TRAIN), facts()]),
}


@pytest.mark.parametrize("name", HOLD)
def test_what_holds(name: str) -> None:
    rule, checks = HOLD[name]
    row = found(rule, *checks)
    assert row.passed, row.why
    assert parse_rule(parse_rule(rule).text) == parse_rule(rule)


OLD = CheckedSet("photos", "training", C, 100)
FAIL: dict[str, tuple[str, list[DataCheck], dict[str, Any], str]] = {
    "leaks": ("leak(train, val) == 0", [facts(leaked=3)], {}, "3 is not == 0"),
    "the worst of several": ("leak(train, val)==0", [facts(), facts(leaked=1)], {}, "1 is not"),
    "conflicts": ("conflicts(val) <= 0.01", [facts()], {}, "0.04 is not <= 0.01"),
    "not looked at": ("leak(train, val)==0", [], {}, "%mldata photos --against held does"),
    "one set alone": ("leak(train, val)==0", [facts(TRAIN), facts(VAL)], {}, "undecided"),
    "the other way": ("leak(val, train)==0", [facts()], {}, "%mldata held --against photos"),
    "conflicts not looked at": ("conflicts(val)==0", [facts(TRAIN)], {}, "%mldata held --check"),
    "other training data": ("leak(train, val)==0", [facts()], {"train": C}, "undecided"),
    "other test data": ("leak(train, val)==0", [facts()], {"val": C}, "undecided"),
    "checked before it changed": ("leak(train, val)==0", [facts(OLD, VAL)], {}, "as the run has"),
    "exact only": ("leak(train, val)==0", [facts(near=False)], {}, "only exact copies"),
    "not identified": (
        "leak(train, val)==0",
        [facts(CheckedSet("photos", "training", "", 100), VAL)],
        {},
        "undecided",
    ),
    "no such data": ("leak(test, val)==0", [facts()], {}, "the run has no data set test"),
    "a second training set": (
        "leak(train, val)==0",
        [facts()],
        {
            "datasets": (
                DataFact("photos", "training", A),
                DataFact("more", "training", C),
                DataFact("held", "validation", B),
            )
        },
        "more and held were not checked",
    ),
    "too large": ("leak(train, val)==0", [facts()], {"texts": {}}, "too large"),
    "not finished": ("leak(train, val)==0", [facts()], {"status": "FAILED"}, "not FINISHED"),
}


@pytest.mark.parametrize("name", FAIL)
def test_what_does_not(name: str) -> None:
    rule, checks, more, why = FAIL[name]
    row = found(rule, *checks, **more)
    assert not row.passed
    assert why in row.why


@pytest.mark.parametrize(
    "content", ["no json", "[]", '{"leaked": "0"}', '{"schema": 9}', '{"sets": [{"samples": "x"}]}']
)
def test_a_check_that_cannot_be_read_passes_nothing(content: str) -> None:
    row = found("leak(train, val)==0", facts(), texts={check_path("0"): content})
    assert not row.passed
    assert "check.json" in row.why


def test_a_check_that_no_tag_speaks_of_passes_nothing() -> None:
    row = found("leak(train, val) == 0", facts(), tags={})
    assert not row.passed
    assert "no digest among the run's tags" in row.why


@pytest.mark.parametrize("rule", ["leak(train)==0", "leak(train, train)==0", "leak(a, b, c)==0"])
def test_two_data_sets_are_named(rule: str) -> None:
    with pytest.raises(UsageProblem, match="it takes two data sets"):
        parse_rule(rule)


def test_pictures_that_could_not_be_compared_are_said() -> None:
    broken = CheckedSet("held", "validation", B, 50, 3)
    assert found("leak(train, val)==0", facts(TRAIN, broken)).got == "0 (3 unreadable)"
    assert found("leak(train, val)==0", facts()).got == "0"
