from __future__ import annotations

import io
import math
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from cvtrack_magics.display.annotations import Mark
from cvtrack_magics.display.groups import overlay_color
from cvtrack_magics.display.picture import curves_png
from tests.display.helpers import series


def pixels(png: bytes | None) -> np.ndarray:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def test_it_is_a_png_on_a_transparent_ground() -> None:
    history = {"train/loss": series([3, 2, 1]), "val/loss": series([3, 2.5, 2])}
    image = pixels(curves_png(history))
    assert {int(image[y, x, 3]) for y in (0, -1) for x in (0, -1)} == {0}
    assert image[..., 3].max() == 255


@pytest.mark.parametrize("panels", [1, 2, 3, 4, 7, 12, 30])
def test_it_has_the_width_asked_for(panels: int) -> None:
    image = pixels(curves_png({f"m{i}": series([1, 2]) for i in range(panels)}))
    assert image.shape[1] == (690 if panels == 1 else 1140)


def test_without_points_there_is_no_picture() -> None:
    assert curves_png({}) is None
    assert curves_png({"loss": series([])}) is None


def colored(image: np.ndarray, color: str) -> int:
    """Count the pixels near one colour; the palette shifts them a little."""
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    near = np.abs(image[..., :3].astype(int) - wanted).max(axis=2) < 40
    return int((near & (image[..., 3] > 128)).sum())


def test_one_point_is_no_curve() -> None:
    assert curves_png({"a": series([0.5]), "b": series([])}) is None
    both = {"a": series([1, 2]), "b": series([0.5])}
    assert curves_png(both) == curves_png({"a": series([1, 2])})


def test_titles_stand_on_one_line_whether_there_is_a_legend_or_not() -> None:
    grey = np.array([0x7A, 0x7A, 0x7A])

    def top(image: np.ndarray) -> int:
        near = (np.abs(image[..., :3].astype(int) - grey).max(2) < 40) & (image[..., 3] > 100)
        return int(np.flatnonzero(near.any(1)).min())

    history = {"train/loss": series([1, 2]), "val/loss": series([2, 1]), "loss ": series([1, 2])}
    image = pixels(curves_png(history))
    half = image.shape[1] // 2
    assert top(image[:, :half]) == top(image[:, half:])


def test_a_point_between_gaps_is_a_dot() -> None:
    gaps = [math.nan, 1.0, math.inf]
    assert colored(pixels(curves_png({"a": series(gaps)})), "#4098e3") > 4


def test_nothing_but_gaps_is_drawn_as_an_empty_panel() -> None:
    image = pixels(curves_png({"a": series([math.nan, math.inf, -math.inf])}))
    assert colored(image, "#4098e3") == 0


def test_a_spike_in_a_long_series_is_seen() -> None:
    flat = [0.0] * 100_000
    flat[54_321] = 1.0
    blue = pixels(curves_png({"a": series(flat)}))
    rows = np.flatnonzero((np.abs(blue[..., :3].astype(int) - [31, 131, 201]).max(2) < 40).any(1))
    assert rows.max() - rows.min() > 80


@pytest.mark.parametrize("name", ["$\\frac{", "日本語 😀", "<b>", "a" * 300, "\x00\n"])
def test_any_name_is_drawn_silently(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert curves_png({name: series([1, 2]), f"val/{name}": series([2, 1])})


@pytest.mark.parametrize("values", [[1e300, -1e300], [5e-324, 0], [1e15, 1e15 + 1], [7, 7]])
def test_any_range_is_drawn(values: list[float]) -> None:
    assert curves_png({"a": series(values)})


def test_points_logged_without_steps_are_drawn_in_their_order() -> None:
    stuck = pixels(curves_png({"a": series([1, 2, 3, 2], steps=[0, 0, 0, 0])}))
    plain = pixels(curves_png({"a": series([1, 2, 3, 2])}))
    assert (stuck == plain).all()


def test_the_users_matplotlib_stays_as_it_was() -> None:
    before = dict(mpl.rcParams)
    curves_png({"a": series([1, 2])})
    assert dict(mpl.rcParams) == before


def test_the_users_style_does_not_leak_in() -> None:
    history = {"train/a": series([1, 2]), "val/a": series([2, 1])}
    plain = curves_png(history)
    style = {
        "axes.facecolor": "black",
        "text.color": "white",
        "axes.grid": True,
        "lines.marker": "x",
        "font.size": 30,
    }
    with mpl.rc_context(style):
        assert curves_png(history) == plain


def test_it_is_small() -> None:
    history = {
        f"{split}/{group}": series(
            [math.exp(-i / 200) + 0.1 * math.sin(i * i) for i in range(1000)]
        )
        for split in ("train", "val")
        for group in ("loss", "acc")
    }
    png = curves_png(history)
    assert png is not None
    assert len(png) < 30_000


def test_the_best_point_has_a_ring_and_a_metric_without_direction_none() -> None:
    values = [0.5, 0.9, 0.7, 0.6]
    known, unknown = (pixels(curves_png({name: series(values)})) for name in ("acc", "abc"))
    assert colored(known, "#4098e3") > colored(unknown, "#4098e3") + 20


def test_lines_to_beat_notes_and_other_runs_are_drawn() -> None:
    history = {"val/loss": series([1.0, 0.5, 0.7])}
    plain = pixels(curves_png(history))
    beat = pixels(curves_png(history, baselines={"champion $\\x": {"val/loss": 0.6, "b": 1.0}}))
    assert colored(beat, "#e0781a") > colored(plain, "#e0781a") + 100
    far = pixels(curves_png(history, baselines={"far": {"val/loss": 1e6, "a": math.nan}}))
    assert colored(far, "#e0781a") > colored(plain, "#e0781a")
    marked = pixels(curves_png(history, marks=[Mark(1, "note"), Mark(99, "beyond")]))
    assert colored(marked, "#7a7a7a") > colored(plain, "#7a7a7a") + 100
    other = {"fold <1>": {"val/loss": series([2.0, 1.5]), "acc": series([0, 1])}}
    both = pixels(curves_png(history, overlays=other))
    assert both.shape[1] > plain.shape[1]  # a panel for what only the other run has
    assert colored(both, overlay_color(0)) > 30
    assert curves_png({}, overlays=other)
