"""Rules about parts of the samples: the worst decides, and what is not known is undecided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.artifacts.codec import read, written
from cvtrack_magics.artifacts.paths import is_samples, is_slices
from cvtrack_magics.artifacts.slices import Slices
from cvtrack_magics.commands.candidate_loader import candidate_from, evaluations_of, slices_of
from cvtrack_magics.commands.eval_slices import sliced
from cvtrack_magics.commands.mleval import data_digest, metrics_of, records_of
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.facts import Point
from cvtrack_magics.release.gate import Row, judge, parse_rule
from cvtrack_magics.store.run_reader import StoredRun
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.slices import measure_slices, parts_of
from tests.release.gate.make import START, candidate
from tests.tasks.test_slices import detected

CAMERA = "val/slices/camera"


def predicted(rights: dict[str, tuple[int, int]]) -> Predictions:
    """Return a classification of two classes with so many right of so many, by camera."""
    truth, said, camera = [], [], []
    for name, (right, count) in rights.items():
        for at in range(count):
            truth.append(at % 2)
            said.append(at % 2 if at < right else 1 - at % 2)
            camera.append(name)
    scores = np.eye(2)[said] * 0.8 + 0.1
    return Predictions.classification(
        None, truth, probabilities=scores, classes=["no", "yes"], about={"camera": camera}
    )


def files_of(predictions: Predictions, by: str = "camera", **options: Any) -> dict[str, str]:
    """Return the files of an evaluation with parts, as ``%mleval`` records them."""
    whole = measure(predictions, **options)
    digest = data_digest(predictions)
    found = measure_slices(predictions, parts_of(predictions, [by]), whole, **options)
    kept = sliced(found, whole, "val", digest, [by])
    files = [*records_of(whole, predictions, {}, "val", digest), kept.artifact]
    return {file.path: str(file.content) for file in files}


def judged_run(predictions: Predictions, name: str = "one", **options: Any) -> Any:
    """Return a run with an evaluation by camera, read back from its files."""
    files = files_of(predictions, **options)
    whole = measure(predictions, **options)
    found = measure_slices(predictions, parts_of(predictions, ["camera"]), whole, **options)
    kept = sliced(found, whole, "val", data_digest(predictions), ["camera"])
    return candidate(
        name,
        metrics_of(whole, "val") | kept.metrics,
        evaluations=dict(evaluations_of(files)),
        slices=dict(slices_of(files)),
    )


def row(rule: str, given: Any, **more: Any) -> Row:
    return judge(given, [parse_rule(rule)], **more).rows[-1]


GOOD = {"u": (195, 200), "v": (190, 200), "w": (198, 200)}


@pytest.mark.parametrize(
    ("rights", "rule", "passed", "why"),
    [
        (GOOD, ">= 0.9", True, ""),
        (GOOD, "> 0.9", True, ""),
        (GOOD, ">= 0.96", False, "undecided: v, and 1 more: it may be"),
        (GOOD, ">= 0.999", False, "v, and 2 more: it is"),
        ({**GOOD, "night": (120, 200)}, ">= 0.9", False, "night: it is"),
        ({**GOOD, "night": (12, 12)}, ">= 0.9", False, "undecided: night: it may be"),
        ({**GOOD, "night": (1, 1)}, ">= 0.9", False, "too few for an interval"),
    ],
)
def test_the_worst_part_decides(
    rights: dict[str, tuple[int, int]], rule: str, passed: bool, why: str
) -> None:
    found = row(f"min({CAMERA}/*/top1_acc) {rule}", judged_run(predicted(rights)))
    assert found.passed == passed
    assert why in found.why
    assert bool(why) == bool(found.why)
    assert f"of {len(rights)} parts" in found.got


def test_what_is_undecided_passes_by_its_figure_where_that_is_said() -> None:
    given = judged_run(predicted({**GOOD, "night": (12, 12)}))
    rule = f"min({CAMERA}/*/top1_acc) >= 0.9"
    assert not row(rule, given).passed
    assert row(rule, given, undecided=True).passed
    worse = judged_run(predicted({**GOOD, "night": (10, 12)}))
    assert not row(rule, worse, undecided=True).passed


def test_other_figures_are_judged_as_they_are_of_enough_samples() -> None:
    rule = f"min({CAMERA}/*/macro_f1) >= 0.9"
    assert row(rule, judged_run(predicted(GOOD))).passed
    few = row(rule, judged_run(predicted({**GOOD, "night": (12, 12)})))
    assert "undecided: night: 12 samples, 20 are the least" in few.why
    most = row(f"max({CAMERA}/*/ECE) <= 0.5", judged_run(predicted(GOOD)))
    assert most.passed


def test_a_metric_that_says_otherwise_than_its_file_fails() -> None:
    given = judged_run(predicted(GOOD))
    metrics = {**given.metrics, f"{CAMERA}/v/top1_acc": Point(1.0, 0, START + 1000)}
    found = row(f"min({CAMERA}/*/top1_acc) >= 0.9", replace(given, metrics=metrics))
    assert not found.passed
    assert "the metric says 1, the evaluation 0.95" in found.why


def test_one_part_can_be_asked_for_by_its_name() -> None:
    given = judged_run(predicted(GOOD))
    assert row(f"{CAMERA}/v/top1_acc >= 0.94", given).passed
    assert row(f"{CAMERA}/v/top1_acc/ci_low >= 0.9", given).passed
    assert not row(f"{CAMERA}/v/top1_acc >= 0.96", given).passed


def test_what_was_not_measured_by_is_undecided() -> None:
    found = row("min(val/slices/size/*/mAP50) >= 0.5", judged_run(predicted(GOOD)))
    assert found.why == "undecided: nothing was measured by it; run %mleval --by size"


@pytest.mark.parametrize(
    "rule",
    [
        "min(val/slices/*/top1_acc) >= 0.5",
        "min(val/slices/camera/*/*) >= 0.5",
        "mean(val/slices/camera/*/top1_acc) >= 0.5",
        "worst(val/slices/camera/*/top1_acc) >= 0",
        "worst(delta(val/top1_acc)) >= 0",
        "worst(delta(val/slices/camera/*/top1_acc)) <= 0",
    ],
)
def test_what_is_no_rule_of_parts_is_refused(rule: str) -> None:
    with pytest.raises(UsageProblem):
        parse_rule(rule)


@pytest.mark.parametrize(
    ("challenger", "least", "passed", "why"),
    [
        (GOOD, -0.03, True, ""),
        ({**GOOD, "v": (160, 200)}, -0.05, False, "v: -0.15 beside the champion"),
        ({**GOOD, "v": (188, 200)}, -0.03, False, "undecided: v: -0.01 beside the champion"),
        ({**GOOD, "v": (200, 200)}, -0.03, True, ""),
    ],
)
def test_the_worst_loss_beside_the_champion(
    challenger: dict[str, tuple[int, int]], least: float, passed: bool, why: str
) -> None:
    champion = judged_run(predicted(GOOD), "champion")
    rule = f"worst(delta({CAMERA}/*/top1_acc)) >= {least}"
    found = row(rule, judged_run(predicted(challenger)), champion=champion)
    assert found.passed == passed
    assert found.why.startswith(why)
    assert row(rule, champion).why == "there is no champion to compare with"


def test_average_precisions_of_parts_are_compared_in_pairs() -> None:
    camera = ["u", "v"] * 30
    given = detected(5, 60, camera=camera)
    same = judged_run(given, resamples=200)
    rule = f"worst(delta({CAMERA}/*/mAP50)) >= -0.01"
    assert row(rule, same, champion=same).passed
    scores = given.boxes.prediction.scores
    assert scores is not None
    lost = replace(given.boxes.prediction, scores=np.where(scores > 0.5, 0.01, scores))
    worse = judged_run(replace(given, data=replace(given.boxes, prediction=lost)), resamples=200)
    found = row(rule, worse, champion=same)
    assert not found.passed
    assert "beside the champion, surely above -" in found.why


def test_parts_of_an_evaluation_that_was_made_anew_are_not_believed() -> None:
    files = files_of(predicted(GOOD))
    assert len(dict(slices_of(files))) == 3
    anew = files_of(predicted({**GOOD, "v": (150, 200)}))
    [path] = filter(is_slices, files)
    assert not dict(slices_of({**anew, path: files[path]}))


@pytest.mark.parametrize("text", ["", "null", "{", '{"slices": 3}', '{"slices": [{}]}', "[" * 9999])
def test_a_file_of_parts_that_cannot_be_read_has_none(text: str) -> None:
    files = files_of(predicted(GOOD))
    [path] = filter(is_slices, files)
    assert not dict(slices_of({**files, path: text}))


def test_rows_that_are_not_there_are_not_looked_at() -> None:
    files = files_of(predicted(GOOD))
    [path] = filter(is_slices, files)
    file = read(Slices, path, files[path])
    odd = tuple(replace(one, rows=(-1, 0, 10**9)) for one in file.slices)
    found = dict(slices_of({**files, path: written(replace(file, slices=odd))}))
    assert all(len(one.table["id"]) == 1 for one in found.values())


class Counted(dict[str, str]):
    """Files that note how often each was asked for."""

    asked: list[str]

    def get(self, path: str, default: Any = None) -> Any:
        self.asked.append(path)
        return super().get(path, default)


def test_a_table_of_scores_is_read_once_however_many_parts_there_are() -> None:
    """It may have 200 MB, and is what a judgement waits for."""
    texts = Counted(files_of(predicted(GOOD)))
    texts.asked = []
    stored = StoredRun("r", "r", "e", "FINISHED", START, START, "", {}, {}, {}, (), {}, texts)
    found = candidate_from(stored)
    assert len(found.slices) == 3
    assert len([path for path in texts.asked if is_samples(path)]) == 1
    assert all(one.table["id"] for one in (*found.evaluations.values(), *found.slices.values()))
