"""What a run shows, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cvtrack_magics.config import CvTrack
from cvtrack_magics.display import live, plot_widget
from cvtrack_magics.display.progress import Bar
from cvtrack_magics.run import view
from cvtrack_magics.run.host import ScriptHost
from cvtrack_magics.run.spec import RunSpec
from tests.display.helpers import series, summary

VIEW_MIME = plot_widget.VIEW_MIME


class Notebook(ScriptHost):
    """A front end that notes what it is shown."""

    interactive_display = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, Any], str]] = []

    def show(self, bundle: Mapping[str, Any], display_id: str) -> None:
        self.seen.append(("show", dict(bundle), display_id))

    def update(self, bundle: Mapping[str, Any], display_id: str) -> None:
        self.seen.append(("update", dict(bundle), display_id))


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def shown(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> view.RunView:
    monkeypatch.setattr(plot_widget, "needs_view", lambda: False)
    return view.RunView(notebook, CvTrack(), RunSpec("train"), "")


def test_a_run_shows_its_header_then_where_it_is_then_its_card(
    notebook: Notebook, shown: view.RunView
) -> None:
    shown.open(None)
    shown.refresh({"train/loss": series([1, 0.5])})
    shown.refresh({"train/loss": series([0.25], steps=[2])})
    shown.close(summary(), {"train/loss": series([1, 0.5, 0.25])})
    (opened, header, first), (grows, words, second), (ends, card, third), (back, last, fourth) = (
        notebook.seen
    )
    assert [opened, grows, ends, back] == ["show", "update", "show", "update"]
    assert first == second == fourth != third
    assert last == header
    assert "● running train · step 1 · train/loss 0.5" in words["text/html"]
    assert words["text/html"].startswith(header["text/html"])
    assert VIEW_MIME not in words
    key = words["text/html"].split('data-plot="')[1][:8]
    assert f'"run":"{key}"' in card["text/html"]


def test_the_words_are_renewed_now_and_then(
    notebook: Notebook, shown: view.RunView, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(view.time, "monotonic", lambda: now[0])
    shown.open(None)
    for step in range(100):
        now[0] += 0.25
        shown.refresh({"a": series([step], steps=[step])})
    said = [bundle["text/plain"].split("step ")[1] for how, bundle, _ in notebook.seen[1:]]
    assert said == ["0 · a 0", "40 · a 40", "80 · a 80"]


def test_the_first_values_of_a_metric_are_among_the_words_soon(
    notebook: Notebook, shown: view.RunView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook that is saved in the middle, or a page that draws no widget, has no more."""
    now = [100.0]
    monkeypatch.setattr(view.time, "monotonic", lambda: now[0])
    shown.open(None)
    for at, name in enumerate(["", "a", "a", "b", "c"]):
        now[0] += 0.6
        bar = Bar("e", "epoch", at, 40, 1.0, 2.0)
        shown.progress([bar, Bar("b", "", 7, None, 1.0, 2.0)], ())
        if name:
            shown.refresh({name: series([at], steps=[at])})
    said = [bundle["text/plain"].split("running train · ")[1] for _, bundle, _ in notebook.seen[1:]]
    assert said == [
        "epoch 0/40 · loop 7",
        "epoch 2/40 · loop 7 · step 1 · a 1",
        "epoch 4/40 · loop 7 · step 3 · a 2 · b 3",
    ]


def test_points_before_the_header_are_not_lost(notebook: Notebook, shown: view.RunView) -> None:
    shown.refresh({"a": series([1])})
    assert notebook.seen == []
    shown.open(None)
    shown.refresh({"a": series([2], steps=[1])})
    assert len(shown._plot.history["a"]) == 2
    assert "step 1" in notebook.seen[-1][1]["text/plain"]


def test_where_a_view_is_needed_it_is_an_output_of_its_own(
    notebook: Notebook, shown: view.RunView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot_widget, "needs_view", lambda: True)
    shown.open(None)
    for step in range(3):
        shown.refresh({"a": series([step], steps=[step])})
    shown.close(summary(), {"a": series([0, 1, 2])})
    header, anchor = (where for _, _, where in notebook.seen[:2])
    told = [(how, VIEW_MIME in bundle, where) for how, bundle, where in notebook.seen]
    assert told == [
        ("show", False, header),
        ("show", False, anchor),
        ("update", True, anchor),
        ("update", False, header),
        ("show", False, f"{header}-summary"),
        ("update", False, header),
        ("update", False, anchor),
    ]
    assert "step 0 · a 0" in notebook.seen[3][1]["text/html"]
    assert notebook.seen[5][1] == notebook.seen[0][1]
    assert notebook.seen[6][1] == notebook.seen[1][1]
    shown.refresh({"a": series([9])})
    assert len(notebook.seen) == len(told)


@pytest.mark.parametrize("needed", [False, True])
def test_a_page_that_draws_no_widget_sees_words_and_curves(
    notebook: Notebook, shown: view.RunView, monkeypatch: pytest.MonkeyPatch, needed: bool
) -> None:
    """And so does a notebook that is saved in the middle of a run, in any front end."""
    monkeypatch.setattr(plot_widget, "needs_view", lambda: needed)
    now = [100.0]
    monkeypatch.setattr(view.time, "monotonic", lambda: now[0])
    shown.open(None)
    for step in range(400):
        now[0] += 0.25
        shown.refresh({"train/loss": series([1 / (step + 1)], steps=[step])})
    words = [bundle for _, bundle, where in notebook.seen[1:] if where == notebook.seen[0][2]]
    assert len(words) == (25 if needed else 10)
    pictures = [bundle["text/html"].count("data:image/png") for bundle in words]
    assert pictures[:2] == ([0, 0] if needed else [0, 1])
    assert pictures[-1] == 1
    assert "cvtrack-data" not in words[-1]["text/html"]  # it is drawn while the plot is not there
    assert "step 384" in words[-1]["text/plain"] or "step 360" in words[-1]["text/plain"]


@pytest.mark.parametrize("drawn", [False, True])
def test_where_no_page_draws_buttons_it_is_said_what_ends_the_run(
    notebook: Notebook, shown: view.RunView, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    monkeypatch.setattr(plot_widget, "needs_view", lambda: True)
    monkeypatch.setattr(live.LivePlot, "is_drawn", drawn)
    shown.open(None)
    shown.refresh({"a": series([1])})
    said = notebook.seen[-1][1]["text/plain"]
    assert ("interrupt the cell to end the run" in said) is not drawn


def test_a_run_without_points_shows_header_and_card(
    notebook: Notebook, shown: view.RunView
) -> None:
    shown.open(None)
    shown.close(summary(), {})
    assert [how for how, _, _ in notebook.seen] == ["show", "show"]


def test_what_the_cell_cleared_away_is_shown_again(
    notebook: Notebook, shown: view.RunView, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: set[str] = set()
    monkeypatch.setattr(notebook, "is_gone", gone.__contains__)

    def again(bundle: Mapping[str, Any], display_id: str) -> None:
        gone.discard(display_id)
        notebook.seen.append(("again", dict(bundle), display_id))

    monkeypatch.setattr(notebook, "show_again", again)
    shown.open(None)
    shown.refresh({"a": series([1.0])})
    gone.add(notebook.seen[0][2])
    for step in range(1, 5):
        shown.refresh({"a": series([step], steps=[step])})
    assert [how for how, _, _ in notebook.seen] == ["show", "update", "again"]
    assert notebook.seen[2][2] == notebook.seen[0][2]
    assert "step 1 · a 1" in notebook.seen[2][1]["text/html"]
