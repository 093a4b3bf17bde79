"""What the viewer shows is what %mleval says: the same figure, under a name that says which one."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.display.page import _BUNDLE, page_html
from cvtrack_magics.display.text import number, numbers
from cvtrack_magics.display.viewer.build import Frame, build_sheet
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.evaluation import Evaluation
from tests.display.pages import needs_chromium
from tests.lab import chromium
from tests.vision.measure.make import pose_files, posed, turned, turned_boxes

pytestmark = [pytest.mark.lab, *needs_chromium]

SETS = 48
NAMES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")
SHAPE = (12, 16)

# One page stays open; each set is put into it as a page of its own would begin.
FEED = """async ([sheet, packs, bundle]) => {
  document.head.querySelectorAll("style").forEach((one) => one.remove());
  const body = document.body;
  body.replaceChildren();
  const add = (name, fields, text) => {
    const node = Object.assign(document.createElement(name), fields);
    node.textContent = text;
    body.append(node);
    return node;
  };
  add("div", { id: "grid" }, "");
  add("script", { type: "application/json", id: "sheet" }, sheet);
  packs.forEach((pack, at) => {
    add("script", { type: "text/plain" }, pack).dataset.pack = String(at);
  });
  add("script", {}, bundle);
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  for (let at = 0; at < 300; at += 1) {
    await frame();
    const panel = document.querySelector(".panel");
    if (panel && panel.childElementCount) break;
  }
  await frame();
}"""
READ = """() => {
  const texts = (css) => [...document.querySelectorAll(css)].map((one) => one.textContent);
  const names = texts(".figures dt"), values = texts(".figures dd");
  const bars = [...document.querySelectorAll(".bar")].map(
    (one) => [one.querySelector(".bar-name").textContent, one.querySelector("b").textContent]);
  return {
    figures: Object.fromEntries(names.map((name, at) => [name, values[at]])),
    bars: Object.fromEntries(bars),
    area: texts(".area")[0] ?? "",
    cells: Object.fromEntries([...document.querySelectorAll("[data-cell]")].map(
      (one) => [one.dataset.cell, Number(one.getAttribute("aria-label").split(": ").pop())])),
    tiles: Object.fromEntries([...document.querySelectorAll(".tile[data-sample]")].map(
      (one) => [one.dataset.sample, [one.getAttribute("aria-label"), one.className]])),
  };
}"""
CHOOSE = """async ([label, option]) => {
  const found = [...document.querySelectorAll("select")].find(
    (one) => one.getAttribute("aria-label") === label);
  found.value = [...found.options].find((one) => one.textContent === option).value;
  found.dispatchEvent(new Event("change", { bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}"""


class Opened:
    """The viewer with a set in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.bundle = _BUNDLE.read_text(encoding="utf-8")
        empty = build_sheet([Frame(classes(np.random.default_rng(0), 3, np.float32))], limit=10**6)
        page.set_content(page_html(empty.document, empty.packs))

    def show(self, predictions: Predictions, threshold: float | None, iou: float) -> None:
        settings = {} if threshold is None else {"threshold": threshold}
        sheet = build_sheet([Frame(predictions, iou=iou)], limit=10**7, settings=settings)
        packs = [base64.b64encode(pack).decode() for pack in sheet.packs]
        self.page.evaluate(FEED, [json.dumps(sheet.document), packs, self.bundle])

    def read(self) -> dict[str, Any]:
        return dict(self.page.evaluate(READ))

    def choose(self, label: str, option: str) -> None:
        self.page.evaluate(CHOOSE, [label, option])


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with chromium() as browser:
        yield Opened(browser.new_page(viewport={"width": 1280, "height": 800}))


# -- sets


def pictures(count: int) -> Any:
    return np.zeros((count, *SHAPE, 3), np.uint8)


def coarse(rng: Any, values: Any, kind: Any) -> Any:
    """Return values of which half are tenths: many are equal, and some lie on a threshold."""
    values = np.asarray(values, np.float64)
    rounded = np.round(values, 1)
    return np.where(rng.random(values.shape) < 0.5, rounded, values).astype(kind)


def classes(rng: Any, count: int, kind: Any) -> Predictions:
    size = int(rng.integers(12, 40))
    truth = rng.integers(0, max(2, count - 1), size)  # often a class has no sample
    table = rng.random((size, count)) + 0.6 * np.eye(count)[truth]
    table /= table.sum(axis=1, keepdims=True)
    if count == 2:
        table[:, 1] = coarse(rng, table[:, 1], np.float64)
        table[:, 0] = 1 - table[:, 1]
        table[:3] = 0.5
    table = table.astype(kind)
    if rng.random() < 0.4:
        table[-2:] = np.nan
    truth[3] = -1
    return Predictions.classification(
        pictures(size), truth, probabilities=table, classes=NAMES[:count]
    )


def some_boxes(rng: Any, count: int, kind: Any) -> Any:
    low = rng.integers(0, 9, (count, 2))
    return np.concatenate((low, low + rng.integers(2, 6, (count, 2))), axis=1).astype(kind)


def masks_of(boxes: Any) -> Any:
    masks = np.zeros((len(boxes), *SHAPE), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = True
        mask[top, left] = False
    return masks


def objects(rng: Any, kind: Any, instance: bool) -> Predictions:
    truths, found = [], []
    for _ in range(int(rng.integers(4, 12))):
        true = some_boxes(rng, int(rng.integers(0, 6)), kind)
        labels = rng.integers(0, 3, len(true))
        moved = np.clip(true + rng.integers(-1, 2, true.shape), 0, 15)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        moved[:, 3] = np.minimum(moved[:, 3], 12)
        moved[:, 1] = np.minimum(moved[:, 1], 11)
        many = 120 if rng.random() < 0.05 else 4  # COCO looks at the first 100 of a class
        extra = some_boxes(rng, int(rng.integers(0, many)), kind)
        said = np.concatenate((moved, moved[:1], extra)).astype(kind)
        named = np.concatenate(
            (labels, labels[:1], rng.integers(0, 4 if many == 4 else 1, len(extra)))
        )
        truths.append({"boxes": true, "labels": labels})
        scores = coarse(rng, rng.random(len(said)), kind)
        scores[rng.random(len(said)) < 0.05] = np.nan
        found.append({"boxes": said, "labels": named, "scores": scores})
        if not instance:
            truths[-1]["iscrowd"] = rng.random(len(true)) < 0.15
            truths[-1]["ignore"] = rng.random(len(true)) < 0.15
    if instance:
        for one in (*truths, *found):
            one["masks"] = masks_of(one["boxes"])
    make = Predictions.instance if instance else Predictions.detection
    return make(pictures(len(truths)), truths, found, classes=NAMES[:4], box_format="xyxy")


def labels(rng: Any) -> Predictions:
    size = int(rng.integers(3, 8))
    truth = rng.integers(0, 4, (size, *SHAPE))
    truth[truth == 3] = 255
    logits = rng.random((size, 5, *SHAPE)) + 0.5 * np.moveaxis(np.eye(5)[truth % 5], -1, 1)
    logits[:, 4] -= 1  # a class that nobody predicts
    if rng.random() < 0.5:
        logits[0, :, :2] = np.nan
    return Predictions.semantic(pictures(size), truth, logits=logits, classes=NAMES[:5], ignore=255)


def anomalies(rng: Any, kind: Any) -> Predictions:
    size = int(rng.integers(8, 40))
    truth = rng.integers(0, 2, size)
    truth[:2] = 0, 1
    if rng.random() < 0.2:
        truth[:] = 0
    scores = coarse(rng, np.clip(0.4 * truth + 0.7 * rng.random(size), 0, 1), kind)
    scores[rng.random(size) < 0.05] = np.nan
    scores[rng.random(size) < 0.05] = np.inf
    return Predictions.anomaly(pictures(size), truth, scores)


def label_sets(rng: Any, kind: Any) -> Predictions:
    size, count = int(rng.integers(8, 40)), int(rng.integers(1, 7))
    truth = (rng.random((size, count)) < rng.uniform(0, 0.6, count)).astype(int)
    truth[rng.random(truth.shape) < 0.05] = -1
    truth[0] = -1  # of which nothing is known
    truth[1] = 1
    scores = coarse(rng, np.clip(0.4 * (truth == 1) + 0.65 * rng.random(truth.shape), 0, 1), kind)
    scores[rng.random(truth.shape) < 0.03] = np.nan
    return Predictions.multilabel(
        pictures(size), truth, probabilities=scores, classes=NAMES[:count]
    )


def made(at: int) -> tuple[Predictions, float | None]:
    """Return a set and the threshold that somebody asked for."""
    rng = np.random.default_rng(at)
    kind = (np.float32, np.float64)[at // 6 % 2]
    threshold = (None, 0.7, None, 0.5)[at // 12 % 4]
    make = (
        lambda: classes(rng, 2, kind),
        lambda: classes(rng, int(rng.integers(3, 8)), kind),
        lambda: objects(rng, kind, False),
        lambda: objects(rng, kind, True),
        lambda: labels(rng),
        lambda: anomalies(rng, kind),
    )[at % 6]
    predictions = make()
    # Of more than two classes, and of pixels, a threshold decides nothing.
    return predictions, threshold if at % 6 not in (1, 4) else None


# -- what is expected


def written(value: float) -> str:
    return number(float(value)) if math.isfinite(value) else "–"


def column(values: dict[str, float]) -> dict[str, str]:
    texts = numbers([None if math.isnan(value) else value for value in values.values()])
    return {name: text or "–" for name, text in zip(values, texts, strict=True)}


COUNTS = {"Precision": "precision", "Recall": "recall", "F1": "F1"}
FIGURES = {
    "classification": {
        "Accuracy": "top1_acc",
        "Macro precision": "precision",
        "Macro recall": "recall",
        "Macro F1": "macro_f1",
    },
    "detection": {"mAP50": "mAP50", **COUNTS},
    "instance": {"Mask mAP50": "mask_AP50", **COUNTS},
    "keypoints": {"Keypoint AP50": "keypoint_AP50", **COUNTS},
    "oriented": {"mAP50": "mAP50", **COUNTS},
    "anomaly": COUNTS,
    "multilabel": {
        "mAP": "mAP",
        "Exact match": "subset_acc",
        "Macro precision": "precision",
        "Macro recall": "recall",
        "Macro F1": "macro_f1",
        "Micro F1": "micro_f1",
    },
    "semantic": {"mIoU": "mIoU", "Pixel accuracy": "pixel_acc", "Mean Dice": "mean_dice"},
}


def differences(
    opened: Opened, predictions: Predictions, threshold: float | None, iou: float = 0.5
) -> list[str]:
    found = measure(predictions, threshold=threshold, iou=iou, resamples=0)
    opened.show(predictions, threshold, iou)
    seen = opened.read()
    wrong = []

    def expect(what: str, shown: Any, wanted: Any) -> None:
        if shown != wanted:
            wrong.append(f"{what}: the viewer has {shown}, %mleval {wanted}")

    for name, metric in FIGURES[found.task].items():
        expect(name, seen["figures"].get(name), written(found.metrics[metric]))
    if found.task in ("detection", "instance", "keypoints", "oriented"):
        outcomes(seen, found, expect)
        name = "OKS from" if found.task == "keypoints" else "IoU from"
        said = seen["figures"].get(name)
        expect(name, said, None if iou == 0.5 else written(iou))
    curves(opened, found, expect)
    if found.task != "anomaly":
        bars(opened, found, expect)
    return wrong


def outcomes(seen: dict[str, Any], found: Evaluation, expect: Any) -> None:
    """Compare the counts and the colour of each picture, and who was taken for whom."""
    columns = {name.upper(): found.samples[name] for name in ("tp", "fp", "fn")}
    for name, values in columns.items():
        expect(name, seen["figures"].get(name), str(int(values.sum())))
    expect("pictures", len(seen["tiles"]), len(found.samples["id"]))
    for at, correct in enumerate(found.samples["correct"]):
        counts = {name: int(values[at]) for name, values in columns.items()}
        words = [f"{count} {name}" for name, count in counts.items() if count or name == "TP"]
        wanted = f"{' · '.join(words)}, {'right' if correct else 'wrong'}"
        label, names = seen["tiles"].get(str(at), ("", ""))
        expect(f"picture {at}", label.partition(", ")[2], wanted)
        expect(f"colour of picture {at}", "wrong" in names.split(), not correct)
    cells = {f"{row},{column}": int(n) for (row, column), n in np.ndenumerate(found.confusion) if n}
    expect("confusion", seen["cells"], cells)


def curves(opened: Opened, found: Evaluation, expect: Any) -> None:
    for curve in found.curves:
        if curve.kind == "reliability":
            continue
        several = found.task == "multilabel"
        if found.task == "anomaly" or (len(found.classes) == 2 and not several):
            opened.choose("Curve", curve.kind.upper())
        else:
            opened.choose("Curve of", curve.name)
        name = "AUROC" if curve.kind == "roc" else "AP"
        expect(
            f"{curve.kind} of {curve.name}", opened.read()["area"], f"{name} {written(curve.area)}"
        )


def bars(opened: Opened, found: Evaluation, expect: Any) -> None:
    names = {"IoU": "IoU", "f1": "F1", "precision": "precision", "recall": "recall"}
    names |= {"AP50": "AP", "AP": "AP"}
    for figure, values in found.per_class.items():
        if figure not in names:
            continue
        if found.task != "semantic":
            opened.choose("Bars show", names[figure])
        wanted = column(dict(zip(found.classes, map(float, values), strict=True)))
        expect(figure, opened.read()["bars"], wanted)


def test_48_random_sets_have_the_figures_of_mleval(opened: Opened) -> None:
    wrong = {at: differences(opened, *made(at)) for at in range(SETS)}
    assert {at: found for at, found in wrong.items() if found} == {}


def test_16_random_sets_of_several_labels_have_the_figures_of_mleval(opened: Opened) -> None:
    wrong = {}
    for at in range(16):
        rng = np.random.default_rng(1000 + at)
        predictions = label_sets(rng, (np.float32, np.float64)[at % 2])
        threshold = (None, 0.7, 0.3)[at % 3]
        wrong[at] = differences(opened, predictions, threshold)
        found = measure(predictions, threshold=threshold, resamples=0)
        opened.show(predictions, threshold, 0.5)
        seen = opened.read()
        for name in ("tp", "fp", "fn"):
            shown, wanted = seen["figures"].get(name.upper()), str(int(found.samples[name].sum()))
            wrong[at] += [] if shown == wanted else [f"{name}: {shown}, {wanted}"]
        right = dict(zip(map(str, found.samples["id"]), found.samples["correct"], strict=True))
        for place, (_, names) in seen["tiles"].items():
            verdict = right.get(predictions.ids[int(place)])
            if ("wrong" in names.split()) != (verdict is not None and not verdict):
                wrong[at].append(f"colour of picture {place}")
    assert {at: found for at, found in wrong.items() if found} == {}


def test_16_random_sets_of_key_points_have_the_figures_of_mleval(opened: Opened) -> None:
    wrong = {}
    for at in range(16):
        made = pose_files(
            at, images=6, most=6, classes=3 + at % 3, crowd=at % 2 == 0, ties=at % 4 == 0
        )
        images = (
            np.full((6, 128, 128, 3), 40, np.uint8)
            + np.arange(6, dtype=np.uint8)[:, None, None, None]
        )
        predictions = posed(made, images, ids=range(6))
        threshold, overlap = ((None, 0.5), (0.7, 0.5), (None, 0.75), (0.3, 0.3))[at % 4]
        wrong[at] = differences(opened, predictions, threshold, overlap)
    assert {at: found for at, found in wrong.items() if found} == {}


def test_16_random_sets_of_turned_boxes_have_the_figures_of_mleval(opened: Opened) -> None:
    wrong = {}
    for at in range(16):
        made = turned_boxes(at, images=6, classes=3 + at % 3, ties=at % 4 == 0)
        made[0][0]["labels"][:1], made[1][0]["labels"][:1] = 2, 2  # at least three classes
        images = np.stack([np.full((128, 128, 3), 40 + shade, np.uint8) for shade in range(6)])
        predictions = turned(made, images, ids=range(6))
        threshold, overlap = ((None, 0.5), (0.7, 0.5), (None, 0.75), (0.3, 0.3))[at % 4]
        wrong[at] = differences(opened, predictions, threshold, overlap)
    assert {at: found for at, found in wrong.items() if found} == {}


@pytest.mark.parametrize("iou", [0.3, 0.75, 1.0])
def test_objects_are_found_from_the_same_overlap_on(opened: Opened, iou: float) -> None:
    sets = [at for at in range(SETS) if at % 6 in (2, 3)]
    wrong = {at: differences(opened, *made(at), iou) for at in sets}
    assert {at: found for at, found in wrong.items() if found} == {}
