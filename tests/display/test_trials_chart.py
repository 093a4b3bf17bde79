"""Trials drawn over their parameters, whatever these are called and however many there are."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvtrack_magics.display.chart_img import charts_html
from cvtrack_magics.display.trials_chart import (
    BEST,
    MOST,
    Axis,
    Drawn,
    importance_svg,
    parallel_svg,
    thinned,
)

NAMES = ["lr", "<script>alert(1)</script>", '"&\x00\x1b', "名" * 90, "a\ud800b", ""]
LINE = "{http://www.w3.org/2000/svg}path"
TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_only_text(name: str) -> None:
    axes = [Axis(name, 1e-5, 0.1, is_log=True), Axis("k", choices=(name, "b"))]
    trials = [Drawn({name: 0.01, "k": name}, 0.5), Drawn({"k": "b"}, 0.7)]
    for svg in (parallel_svg(Axis(name, 0.5, 0.7), axes, trials), importance_svg({name: 0.5})):
        root = ElementTree.fromstring(svg)
        assert {one.tag.rpartition("}")[2] for one in root.iter()} <= {
            "svg",
            "rect",
            "path",
            "text",
        }
        assert all(len(one.text or "") < 60 for one in root.iter(TEXT))


@given(st.integers(0, 20_000))
def test_of_many_trials_some_are_drawn_the_best_among_them(count: int) -> None:
    found = thinned(count)
    assert len(found) == min(count, MOST)
    assert found == sorted({*found})
    assert found[: min(count, BEST)] == list(range(min(count, BEST)))
    assert not count or found[-1] == count - 1


def test_thousands_of_trials_are_a_small_drawing() -> None:
    axes = [Axis(f"p{at}", 0, 1) for at in range(12)]
    trials = [
        Drawn({f"p{at}": (number * 7 + at) % 100 / 100 for at in range(12)}, number)
        for number in range(5000)
    ]
    svg = parallel_svg(Axis("loss", 0, 5000), axes, trials)
    assert len(svg) < 80_000
    assert len(list(ElementTree.fromstring(svg).iter(LINE))) == MOST + 8


@pytest.mark.parametrize(
    ("axis", "value", "place"),
    [
        (Axis("a", 0, 10), 5, 0.5),
        (Axis("a", 1e-4, 1, is_log=True), 0.01, 0.5),
        (Axis("a", -1, 1, is_log=True), 0.0, 0.5),
        (Axis("a", 3, 3), 3, 0.5),
        (Axis("a", 0, 1), None, None),
        (Axis("a", 0, 1), math.nan, None),
        (Axis("a", 0, 1), math.inf, None),
        (Axis("a", 0, 1), "text", None),
        (Axis("a", choices=("x", "None")), None, 0.75),
        (Axis("a", choices=("x", "y")), "z", None),
    ],
)
def test_where_a_value_lies(axis: Axis, value: object, place: float | None) -> None:
    assert axis.place(value) == (None if place is None else pytest.approx(place))


def test_a_trial_without_a_parameter_has_a_gap() -> None:
    axes = [Axis("a", 0, 1), Axis("b", 0, 1), Axis("c", 0, 1)]
    svg = parallel_svg(Axis("loss", 0, 1), axes, [Drawn({"a": 0.5, "c": 0.5}, 0.1)])
    line = next(iter(ElementTree.fromstring(svg).iter(LINE)))
    assert (line.attrib["d"].count("M"), line.attrib["d"].count("L")) == (2, 1)


def test_a_drawing_turns_with_a_dark_page() -> None:
    found = charts_html({"Trials": importance_svg({"lr": 1.0})}, "100%")
    assert 'class="cvtrack-chart"' in found
    assert "data:image/svg+xml;base64," in found
    # an output of JupyterLab has no ground of its own, and the drawing would stand on black
    ground = found.partition(":has(> .cvtrack-chart)")[2].partition("}")[0]
    assert "var(--jp-layout-color0)" in ground
