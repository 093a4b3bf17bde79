"""Predictions in a run: kept as files, in a page, and read back for a comparison."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from PIL import Image

from cvtrack_magics import Predictions, log_predictions, mlgrid, mlrun, track
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks import npz as saving
from tests.store_views import artifact, artifact_names, runs_of
from tests.vision.examples import TASKS, example

pytestmark = pytest.mark.usefixtures("script")


def sheet_in(page: str) -> Any:
    """Return the document in a page."""
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def data(store: str, run: Any, path: str) -> bytes:
    client = mlflow.MlflowClient(tracking_uri=store)
    return Path(client.download_artifacts(run.info.run_id, path)).read_bytes()


def test_a_loop_keeps_every_step_and_the_pictures_once(store: str) -> None:
    with mlrun("train", output=False, code=False):
        for epoch in track(range(3), "epoch"):
            log_predictions(example("classification", seed=epoch))
    run = runs_of(store)["train"]
    names = {n for n in artifact_names(store, run) if n.startswith(("pred", "visual"))}
    pixels = {n for n in names if "pixels" in n}
    assert len(pixels) == 1
    assert names - pixels == {
        *(f"predictions/predictions/step_00000{at}.npz" for at in range(3)),
        *(f"visualisations/predictions_step_00000{at}.webp" for at in range(3)),
        "visualisations/predictions.html",
    }
    for at in range(3):
        back, meta = saving.load(data(store, run, f"predictions/predictions/step_00000{at}.npz"))
        wanted = example("classification", seed=at)
        np.testing.assert_array_equal(back.labels.probabilities, wanted.labels.probabilities)
        assert meta["step"] == at
        assert f"predictions/predictions/{meta['pixels']}" in pixels
    sheet = sheet_in(artifact(store, run, "visualisations/predictions.html"))
    assert [frame["step"] for frame in sheet["frames"]] == [0, 1, 2]


def test_mlflows_page_has_one_sheet_a_step(store: str) -> None:
    with mlrun("train", output=False, code=False):
        for epoch in (0, 20, 20):
            log_predictions(example("classification", seed=epoch), step=epoch, name="test set/1")
    run = runs_of(store)["train"]
    names = sorted(n for n in artifact_names(store, run) if n.startswith("images/"))
    pattern = re.compile(
        r"images/(?P<key>[\w\-. ]+)\+step\+(?P<step>\d+)\+timestamp\+(?P<time>\d{13})"
        r"\+(?P<id>[0-9a-f-]{36})(?P<small>\+compressed\.webp|\.jpg)"
    )
    found = [pattern.fullmatch(name) for name in names]
    assert all(found)
    by_step = sorted((int(m["step"]), m["small"]) for m in found if m)
    assert by_step == [(at, end) for at in (0, 20) for end in ("+compressed.webp", ".jpg")]
    assert len({m["id"] for m in found if m}) == 2
    assert run.data.tags["mlflow.loggedImages"] == "True"
    for name in names:
        with Image.open(io.BytesIO(data(store, run, name))) as picture:
            assert max(picture.size) <= (256 if "compressed" in name else 4000)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_read_back_for_the_grid(store: str, task: str) -> None:
    with mlrun("first", output=False, code=False):
        log_predictions(example(task), step=4, name="test set/1")
    with mlrun("second", output=False, code=False):
        grid = mlgrid(example(task, seed=1), compare="first", name="test set/1")
    document = grid.sheet.document
    assert [frame["label"] for frame in document["frames"]] == ["first · step 4", "second · step 0"]
    assert document["compare"] == [0, 1]
    assert sheet_in(grid.page())["count"] == 4
    again = mlgrid(run="second", name="test set/1").sheet.document
    assert again["frames"][0]["scores"] == document["frames"][1]["scores"]
    assert again["frames"][0]["scores"]


def test_without_a_run_it_is_only_shown(store: str) -> None:
    grid = mlgrid(example("anomaly"))
    assert repr(grid) == "4 samples of anomaly."
    assert runs_of(store) == {}
    with pytest.raises(UsageProblem, match="nothing to show"):
        mlgrid()


def test_the_last_run_is_shown_when_none_is_open(store: str) -> None:
    with mlrun("looked at", output=False, code=False):
        log_predictions(example("depth"))
    with mlrun("without", output=False, code=False):
        pass
    assert repr(mlgrid()) == "4 samples of depth, kept in run 'looked at'."


def test_steps_are_counted_given_or_taken_from_the_loop(store: str) -> None:
    with mlrun("steps", output=False, code=False):
        log_predictions(example("depth"))
        log_predictions(example("depth", seed=1))
        log_predictions(example("depth", seed=2), step=7)
        log_predictions(example("depth", seed=3), step=7)
        shown = mlgrid().sheet.document["frames"]
        assert [frame["step"] for frame in shown] == [0, 1, 7]
        assert [f["step"] for f in mlgrid(step=1).sheet.document["frames"]] == [0, 1]
        with pytest.raises(UsageProblem, match=r"Step 3 was not logged\. There are 0, 1, 7"):
            mlgrid(step=3)
    run = runs_of(store)["steps"]
    back, _ = saving.load(data(store, run, "predictions/predictions/step_000007.npz"))
    assert (
        back.depths.prediction[0].tolist() == example("depth", seed=3).depths.prediction[0].tolist()
    )


def test_a_failure_of_ours_is_a_notice_and_not_the_cells_error(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with mlrun("mixed", output=False, code=False) as run:
        log_predictions(example("depth"))
        log_predictions(example("anomaly"))
    assert run.summary is not None
    assert run.summary.status == "FINISHED"
    said = capsys.readouterr().out
    assert "Predictions were not recorded: 'predictions' holds Predictions(depth" in said
    assert "visualisations/predictions.html" in artifact_names(store, runs_of(store)["mixed"])


def test_settings_choose_the_picture_and_are_checked(store: str) -> None:
    made = example("classification", 6)
    wrong = made.labels.probabilities.argmax(axis=1) != made.labels.truth
    grid = mlgrid(made, sort="loss", only="wrong", threshold=None)
    assert grid.sheet.document["settings"] == {"sort": "loss", "only": "wrong"}
    assert 0 < wrong.sum() < 6
    for bad, said in (
        ({"sort": "los"}, "no score 'los' to sort by. Did you mean 'loss'?"),
        ({"only": "worng"}, "Did you mean 'wrong'?"),
        ({"truth": "cta"}, "There is no class 'cta'. Did you mean 'cat'?"),
    ):
        with pytest.raises(UsageProblem) as error:
            mlgrid(made, **bad)
        assert said in str(error.value)
    assert runs_of(store) == {}


def test_the_order_of_the_plain_picture() -> None:
    from cvtrack_magics.tasks.filters import chosen
    from cvtrack_magics.tasks.sample_scores import rate

    made = example("classification", 6)
    ratings = rate(made)
    loss = -np.log(made.labels.probabilities[np.arange(6), made.labels.truth])
    right = made.labels.probabilities.argmax(axis=1) == made.labels.truth
    assert chosen(made, ratings, {"sort": "loss"}, 9) == np.argsort(-loss).tolist()
    assert chosen(made, ratings, {"sort": "-loss"}, 2) == np.argsort(loss)[:2].tolist()
    assert chosen(made, ratings, {"worst": 3}, 3) == np.argsort(-loss)[:3].tolist()
    assert chosen(made, ratings, {"only": "right"}, 9) == np.flatnonzero(right).tolist()


def test_an_object_is_found_from_the_overlap_that_is_asked_for(tmp_path: Path) -> None:
    boxes = {"boxes": np.array([[0.0, 0, 10, 10]]), "labels": np.array([0])}
    said = {**boxes, "boxes": np.array([[0.0, 0, 10, 6]]), "scores": np.array([0.9])}
    pictures = np.zeros((1, 16, 16, 3), np.uint8)
    made = Predictions.detection(pictures, [boxes], [said], classes=["cat"])
    with pytest.raises(UsageProblem, match="iou=2"):
        mlgrid(made, iou=2)
    for iou, found in ((0.5, 1), (0.75, 0)):
        grid = mlgrid(made, iou=iou, threshold=0.5, only="tp")
        sheet = sheet_in(grid.save(tmp_path / "grid.html").read_text(encoding="utf-8"))
        assert sheet["frames"][-1]["data"]["iou"] == iou
        assert bool(grid.picture) == bool(found), "the picture has the true positives only"


def test_a_grid_can_be_saved(tmp_path: Path) -> None:
    path = mlgrid(example("semantic")).save(tmp_path / "grid.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_logged_while_the_store_is_away_it_arrives_later(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import closed_uri

    uri = closed_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with mlrun("away", output=False, code=False):
        log_predictions(example("detection"))
    from cvtrack_magics.run.current import get_session

    kept = list(get_session().journal.rglob("*.html"))
    assert [path.name for path in kept] == ["predictions.html"]


def test_a_long_training_lets_go_of_frames_but_not_of_files(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtrack_magics.run import album

    monkeypatch.setattr(album, "MEMORY", 6 * len(saving.dump(example("classification"), 0)))
    with mlrun("long", output=False, code=False):
        for epoch in range(20):
            log_predictions(example("classification", seed=epoch), step=epoch, picture=0)
    run = runs_of(store)["long"]
    frames = sheet_in(artifact(store, run, "visualisations/predictions.html"))["frames"]
    steps = [frame["step"] for frame in frames]
    assert (steps[0], steps[-1]) == (0, 19)
    assert 3 <= len(steps) <= 7
    files = [n for n in artifact_names(store, run) if n.startswith("predictions/predictions/step")]
    assert len(files) == 20


def test_an_interrupt_at_the_end_leaves_a_finished_run_without_a_page(
    store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cvtrack_magics.run.album import Album

    def interrupted(self: Album, limit: int, digits: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Album, "page", interrupted)
    with mlrun("stopped", output=False, code=False):
        log_predictions(example("depth"))
    run = runs_of(store)["stopped"]
    assert run.info.status == "FINISHED"
    assert "predictions/predictions/step_000000.npz" in artifact_names(store, run)
    assert "The page of predictions was not made" in capsys.readouterr().out
