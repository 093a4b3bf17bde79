"""What a plot shows beside its curves: progress, the machine, other runs, notes, best points."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cvtrack_magics.display import card, groups, picture
from cvtrack_magics.display.annotations import Mark, bars_json, baselines_json, marks_json
from cvtrack_magics.display.progress import Bar
from cvtrack_magics.vision import metric_catalog
from tests.display.helpers import EPOCH, series, summary
from tests.display.pages import ADD, Plot, drawn, ink, needs_chromium, settle, titles

pytestmark = needs_chromium

EVIL = "<img src=x onerror=window.pwned=1>"


BETTER = {
    **dict.fromkeys(
        (
            "val/dice_coefficient", "dice_coef", "distance_iou", "size_weighted_iou", "AP_small",
            "weighted_f1", "topk_acc", "eval_recall", "iou/person", "similarity_score", "mAP_75",
            "precision/person", "meanIoU", "scale_invariant_ssim", "cosine_similarity",
            "per_class_f1/print error", "val/per_class_IoU/loss area", "AP50/distance marker",
            "test/mask_AP50/weight error", "mAP50/lr", "CohenKappa", "qwk", "PSNRMetric",
            "one_hot_mean_io_u", "Prec@1", "val/rank-1", "coco/APs", "PanopticQuality",
            "image_AUROC", "pearson", "AP50/ASD", "matthews_correlation", "fitness",
            "TPR@FPR=1e-3", "val/R@1", "BERTScore", "J&F", "SROCC", "MultilabelExactMatch",
            "pass@1", "ndcg@10", "TruePositiveRate", "calinski_harabasz_score",
            "eval_samples_per_second",
        ),
        "max",
    ),
    **dict.fromkeys(
        (
            "iou_loss", "loss_giou", "loss/bbox", "mape", "top1_error", "eval_loss", "fid_score",
            "brier_score", "cosine_distance", "kl_divergence", "hausdorff_distance",
            "rmse/score board", "loss/iou", "val/loss_giou/AP head", "ECE/accuracy sign",
            "weighted_loss", "error_rate", "loss_dice", "batch_size_weighted_loss", "ValLossMap",
            "val/crossentropy", "abs_rel", "SILog", "val_MPJPE", "minADE", "HammingDistance",
            "count_mae", "entropy_loss", "false_positive_rate", "p95_latency_ms", "FPR@95",
            "FPR@TPR95", "HTER", "Fl-all", "val/RMSEMetric", "chamfer_distance", "FID50k", "mCE",
            "davies_bouldin_score", "NIQE", "val/DISTS", "inference_time_ms",
        ),
        "min",
    ),
    **dict.fromkeys(
        (
            "error_free_rate", "loss_scale", "loss_coef", "kl_coefficient", "lr", "iou_threshold",
            "loss_weight", "batch_size", "dice_weight", "epoch", "loss_scale_factor", "lr_scale",
            "dice_std", "acc_gap", "f1_variance", "one_minus_dice", "map_time", "num_ap",
            "feature_map_norm", "accuracy_drop", "loss_std", "error_reduction", "iou_count",
            "acc_steps", "grad_acc_steps",
        ),
        "",
    ),
}  # fmt: skip
# scorers that are turned round, and whole names of a field
BETTER |= dict.fromkeys(
    [
        "neg_mean_squared_error",
        "neg_log_loss",
        "val/neg_root_mean_squared_error",
        "negative_mse",
        "DistanceIntersectionOverUnion",
        "NDS",
        "TEDS",
        "negative_predictive_value",
    ],
    "max",
)
BETTER |= dict.fromkeys(
    [
        "1-ssim",
        "1 - iou",
        "neg_loss",
        "negative_log_likelihood",
        "val/false_negative_rate",
        "interval_score",
        "F1-all",
        "rank_test_score",
        "mATE",
        "FRR",
    ],
    "min",
)
BETTER |= dict.fromkeys(["neg_accuracy", "neg_recall", "1-lr", "f1_support", "dice_samples"], "")
"""What is better of a metric, by its name."""


def test_bars_are_stacked_with_their_figures_and_grow(page: Any) -> None:
    plot = Plot(page)
    assert not page.locator(".cv-bars").is_visible()
    epoch, batch = Bar("e", EVIL, 12, 100, 3.5, 3.4), Bar("b", "batch", 5, None, 2, math.nan)
    plot.state(bars=bars_json([epoch, batch]))
    figures = page.locator(".cv-bars .cv-figures").all_text_contents()
    assert figures == ["12/100 · 3.4/s · 0:26 left", "5 · 0:02"]
    assert page.locator(".cv-bar-name").first.text_content() == EVIL
    bars = page.get_by_role("progressbar")
    assert bars.first.get_attribute("aria-valuenow") == "12"
    assert bars.nth(1).get_attribute("aria-valuenow") is None
    widths = "(n) => n.map((f) => f.offsetWidth / f.parentNode.offsetWidth)"
    part, moving = page.locator(".cv-fill").evaluate_all(widths)
    assert abs(part - 0.12) < 0.01
    assert abs(moving - 0.25) < 0.01
    page.evaluate("window.kept = document.querySelector('.cv-fill')")
    plot.state(bars=bars_json([Bar("e", "epoch", 100, 100, 31.0, 3.2)]))
    assert page.locator(".cv-bars .cv-figures").all_text_contents() == ["100/100 · 3.2/s · in 0:31"]
    assert page.evaluate("kept.isConnected")
    assert page.locator(".cv-ended").count() == 1


def test_the_machine_is_folded_in_and_remembers_how_it_was_left(page: Any) -> None:
    plot = Plot(page, run="0a1b2c3d")
    assert not page.locator(".cv-resources").is_visible()
    plot.push({"cpu_percent": series([99, 143.4]), "memory_mb": series([1234])}, family="usage")
    plot.push({"gpu0_percent": series([97]), "gpu0_memory_mb": series([800])}, family="usage")
    assert titles(page) == []
    line = page.locator(".cv-summary")
    words = "CPU 143 % · 1.2 GB · GPU 0 97 % · 800 MB"
    assert line.locator(".cv-figures").text_content() == words
    line.focus()
    page.keyboard.press("Enter")
    settle(page, 100)
    assert titles(page) == ["processor and GPU, %", "memory, MB"]
    assert ink(page) > 20
    plot.push({"cpu_percent": series([12], steps=[2])}, family="usage")
    assert "CPU 12 %" in str(line.text_content())
    assert drawn(page)[0] == [0, 1, 2]
    plot.view()
    page.wait_for_function("document.querySelectorAll('details[open]').length === 2")


def test_other_runs_are_drawn_in_the_same_panels_and_hidden_together(page: Any) -> None:
    plot = Plot(page)
    plot.push({"train/loss": series([3, 2]), "val/loss": series([3, 2.5]), "acc": series([0, 1])})
    plot.push(
        {"train/loss": series([4, 3, 2]), "acc": series([1, 0]), "extra": series([1, 2])},
        family="overlay",
        label=EVIL,
    )
    assert titles(page) == ["loss", "acc", "extra"]
    names = page.locator(".cv-name").all_text_contents()
    assert names == ["train/loss", "val/loss", EVIL, "acc", EVIL, EVIL]
    assert page.locator(".cvtrack-plot img").count() == 0
    assert drawn(page)[-1] == [4, 3, 2]
    color = groups.overlay_color(0)
    assert ink(page, color) > 5
    page.locator(".cv-key", has_text=EVIL).first.click()
    settle(page, 80)
    assert [ink(page, color, at) for at in range(3)] == [0, 0, 0]
    pressed = "(n) => n.map((k) => k.ariaPressed)"
    assert page.locator(".cv-faint").evaluate_all(pressed) == ["false"] * 3
    page.locator(".cv-key", has_text=EVIL).last.click()
    settle(page, 80)
    assert ink(page, color) > 5
    plot.push({"train/loss": series([1], steps=[3])}, family="overlay", label=EVIL)
    assert drawn(page)[-1] == [4, 3, 2, 1]
    plot.push({"train/loss": series([7])}, {"x": 0}, True, family="overlay", label=EVIL)
    assert titles(page) == ["loss", "acc"]


def test_a_value_to_beat_is_a_dashed_line_in_the_metrics_colour(page: Any) -> None:
    plot = Plot(page)
    plot.push({"val/acc": series([0.5, 0.6]), "val/loss": series([1.0, 0.9])})
    before = ink(page, "#e0781a")
    beat = {"champion": {"val/acc": 0.75, "val/loss": 90.0, "other": 1.0, "val/nan": math.nan}}
    plot.state(baselines=baselines_json(beat))
    assert ink(page, "#e0781a") > before + 60
    scale = "(n) => n.map((p) => p[Symbol.for('cvtrack_magics.plot')].scales.y.max)"
    acc, loss = page.locator(".cv-plot").evaluate_all(scale)
    assert acc > 0.75
    assert loss < 2  # a line far away does not flatten the curve; its place is said in words
    labels = page.locator(".cv-plot").evaluate_all("(n) => n.map((p) => p.ariaLabel)")
    assert labels[0] == "Curves of val/acc; champion at 0.75"
    page.locator(".cv-key").first.click()
    settle(page, 80)
    assert ink(page, "#e0781a") == 0


@pytest.mark.parametrize(("name", "way"), BETTER.items())
def test_the_name_tells_what_is_better(name: str, way: str) -> None:
    assert groups.direction_of(name) == way


@pytest.mark.parametrize("metric", metric_catalog.SCHEME, ids=lambda metric: metric.name)
@pytest.mark.parametrize("split", ["", "val/", "test_"])
def test_every_metric_of_ours_has_the_direction_of_the_catalogue(
    metric: metric_catalog.Metric, split: str
) -> None:
    way = {"higher": "max", "lower": "min", "": ""}[metric.better]
    for called in ("cat", "print error", "iou loss", "best score"):
        assert groups.direction_of(split + metric.name.replace("<class>", called)) == way


def test_the_browser_knows_what_is_better_as_the_card_does(page: Any) -> None:
    names = ["train/loss", "val_acc", "mAP@0.5", "valLoss", "dice_loss", "lr", "loss_scale", "f1"]
    names += ["top1", "rmse2", "epoch", "IoU/cat", "grad_norm", "map50-95", "error_rate", "F1Score"]
    names += ["eval/AUROC", "score", "hd95", "val/", "r2", "mse", "x1acc", "maple"]
    names += ["F1_at_best_threshold", "AbsRel", "delta_1", "FPS", *BETTER]
    Plot(page).push({name: series([1, 2]) for name in names})
    page.locator(".cv-more").click()
    page.wait_for_timeout(150)
    told = page.locator(".cv-key").evaluate_all(
        "(n) => n.map((k) => [k.querySelector('.cv-name').textContent,"
        " k.querySelector('.cv-best').textContent])"
    )
    want = {"min": "best 1 @ 0", "max": "best 2 @ 1", "": ""}
    assert dict(told) == {name: want[groups.direction_of(name)] for name in names}


def test_the_best_point_has_a_ring_and_nan_never_is_best(page: Any) -> None:
    plot = Plot(page)
    values = [0.1, math.nan, 0.9, math.inf, 0.4]
    plot.push({"acc": series(values, steps=[10, 20, 30, 40, 50])})
    best = page.locator(".cv-best")
    assert best.text_content() == "best 0.9 @ 30"
    plot.push({"acc": series([0.95, 0.95], steps=[60, 70])})
    assert best.text_content() == "best 0.95 @ 60"
    plot.push({"loss": series([math.nan, math.nan])})
    assert best.nth(1).text_content() == ""


def test_a_note_is_a_line_with_a_flag_to_hover_and_to_focus(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series(range(101)), "b": series(range(101))})
    marks = [Mark(20, "lr halved", EPOCH + 10), Mark(400, "later"), Mark(80, EVIL)]
    plot.state(marks=marks_json(marks))
    flags = page.locator(".cv-panel").first.locator(".cv-flag:visible")
    assert flags.count() == 2
    note = flags.first.locator(".cv-note")
    assert note.text_content() == "step 20: lr halved"
    assert not note.is_visible()
    flags.first.hover()
    assert note.is_visible()
    page.mouse.move(0, 0)
    page.locator(".cv-plot").first.focus()
    page.keyboard.press("Tab")
    assert note.is_visible()
    assert page.locator(".cv-panel").nth(1).locator(".cv-flag[tabindex='-1']").count() == 2
    over = page.locator(".u-over").first
    over.hover(position={"x": over.bounding_box()["width"] * 0.8 + 1, "y": 90})
    assert flags.nth(1).locator(".cv-note").is_visible()
    assert page.locator(".cvtrack-plot img").count() == 0
    page.locator(".cv-toggle", has_text="time").click()
    settle(page, 80)
    assert flags.count() == 1  # the others have no time
    left = flags.first.evaluate("(n) => parseFloat(n.style.left)")
    assert abs(left / over.bounding_box()["width"] - 0.2) < 0.02


def test_the_card_keeps_notes_lines_and_other_runs(page: Any) -> None:
    history = {"val/acc": series([0.5, 0.9, 0.8])}
    beside: Any = {
        "marks": [Mark(1, "here", EPOCH + 0.5)],
        "baselines": {"champion": {"val/acc": 0.7}},
        "overlays": {"fold 1": {"val/acc": series([0.4, 0.5])}},
    }
    png = picture.curves_png(history, **beside)
    html = card.summary_bundle(summary(metrics={"val/acc": 0.8}), png, history, **beside)
    page.evaluate("import('/plot.js')")
    page.evaluate(ADD, html["text/html"])
    page.locator(".cvtrack-curves .uplot").wait_for(timeout=2000)
    settle(page, 80)
    assert page.locator(".cv-note").text_content() == "step 1: here"
    assert page.locator(".cv-name").all_text_contents() == ["val/acc", "fold 1"]
    assert page.locator(".cv-best").first.text_content() == "best 0.9 @ 1"
    assert "champion at 0.7" in str(page.locator(".cv-plot").get_attribute("aria-label"))


def test_on_a_narrow_page_nothing_sticks_out(page: Any) -> None:
    page.set_viewport_size({"width": 420, "height": 900})
    plot = Plot(page, title="a very long name " * 9)
    plot.push({"train/loss": series([3, 2]), "val/loss": series([3, 2.5])})
    plot.push({"train/loss": series([3, 2])}, family="overlay", label="another_long_name" * 9)
    plot.push({f"gpu{i}_percent": series([i]) for i in range(9)}, family="usage")
    plot.tell(kind="live", actions=["stop", "pause", "mark"])
    plot.state(
        bars=bars_json([Bar("e", "epoch_with_a_long_name" * 5, 1, 100_000, 3, 0.001)]),
        marks=marks_json([Mark(1, "word " * 80), Mark(0, "x" * 400)]),
        baselines=baselines_json({"label " * 30: {"train/loss": 2.5}}),
        control={"state": "paused", "note": "x" * 300},
    )
    page.get_by_role("button", name="Note something").click()
    page.locator(".cv-summary").click()
    page.wait_for_timeout(120)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for at in range(2):
        page.locator(".cv-flag").nth(at).hover(force=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
