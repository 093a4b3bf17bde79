"""What is served answers as it was measured: kept, refused, or said to be unproved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from cvtrack_magics import Predictions, log_predictions, mlcard, mleval, mlgate, mlmodel, mlrun
from cvtrack_magics.cli import main
from cvtrack_magics.errors import GateRefused, NotAsMeasured

NAMES = ["cat", "dog", "owl"]
RNG = np.random.default_rng(0)
RAW = RNG.integers(0, 256, (24, 5, 4, 3), np.uint8).repeat(4, 1).repeat(4, 2)
TRUTH = np.arange(24) % 3


def prepared(*more: Any) -> Any:
    return v2.Compose(
        [v2.ToImage(), v2.Resize((16, 16)), v2.ToDtype(torch.float32, scale=True), *more]
    )


PREPARE = prepared()
NORMALISED = prepared(v2.Normalize((0.5,) * 3, (0.25,) * 3))
INPUTS = torch.stack([PREPARE(picture) for picture in RAW])
X = INPUTS.numpy()


def own_square(picture: np.ndarray[Any, Any]) -> Any:
    from torch import as_tensor

    return as_tensor(picture[:16, :16].copy()).permute(2, 0, 1).float() / 255


class Head(nn.Module):
    """Some numbers of each quarter of the picture, far enough from each other."""

    def __init__(self, count: int, ending: Callable[[Any], Any] = lambda x: x) -> None:
        super().__init__()
        torch.manual_seed(count)
        self.layer = nn.Linear(48, count)
        self.ending = ending
        with torch.no_grad():
            self.layer.weight.mul_(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ending(self.layer(nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)))


class Boxes(nn.Module):
    """Q × (4 + K): a box in each quarter, centre and size in pixels, with probabilities."""

    def __init__(self, *, columns: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.scores, self.columns = nn.Linear(3, 3), columns
        self.register_buffer("centres", torch.tensor([[4.0, 4], [12, 4], [4, 12], [12, 12]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cells = nn.functional.adaptive_avg_pool2d(x, 2).flatten(2).transpose(1, 2)
        sizes = 3 + cells[..., :2] * 4
        centres = self.centres.expand_as(sizes)
        rows = torch.cat((centres, sizes, self.scores(cells * 9).sigmoid()), -1)
        return rows.transpose(1, 2) if self.columns else rows


class Planes(nn.Module):
    """A map of each class, of depths, or of what looks anomalous."""

    def __init__(self, count: int) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layer = nn.Conv2d(3, count, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Listed(nn.Module):
    """Scores and a heat map, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.planes = Planes(1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        heat = self.planes(x)[:, 0]
        return {"scores": heat.amax((1, 2)), "heat": heat}


def of(model: nn.Module, inputs: torch.Tensor = INPUTS) -> Any:
    with torch.no_grad():
        return model.eval()(inputs)


def found(model: nn.Module, *, images: Any = X) -> Predictions:
    """Return detections as a user's own loop decodes them, in pixels of the picture sent."""
    rows = of(model)
    rows = rows.transpose(1, 2) if getattr(model, "columns", False) else rows
    raw = images is RAW
    scale = torch.tensor([1.0, 1.25] * 2 if raw else [1.0] * 4)
    said = []
    for one in rows:
        centre, size, scores = one[:, :2], one[:, 2:4], one[:, 4:]
        best, labels = scores.max(-1)
        boxes = torch.cat((centre - size / 2, centre + size / 2), -1) * scale
        keep = best > 0.3
        said.append({"boxes": boxes[keep], "scores": best[keep], "labels": labels[keep]})
    truth = [{"boxes": one["boxes"][:1], "labels": one["labels"][:1]} for one in said]
    return Predictions.detection(images, truth, said, classes=NAMES)


def classes(logits: Any, images: Any = RAW, **options: Any) -> Predictions:
    return Predictions.classification(images, TRUTH, logits=logits, classes=NAMES, **options)


def masks(model: nn.Module, images: Any = X) -> Predictions:
    said = of(model).argmax(1).numpy()
    return Predictions.semantic(images, said, said, classes=NAMES)


NET, ONE = Head(3), Head(1)
DETECTOR, COLUMNS = Boxes(), Boxes(columns=True)
SEGMENTS, DEPTHS, ANOMALIES = Planes(3), Planes(1), Listed()
BATCH, PICTURE = {"example": INPUTS[:2]}, {"example": RAW[:1], "pre": PREPARE}


def two_of_one(logits: Any) -> Predictions:
    return Predictions.classification(RAW, TRUTH % 2, logits=logits, classes=["no", "yes"])


def anomalies(scores: Any, heat: Any) -> Predictions:
    return Predictions.anomaly(X, TRUTH % 2, scores, heat=heat)


def depth(maps: Any) -> Predictions:
    return Predictions.depth(X, np.abs(maps) + 1, maps)


ALIKE: dict[str, tuple[Callable[[], Predictions], nn.Module, dict[str, Any]]] = {
    "softmax": (lambda: classes(of(NET)), NET, PICTURE | {"post": "softmax"}),
    "logits": (lambda: classes(of(NET)), NET, PICTURE),
    "labels": (
        lambda: classes(of(NET)),
        NET,
        PICTURE | {"post": "softmax|labels", "labels": NAMES},
    ),
    "top": (lambda: classes(of(NET)), NET, PICTURE | {"post": "softmax|top:2", "labels": NAMES}),
    "argmax": (lambda: classes(of(NET)), NET, PICTURE | {"post": "argmax"}),
    "log-softmax": (
        lambda: classes(of(NET)),
        nn.Sequential(NET, nn.LogSoftmax(1)),
        PICTURE | {"post": "exp"},
    ),
    "batches": (lambda: classes(of(NET), X), NET, BATCH | {"post": "softmax"}),
    "one logit": (lambda: two_of_one(of(ONE)), ONE, PICTURE | {"post": "softmax"}),
    "one logit as it is": (lambda: two_of_one(of(ONE)), ONE, PICTURE),
    "a function before": (
        lambda: classes(of(NET, torch.stack([own_square(p) for p in RAW]))),
        NET,
        {"example": RAW[:1], "pre": own_square, "post": "softmax"},
    ),
    "rows": (lambda: found(DETECTOR), DETECTOR, BATCH | {"post": "boxes:cxcywh", "labels": NAMES}),
    "columns": (
        lambda: found(COLUMNS),
        COLUMNS,
        BATCH | {"post": "boxes:cxcywh", "labels": NAMES},
    ),
    "placed back": (
        lambda: found(DETECTOR, images=RAW),
        DETECTOR,
        PICTURE | {"post": "boxes:cxcywh|score:0.3", "labels": NAMES},
    ),
    "masks": (lambda: masks(SEGMENTS), SEGMENTS, BATCH | {"post": "argmax"}),
    "mask logits": (lambda: masks(SEGMENTS), SEGMENTS, BATCH),
    "depth": (lambda: depth(of(DEPTHS)[:, 0].numpy()), DEPTHS, BATCH),
    "anomaly": (lambda: anomalies(*of(ANOMALIES).values()), ANOMALIES, BATCH),
}


def scaled(model: nn.Module, factor: float) -> nn.Module:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.factor = model, factor

        def forward(self, x: torch.Tensor) -> Any:
            return self.model(x * self.factor)

    return Scaled()


OTHER: dict[str, tuple[Callable[[], Predictions], nn.Module, dict[str, Any], str]] = {
    "normalised otherwise": (
        lambda: classes(of(NET)),
        NET,
        {"example": RAW[:1], "pre": NORMALISED, "post": "softmax"},
        "was measured",
    ),
    "red for blue": (
        lambda: classes(of(NET, INPUTS.flip(1))),
        NET,
        PICTURE | {"post": "softmax"},
        "was measured",
    ),
    "names in another order": (
        lambda: classes(of(NET)),
        NET,
        PICTURE | {"post": "softmax|labels", "labels": [*NAMES[1:], NAMES[0]]},
        "is served",
    ),
    "another network": (lambda: classes(of(NET)), scaled(NET, 2.0), PICTURE, "was measured"),
    "probabilities of another temperature": (
        lambda: classes(of(NET) * 0.01),
        NET,
        PICTURE | {"post": "softmax"},
        "was measured",
    ),
    "one logit taken for the other class": (
        lambda: two_of_one(-of(ONE)),
        ONE,
        PICTURE | {"post": "softmax"},
        "was measured",
    ),
    "corners taken for centres": (
        lambda: found(DETECTOR),
        DETECTOR,
        BATCH | {"post": "boxes:xywh", "labels": NAMES},
        "is not served; the nearest is",
    ),
    "names of boxes in another order": (
        lambda: found(DETECTOR),
        DETECTOR,
        BATCH | {"post": "boxes:cxcywh", "labels": [*NAMES[1:], NAMES[0]]},
        "is not served",
    ),
    "boxes of another network": (
        lambda: found(DETECTOR),
        scaled(DETECTOR, 0.3),
        BATCH | {"post": "boxes:cxcywh", "labels": NAMES},
        "served",
    ),
    "masks of other classes": (
        lambda: masks(SEGMENTS),
        scaled(SEGMENTS, -1.0),
        BATCH | {"post": "argmax"},
        "of the pixels",
    ),
    "depth in another unit": (
        lambda: depth(of(DEPTHS)[:, 0].numpy() * 1.01),
        DEPTHS,
        BATCH,
        "the depth is served as",
    ),
    "scores of another scale": (
        lambda: anomalies(of(ANOMALIES)["scores"] * 1.01, None),
        ANOMALIES,
        BATCH,
        "the score is served as",
    ),
    "heat of another scale": (
        lambda: anomalies(of(ANOMALIES)["scores"], of(ANOMALIES)["heat"] * 1.01),
        ANOMALIES,
        BATCH,
        "the heat map is served as",
    ),
}

LACKING: dict[str, tuple[Callable[[], Predictions | None], nn.Module, dict[str, Any], str]] = {
    "nothing measured": (lambda: None, NET, PICTURE, "no predictions to compare with"),
    "no pictures": (lambda: classes(of(NET), None), NET, PICTURE, "not at hand"),
    "pixels of others": (
        lambda: classes(of(NET), classes(of(NET)).pixels),
        NET,
        PICTURE,
        "not at hand",
    ),
    "prepared before": (lambda: classes(of(NET), X), NET, PICTURE, "takes raw pictures"),
    "pictures for a network": (lambda: classes(of(NET)), NET, BATCH, "this model takes float32"),
    "masks of another size": (
        lambda: Predictions.semantic(RAW, *[np.zeros((24, 20, 16), int)] * 2, classes=NAMES),
        SEGMENTS,
        PICTURE | {"post": "argmax"},
        "16×16, 20×16 was measured",
    ),
    "rows as they are": (lambda: found(DETECTOR), DETECTOR, BATCH, "no boxes, scores and labels"),
}


def register(model: nn.Module, about: dict[str, Any], **options: Any) -> Any:
    about = dict(about)
    return mlmodel(model, about.pop("example"), register="m", **about, **options)


def measure(predictions: Predictions | None, prefix: str = "test") -> None:
    if predictions is not None:
        mleval(predictions, prefix=prefix, figures=False, resamples=0)


def tags(version: str = "1") -> dict[str, str]:
    from mlflow import MlflowClient

    return dict(MlflowClient().get_model_version("m", version).tags)


@pytest.mark.parametrize("name", ALIKE)
def test_an_answer_as_it_was_measured_is_proved(name: str, store: str, script: None) -> None:
    make, model, about = ALIKE[name]
    with mlrun("a", plot=False, code=False):
        measure(make())
        said = repr(register(model, about))
    assert "answers 8 samples of %mleval test as they were measured" in said
    assert tags()["cvtrack.proved"].startswith("8 samples of %mleval test, largest difference ")
    assert "cvtrack.unproved" not in tags()


@pytest.mark.parametrize("name", OTHER)
def test_another_answer_is_not_registered(name: str, store: str, script: None) -> None:
    make, model, about, how = OTHER[name]
    with mlrun("a", plot=False, code=False):
        measure(make())
        with pytest.raises(NotAsMeasured, match="%mleval test: sample ") as refused:
            register(model, about)
        assert how in str(refused.value)
        assert "--force" in str(refused.value)
        assert len(refused.value._render_traceback_()) == 1
        said = repr(register(model, about, force=True))
    assert "Unproved: %mleval test: sample" in said
    assert how in tags()["cvtrack.unproved"]
    assert "cvtrack.proved" not in tags()


@pytest.mark.parametrize("name", LACKING)
def test_what_cannot_be_compared_is_registered_as_unproved(
    name: str, store: str, script: None
) -> None:
    make, model, about, why = LACKING[name]
    with mlrun("a", plot=False, code=False):
        measure(make())
        said = repr(register(model, about))
    assert "Unproved: " in said
    assert why in tags()["cvtrack.unproved"]
    assert "cvtrack.proved" not in tags()


def loader(**options: Any) -> Any:
    pairs = torch.utils.data.TensorDataset(INPUTS, torch.as_tensor(TRUTH))
    return torch.utils.data.DataLoader(pairs, batch_size=5, **options)


def collected(model: nn.Module) -> Predictions:
    return Predictions.collect(model, loader(shuffle=True), "classification", classes=NAMES)


def test_a_model_that_was_run_over_a_loader_is_known(store: str, script: None) -> None:
    """Another one, and one that was trained on, are told from one that is served wrong."""
    mine, other = Head(3), Head(3)
    with torch.no_grad():
        other.layer.weight.mul_(-1)
    about = BATCH | {"post": "softmax"}
    with mlrun("a", plot=False, code=False):
        measure(collected(mine))
        register(mine, about)
        register(other, about)
        with torch.no_grad():
            mine.layer.weight.mul_(-1)
        register(mine, about)
        measure(collected(mine))
        register(torch.compile(mine, backend="eager"), about)
        with pytest.raises(NotAsMeasured):
            register(mine, BATCH | {"post": "softmax|labels", "labels": [*NAMES[1:], NAMES[0]]})
    assert "8 samples" in tags("1")["cvtrack.proved"]
    assert "the model that was measured is another object" in tags("2")["cvtrack.unproved"]
    assert "weights were changed after it was measured" in tags("3")["cvtrack.unproved"]
    assert "8 samples" in tags("4")["cvtrack.proved"]


def test_what_is_logged_in_a_loop_proves_as_well(store: str, script: None) -> None:
    with mlrun("a", plot=False, code=False):
        for factor in (0.5, 1.0):
            log_predictions(classes(of(NET) * factor))
        said = repr(register(NET, PICTURE | {"post": "softmax"}))
        assert "of log_predictions 'predictions'" in said
        log_predictions(classes(of(NET) * 0.01))
        with pytest.raises(NotAsMeasured, match="log_predictions 'predictions': sample"):
            register(NET, PICTURE)
        measure(classes(of(NET)))
        register(NET, PICTURE)
    register(NET, PICTURE, run="a")
    assert "%mleval test" in tags("2")["cvtrack.proved"]
    assert "%mleval test" in tags("3")["cvtrack.proved"]


def test_a_run_does_not_prove_another_ones_model(store: str, script: None) -> None:
    with mlrun("a", plot=False, code=False):
        measure(classes(of(NET)))
    with mlrun("b", plot=False, code=False):
        register(NET, PICTURE)
    assert "no predictions to compare with" in tags()["cvtrack.unproved"]


def test_the_gate_refuses_what_is_unproved_unless_told(
    store: str, script: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mlrun("a", plot=False, code=False):
        register(NET, PICTURE)
        measure(classes(of(NET)))
    rule = "test/top1_acc >= 0"
    with pytest.raises(GateRefused, match="unproved: the run has no predictions"):
        mlgate("m", require=[rule], promote=True)
    assert main(["gate", "m", "--require", rule]) == 1
    assert "as measured, or --unproved" in capsys.readouterr().out
    file = tmp_path / "gate.yaml"
    text = f"model: m\nrequire:\n  - {rule}\nunproved: "
    for answer, code in (("true", 0), ("false", 1), ("perhaps", 2)):
        file.write_text(f"{text}{answer}\n", "utf-8")
        assert main(["gate", "--file", str(file)]) == code
    assert "line 4: 'perhaps' is neither true nor false" in capsys.readouterr().err
    assert main(["gate", "m", "--require", rule, "--unproved"]) == 0
    assert mlgate("m", require=[rule], unproved=True, promote=True).result.passed
    assert "**unproved**: the run has no predictions" in mlcard("m").markdown
    register(NET, PICTURE, run="a")
    assert mlgate("m", require=[rule]).result.passed
    assert "as measured: 8 samples of %mleval test" in mlcard("m").markdown
    from mlflow import MlflowClient

    MlflowClient().delete_model_version_tag("m", "2", "cvtrack.proved")
    # of what others registered, and of versions of before, nothing is known
    assert mlgate("m", require=[rule]).result.passed
