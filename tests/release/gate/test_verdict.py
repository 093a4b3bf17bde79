"""A verdict in a file, a terminal, a summary and a test report, whatever its texts hold."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.gate import Comparison, Row, Verdict

COMPARISON = Comparison(
    "val/mAP50", "higher", "cv-detector version 2 (run aaaaaaaa)", 0.87, 0.85, 0.02, 0.011,
    0.005, 0.95, 1000, 500, "paired bootstrap", "3f9a",
)  # fmt: skip
ROWS = (
    Row("val/mAP50 >= 0.85", ">= 0.85", "0.87", 0.02, True),
    Row("p95_latency_ms <= 50", "<= 50", "61.5", -11.5, False, "61.5 is not <= 50"),
    Row("has(card)", "present", "", None, False, "there is no governance/MODEL_CARD.md"),
)
HOSTILE = [
    "<script>alert(1)</script>",
    "a | b `c` **d** _e_ ~~f~~ [g](http://h) ![i](j) $k$ \\| \\",
    "\x00\x1b[2J\x07\r\n\u202e\u2028\ud800\uffff\ufffe",
    "]]></failure><x/>",
    "https://user:secret@host/x www.example.org @team #12",
    "&amp; &#60; '\"",
    "漢字 é e\u0301 \U0001f600",
    "x" * 5000,
    "",
]


def verdict(*rows: Row, **more: Any) -> Verdict:
    usual = {
        "candidate": "cv-detector version 3 (run 1a2b3c4d)",
        "run_id": "1a2b3c4d",
        "model": "cv-detector",
        "version": "3",
        "when": 1_700_000_000_000,
        "who": "mira",
        "commit": "a3f8c12",
    }
    return Verdict(**{**usual, **more}, rows=rows or ROWS)


def test_all_must_pass() -> None:
    assert not verdict().passed
    assert verdict(ROWS[0]).passed
    assert not Verdict("", "", "", "", 0, "", "", ()).passed


def test_lines_for_a_terminal() -> None:
    assert verdict().as_text().split("\n") == [
        "refused (1 of 3 rules hold): cv-detector version 3 (run 1a2b3c4d)",
        "  ✓ val/mAP50 >= 0.85     0.87  by +0.02",
        "  ✗ p95_latency_ms <= 50  61.5  61.5 is not <= 50",
        "  ✗ has(card)             –     there is no governance/MODEL_CARD.md",
    ]
    said = verdict(ROWS[0], comparison=COMPARISON).as_text()
    assert "on the same 1,000 samples better by +0.02" in said
    assert "with 0.95 confidence by more than +0.011" in said


def test_wide_letters_are_aligned() -> None:
    rows = [
        Row(f"tag({name}) == 1", "", "x", None, True) for name in ("漢字", "abcd", "e\u0301abc")
    ]
    lines = verdict(*rows).as_text().split("\n")[1:]
    assert lines[0].index("x") == lines[1].index("x") - 2
    assert lines[2].index("x") == lines[1].index("x") + 1


def test_markdown_for_a_summary() -> None:
    text = verdict(comparison=COMPARISON).as_markdown()
    html = rendered(text)
    assert html.count("<tr>") == 4
    assert "val/mAP50 &gt;= 0.85" in html
    assert "Judged 2023-11-14 22:13 UTC, by mira, run 1a2b3c4d, commit a3f8c12." in html


def rendered(text: str) -> str:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_are_only_texts(hostile: str) -> None:
    bad = Row(hostile, hostile, hostile, None, False, hostile)
    made = verdict(bad, ROWS[0], candidate=hostile, who=hostile, commit=hostile)
    lines = made.as_text().split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert "secret" not in made.as_text()
    text = made.as_markdown()
    html = rendered(text)
    tags = set(re.findall(r"</?([a-z0-9]+)", html))
    assert tags == {"h3", "table", "thead", "tbody", "tr", "th", "td", "p"}
    assert html.count("<tr>") == 3
    assert [row.count("<td") for row in html.split("<tr>")[2:]] == [4, 4]
    if "|" in hostile:  # cells beyond the header's would be dropped without a word
        assert hostile in unescape(html)
    # GitHub makes mentions, issues and links of plain text, after it has read the Markdown
    assert not re.search(r"@team|(?<!&)#12|://|www\.", text)
    tree = ElementTree.fromstring(made.as_junit())
    cases = tree.findall("./testsuite/testcase")
    assert len(cases) == 2
    assert [case.find("failure") is not None for case in cases] == [True, False]


def test_a_report_for_ci() -> None:
    tree = ElementTree.fromstring(verdict().as_junit())
    suite = tree.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert suite.get("timestamp") == "2023-11-14T22:13:20"
    names = [case.get("name") for case in suite]
    assert names == ["val/mAP50 >= 0.85", "p95_latency_ms <= 50", "has(card)"]
    failure = suite[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "61.5 is not <= 50"


TEXTS = st.text(max_size=20)
MADE = st.builds(
    Row, TEXTS, TEXTS, TEXTS, st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(), TEXTS,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(MADE, max_size=4), TEXTS, st.integers(-(10**20), 10**20), st.booleans())
def test_what_is_kept_reads_back(rows: list[Row], text: str, when: int, compared: bool) -> None:
    made = Verdict(
        text, text, text, text, when, text, text, tuple(rows), COMPARISON if compared else None
    )
    assert Verdict.from_json(made.to_json()) == made
    assert json.loads(made.to_json())["passed"] is made.passed
    ElementTree.fromstring(made.as_junit())
    assert "\n" not in made.as_text().split("\n", 1)[0]
    made.as_markdown()


def test_a_margin_that_is_no_number_is_none() -> None:
    row = Row("x >= 1", ">= 1", "inf", float("inf"), True)
    assert Verdict.from_json(verdict(row).to_json()).rows[0].margin is None


def test_what_is_no_verdict() -> None:
    kept = json.loads(verdict().to_json())
    row = kept["rows"][0]
    for text, said in (
        ("", "no verdict"),
        ("[]", "no verdict"),
        ("{}", "no verdict"),
        ("[" * 100_000, "no verdict"),
        (json.dumps({**kept, "format": 2}), "another format"),
        (json.dumps({**kept, "passed": True}), "one thing and its rows another"),
        (json.dumps({**kept, "rows": [{**row, "passed": 1}]}), "no verdict"),
        (json.dumps({**kept, "rows": [{**row, "margin": "1"}]}), "no verdict"),
        (json.dumps({**kept, "rows": None}), "no verdict"),
        (json.dumps({**kept, "when": True}), "no verdict"),
        (json.dumps({**kept, "who": None}), "no verdict"),
        (json.dumps({**kept, "comparison": {}}), "no verdict"),
    ):
        with pytest.raises(UsageProblem, match=said):
            Verdict.from_json(text)
