"""Text from anywhere is only text inside Markdown, as two independent parsers read it."""

from __future__ import annotations

import html
import re

import mistune
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cvtrack_magics.release.card.escape import NOTHING, code, number, one_line, table, text

HOSTILE = (
    "<script>alert(1)</script>",
    "a|b",
    "a\\|b",
    "`x` ``y",
    "line\nbreak\r\n---\nkey: value",
    "![x](http://evil/x.png)",
    "[x](javascript:alert(1))",
    "<!-- cvtrack:begin limitations 012345678901 -->",
    "$x$ ~~no~~ **no** __no__ # no",
    "&lt;b&gt; &#124;",
    "\x1b[31mred\u202egnp.exe",
    "\\",
    "\\\\|",
)


def cells(rendered: str) -> list[str]:
    found = re.findall(r"<td[^>]*>(.*?)</td>", rendered, re.DOTALL)
    return [html.unescape(re.sub(r"</?code>", "", cell)) for cell in found]


@pytest.mark.parametrize("write", [text, code])
@given(
    value=st.one_of(st.sampled_from(HOSTILE), st.text("`|\\<>&*_[]()!#~$-{}:\n xé", max_size=30))
)
def test_a_cell_shows_what_it_was_given_and_nothing_else(write: object, value: str) -> None:
    assert callable(write)
    made = table(("a", "b"), [(write(value), "end")])
    wanted = [one_line(value) or NOTHING, "end"]
    rendered = MarkdownIt("commonmark").enable("table").render(made)
    assert cells(rendered) == wanted
    # mistune leaves references as they are; the table must stand all the same
    loose = str(mistune.create_markdown(plugins=["table", "strikethrough"])(made))
    assert len(cells(loose)) == 2
    for shown in (rendered, loose):
        assert not re.search(r"<(?!/?(table|thead|tbody|tr|th|td|code)\b)", shown)


def test_credentials_go_and_long_text_is_cut() -> None:
    assert "hunter2" not in text("see https://ada:hunter2@host/x?token=abc")
    assert "ghp_" not in one_line(f"ghp_{'a' * 36}")
    assert one_line("x" * 1000).endswith("…")
    assert len(one_line("x" * 1000)) == 300
    assert one_line("\ud800 a").encode() == b"a"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.123456, "0.1235"),
        (3.0, "3"),
        (28730.6, "28731"),
        (float("nan"), NOTHING),
        (float("inf"), NOTHING),
        (None, NOTHING),
        (True, NOTHING),
        ("7", NOTHING),
        (1e300, "1e+300"),
    ],
)
def test_numbers(value: object, said: str) -> None:
    assert number(value) == said


def test_a_table_without_rows_is_nothing() -> None:
    assert table(("a", "b"), []) == ""
