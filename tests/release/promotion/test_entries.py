"""Records in tags: what fits, and what strangers put there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtrack_magics.release.promotion.ledger import (
    LIMIT,
    PASSED,
    PREFIX,
    PROMOTED,
    UNREADABLE,
    Entry,
    decode,
    encode,
    fitting,
    new_id,
    plain,
    short,
)

ID = "20250102T030405.678901Z-0a1b2c3d"
WHOLE = Entry(
    id=ID,
    what=PROMOTED,
    version="3",
    who="ana",
    turn=7,
    before="2",
    after="3",
    commit="0123abcd",
    summary="all 3 rules hold",
    reason="",
    figures={"val/mAP50": 0.87, "speed": "fast"},
    verdict="20250102T030405.000000Z-ffffffff",
    sha256="ab" * 32,
)


def test_an_entry_comes_back_as_it_was_written() -> None:
    assert decode(WHOLE.key, encode(WHOLE), "3") == WHOLE
    assert WHOLE.time.isoformat() == "2025-01-02T03:04:05.678901+00:00"


def test_ids_are_never_the_same_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert [i.split("-")[0] for i in ids] == sorted(i.split("-")[0] for i in ids)


@settings(deadline=None)
@given(
    st.text(max_size=3000),
    st.text(max_size=3000),
    st.dictionaries(st.text(max_size=200), st.floats() | st.text() | st.integers(), max_size=300),
)
def test_every_entry_fits_into_a_tag_and_keeps_its_sha256(
    who: str, summary: str, figures: dict[str, object]
) -> None:
    entry = replace(WHOLE, who=who, summary=summary, figures=short(figures))
    text = encode(entry)
    assert len(text) <= LIMIT
    assert text.isascii()
    back = decode(entry.key, text, "3")
    assert back is not None
    assert (back.what, back.turn, back.sha256, back.verdict) == (
        PROMOTED,
        7,
        WHOLE.sha256,
        WHOLE.verdict,
    )


def test_what_was_left_out_is_said() -> None:
    entry = replace(WHOLE, figures={f"metric {n}": n / 7 for n in range(1000)})
    kept = fitting(entry)
    assert kept.cut
    assert 0 < len(kept.figures) < 1000
    assert list(kept.figures) == list(entry.figures)[: len(kept.figures)]
    assert not fitting(WHOLE).cut


@pytest.mark.parametrize(
    "value",
    [
        "",
        "<script>alert(1)</script>",
        "[1]",
        "null",
        "[" * 100_000,
        '{"what": "crowned"}',
        json.dumps({"what": PASSED, "turn": "x"}),
        json.dumps({"what": PASSED, "turn": -1}),
        json.dumps({"what": PASSED, "turn": 10**400}),
        json.dumps({"what": PROMOTED, "after": "../../3"}),
        json.dumps({"what": PROMOTED, "after": 3}),
        json.dumps({"what": PROMOTED, "verdict": "../../etc/passwd"}),
        json.dumps({"what": PASSED, "figures": [1]}),
        json.dumps({"what": PASSED, "who": "x" * 200_000}),
    ],
)
def test_what_is_not_ours_is_shown_as_unreadable(value: str) -> None:
    assert decode(PREFIX + ID, value, "3") == Entry(ID, UNREADABLE, "3")


@pytest.mark.parametrize(
    "key",
    [
        "mlflow.runName",
        PREFIX,
        PREFIX + "99999999T999999.000000Z-0a1b2c3d",
        PREFIX + ID + "/../x",
        PREFIX + "20250102T030405.678901Z-<img src=x>",
        PREFIX + ID + "\n",
    ],
)
def test_other_tags_are_no_records(key: str) -> None:
    assert decode(key, encode(WHOLE), "3") is None


def test_text_of_strangers_is_one_plain_line_without_credentials() -> None:
    hostile = "a\nb\x1b[31m\u202ec \ud800 https://user:token@host/x?api_key=abc"
    value = json.dumps({"what": PASSED, "who": hostile, "figures": {hostile: 1, "big": 10**400}})
    entry = decode(PREFIX + ID, value, "3")
    assert entry is not None
    assert entry.who == "a b [31m c https://host/x?api_key=***"
    assert next(iter(entry.figures)) == entry.who
    assert isinstance(entry.figures["big"], str)
    assert plain("x" * 500, 10) == "x" * 10
