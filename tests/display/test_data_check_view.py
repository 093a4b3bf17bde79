"""The card of a check says what was found, and nothing of a name in it does anything."""

from __future__ import annotations

import re

import pytest

from cvtrack_magics.artifacts.codec import read, written
from cvtrack_magics.artifacts.data_check import KINDS, CheckedSet, DataCheck, Finding
from cvtrack_magics.display.data_check_view import DataCheckView

EVIL = '<script>alert(1)</script>"\x1b[31m\n<img src=x onerror=alert(1)>'
PAIR = (("train", EVIL), (EVIL, "b.png"))
FACTS = DataCheck(
    sets=(
        CheckedSet("train", "training", "", 100),
        CheckedSet(EVIL, "validation", "", 50, 1, 2, 1),
    ),
    leaked=3,
    leaked_by={"exact": 1, "cropped": 2},
    counts=dict.fromkeys(KINDS, 1),
    worst=tuple(Finding(kind, PAIR, (EVIL, ""), EVIL) for kind in KINDS),
    listing="datasets/checks/a/findings.tsv",
    notes=(EVIL,),
)


def test_hostile_names_are_only_text() -> None:
    view = DataCheckView(FACTS, {PAIR[0]: b"\x89PNG"}, EVIL)
    html = view._repr_html_()
    assert "<script" not in html
    assert re.findall(r"<img[^>]*>", html)
    assert all('src="data:image/png;base64,' in image for image in re.findall(r"<img[^>]*>", html))
    assert "\x1b" not in html + repr(view)
    lines = 1 + 2 + len(KINDS) + len(KINDS) + 3
    assert len(repr(view).splitlines()) == lines


def test_it_says_what_leaks_and_how() -> None:
    text = repr(DataCheckView(FACTS))
    assert "3 of 50 pictures of" in text
    assert "are in train too: 1 the same, 2 cropped." in text
    assert "All are listed in datasets/checks/a/findings.tsv." in text


@pytest.mark.parametrize("sets", [FACTS.sets, FACTS.sets[:1]])
def test_it_says_so_where_nothing_was_found(sets: tuple[CheckedSet, ...]) -> None:
    clean = tuple(CheckedSet(one.name, samples=9) for one in sets)
    view = DataCheckView(DataCheck(sets=clean))
    assert "Nothing was found." in repr(view)
    assert "Nothing was found." in view._repr_html_()
    assert ("is in train" in repr(view)) is (len(sets) == 2)


def test_the_facts_read_back_as_they_were_written() -> None:
    assert read(DataCheck, "check.json", written(FACTS)) == FACTS
