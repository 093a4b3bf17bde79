"""A run's card once more: of what is open, what ended here, and what only the store knows."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import mlflow
import pytest

from cvtrack_magics import log, mlrun, mlshow
from cvtrack_magics.commands.mlshow import Card
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.run import current
from tests.conftest import Shell
from tests.display.helpers import card_data


def made(card: Card | None) -> Card:
    assert card is not None
    return card


def test_what_the_store_has_is_what_the_card_said(store: str) -> None:
    with mlrun("train", output=False) as run:
        for epoch in range(5):
            log({"val/acc": 0.5 + 0.1 * epoch, "train/loss": 1 / (epoch + 1)}, step=epoch)
    mlflow.MlflowClient(store).set_tag(run.run_id, "mark.1", "step 2: the rate was halved")
    current.get_session().ended.clear()  # as in another kernel
    card = made(mlshow("train"))
    assert card.summary.status == "FINISHED"
    assert card.summary.metrics == {"train/loss": 0.2, "val/acc": 0.9}
    assert card.summary.run_id == run.run_id
    assert "environment" in card.summary.recorded
    html = card._repr_mimebundle_()["text/html"]
    curves = {one["name"]: one for one in card_data(html)["series"]}
    assert curves["val/acc"]["values"] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])
    assert "the rate was halved" in html
    assert "data:image/png" in html
    assert repr(card).startswith("✓ FINISHED train")


@pytest.mark.parametrize("how", ["", "name", "id", "first characters"])
def test_a_run_is_found_by_what_people_type(store: str, how: str) -> None:
    with mlrun("one", output=False) as one:
        log(x=1.0)
    with mlrun("two", output=False):
        log(x=2.0)
    said = {"": "", "name": "one", "id": one.run_id, "first characters": one.run_id[:8]}[how]
    assert made(mlshow(said)).summary.name == ("one" if how else "two")


def test_of_a_failed_run_the_error_and_of_a_parent_the_children(store: str) -> None:
    with contextlib.suppress(ZeroDivisionError), mlrun("folds", output=False):
        for fold in range(3):
            with mlrun(f"fold-{fold}", nested=True, output=False):
                log({"val/acc": 0.5 + fold / 10})
        raise ZeroDivisionError("a fold too many")
    card = made(mlshow("folds"))
    assert card.summary.status == "FAILED"
    assert card.summary.error == "ZeroDivisionError: a fold too many"
    assert [one.name for one in card.summary.children] == ["fold-0", "fold-1", "fold-2"]
    assert "✓ fold-2   0.7*" in repr(card)


def test_a_run_of_another_process_that_goes_on_says_when_it_was_looked_at(store: str) -> None:
    run = mlflow.MlflowClient(store).create_run("0", run_name="elsewhere")
    mlflow.MlflowClient(store).log_metric(run.info.run_id, "loss", 0.5, step=3)
    card = made(mlshow("elsewhere"))
    assert card.summary.status == "RUNNING"
    assert "The run goes on: this is what the store had at" in card.summary.notices[0]
    assert "● RUNNING" in repr(card)


def test_there_may_be_nothing_to_show(store: str) -> None:
    with pytest.raises(UsageProblem, match="has no run to show"):
        mlshow()
    with pytest.raises(CvtrackError, match="could not find the run 'nobody'"):
        mlshow("nobody")


class Front:
    """Notes what a shell's front end is shown."""

    def __init__(self) -> None:
        self.places: dict[str, Mapping[str, Any]] = {}

    def show(self, bundle: Mapping[str, Any], display_id: str) -> None:
        self.places[display_id] = bundle

    update = show


def test_an_open_run_is_shown_where_it_is_asked_for_and_says_nothing_false_later(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    front, host = Front(), current.get_session().host
    monkeypatch.setattr(host, "interactive_display", True)
    monkeypatch.setattr(host, "show", front.show)
    monkeypatch.setattr(host, "update", front.update)
    with mlrun("live", output=False):
        scope = current.get_session().current
        assert scope is not None
        assert mlshow() is None
        assert ["live" in str(one["text/plain"]) for one in front.places.values()] == [True] * 2
        log(loss=1.0)
        scope.channel.drain()
        assert mlshow("live") is None
        words = [str(one["text/plain"]) for one in front.places.values()]
        assert len(words) == 3  # the header's own, and both
        assert all("● running live" in one for one in words)
        assert all(scope.view._key in str(one["text/html"]) for one in front.places.values())
    after = [str(one["text/plain"]) for name, one in front.places.items() if "summary" not in name]
    assert len(after) == 3
    assert not any("running" in one for one in after)


def test_the_magic_shows_what_ended(shell: Shell, store: str) -> None:
    shell.run("%%mlrun a run of words\nlog(loss=0.5)")
    assert "✓ FINISHED a run of words" in shell.run("%mlshow")
    assert "✓ FINISHED a run of words" in shell.run("%mlshow a run of words")
    shell.run("%mlrun over cells")
    assert "▶ over cells" in shell.run("%mlshow")
    shell.run("%mlend")
