"""Figures of a table of samples, beside what is measured of the same samples."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.release.gate import ChampionRule, compare
from cvtrack_magics.release.gate.from_table import drawn_alike, statistic_of
from tests.release.gate.make import evaluated, with_facts
from tests.vision.measure.make import (
    measured,
    random_boxes,
    random_classes,
    random_depths,
    random_label_sets,
    random_masks,
    random_scores,
    random_segments,
)

OF_CLASSES = [
    *("macro_f1", "weighted_f1", "precision", "recall"),
    *(f"per_class_f1/class {k}" for k in range(4)),
]
TABLES: dict[str, tuple[Any, list[str]]] = {
    "classification": (partial(random_classes, count=60, classes=4), OF_CLASSES),
    "detection": (partial(random_boxes, images=30), ["precision", "recall", "F1"]),
    "instance": (partial(random_masks, images=25), ["precision", "recall", "F1"]),
    "anomaly": (random_scores, ["precision", "recall", "F1"]),
    "depth": (partial(random_depths, images=25), ["RMSE", "delta_1"]),
    "multilabel": (partial(random_label_sets, count=60, classes=4), ["micro_f1"]),
}
KEPT: dict[str, tuple[Any, list[str]]] = {
    "multilabel": (partial(random_label_sets, count=60, classes=4), ["AP/class 1"]),
    "detection": (partial(random_boxes, images=30), ["mAP75", "mAP50-95", "AP50/class 1"]),
    "instance": (partial(random_masks, images=25), ["mask_AP50", "mask_AP50/class 0"]),
    "semantic": (
        partial(random_segments, images=25),
        ["mean_dice", "pixel_acc", "per_class_IoU/class 1"],
    ),
}
EACH = [(task, name) for task, (_, names) in TABLES.items() for name in names]
EVERY = [*EACH, *((task, name) for task, (_, names) in KEPT.items() for name in names)]


def maker(task: str, name: str) -> Any:
    return TABLES[task][0] if (task, name) in EACH else KEPT[task][0]


def table_of(found: Any) -> dict[str, list[Any]]:
    return {key: values.tolist() for key, values in found.samples.items()}


@pytest.mark.parametrize(("task", "name"), EACH)
@pytest.mark.parametrize("seed", range(3))
def test_a_sample_counts_as_often_as_it_was_drawn(task: str, name: str, seed: int) -> None:
    data = maker(task, name)(seed)
    options = {"threshold": 0.4} if task not in ("classification", "depth") else {}
    found = measured(data, **options)
    statistic = statistic_of(name, table_of(found), found.classes)
    assert statistic is not None
    times = np.random.default_rng(seed).integers(0, 3, len(data))
    again = measured(data[np.repeat(np.arange(len(data)), times)], **options)
    weights = np.stack((np.ones(len(data)), times)).astype(float)
    expected = [found.metrics[name], again.metrics[name]]
    assert statistic(weights) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_any_figure_that_samples_give_can_be_compared(task: str, name: str) -> None:
    data = maker(task, name)(3)
    turned = data[np.random.default_rng(0).permutation(len(data))]
    row, found = compare(evaluated("a", data), evaluated("b", turned), ChampionRule(f"val/{name}"))
    assert found is not None, row.why
    assert not row.passed
    assert found.resamples >= 200
    assert found.difference == pytest.approx(0, abs=1e-9)
    assert found.low == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("task", KEPT)
def test_what_is_kept_beside_the_headline_is_drawn_alike(task: str) -> None:
    make, names = KEPT[task]
    data = make(2)
    found = measured(data, resamples=300)
    for name in names:
        values = found.replicates.others[name]
        assert len(values) in (200, 300)
        # of all samples together the figure lies among its replicates
        low, high = np.nanquantile(values, [0.005, 0.995])
        assert low <= found.metrics[name] <= high
    assert measured(data, resamples=0).replicates is None


def test_a_better_macro_f1_passes() -> None:
    data = random_classes(1, 300, 4, 2.5)
    worse = replace(data, data=random_classes(1, 300, 4, 0.5).data)
    worse.labels.truth[:] = data.labels.truth
    good, poor = evaluated("a", data), evaluated("b", worse)
    for name in ("macro_f1", "per_class_f1/class 2"):
        rule = ChampionRule(f"val/{name}")
        row, found = compare(good, poor, rule)
        assert row.passed, row.why
        assert 0 < found.low < found.difference
        assert not compare(poor, good, rule)[0].passed


def test_a_table_that_says_otherwise_is_refused() -> None:
    data = random_classes(1, 100, 3)
    one, other = evaluated("a", data), evaluated("b", random_classes(1, 100, 3))
    table = one.evaluations["val"].table
    turned = {**table, "pred": [(value + 1) % 3 for value in table["pred"]]}
    rule = ChampionRule("val/macro_f1")
    row, _ = compare(with_facts(one, table=turned), other, rule)
    assert "by the challenger's table it is" in row.why
    shorter = {key: values[:-1] for key, values in table.items()}
    assert "not of the same samples" in compare(with_facts(one, table=shorter), other, rule)[0].why
    row, _ = compare(with_facts(one, table={}), other, rule)
    assert row.why == "macro_f1 cannot be compared in pairs; top1_acc can"


def test_what_no_table_says_has_no_statistic() -> None:
    table = table_of(measured(random_classes(0, 20, 3)))
    assert statistic_of("ECE", table, ["a", "b", "c"]) is None
    assert statistic_of("macro_f1", {"id": []}, []) is None
    assert statistic_of("mIoU", {"iou": [1.0]}, []) is None
    assert statistic_of("delta_2", table_of(measured(random_depths(0))), []) is None


def test_draws_are_of_clusters_and_alike_for_both() -> None:
    ids = [f"s{at:02}" for at in range(30)]
    clusters = {name: at // 3 for at, name in enumerate(ids)}
    seen: list[Any] = []

    def statistic(weights: Any) -> Any:
        seen.append(weights)
        return weights[:, 0]

    one, two = drawn_alike([statistic, statistic], ids, clusters)
    assert one.tolist() == two.tolist()
    assert len(one) == 1000
    grouped = seen[0].reshape(-1, 10, 3)
    assert (grouped == grouped[:, :, :1]).all()
    assert drawn_alike([statistic], ids, {})[0].tolist() != one.tolist()
