"""A model run over a loader."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.predictions import Predictions


def loader(count: int = 10, batch: int = 4) -> Any:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, 8, 8, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(count) % 3), batch)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 3))


def test_all_samples_in_order_with_time_and_the_model_as_before() -> None:
    net = model().train()
    net[1].eval()
    seen: list[tuple[int, int]] = []
    found = Predictions.collect(
        net,
        loader(),
        "classification",
        classes=["a", "b", "c"],
        progress=lambda *at: seen.append(at),
    )
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(x) for x, _ in loader()])
    np.testing.assert_allclose(found.labels.probabilities, logits.softmax(1), rtol=1e-5)
    assert found.labels.truth.tolist() == [at % 3 for at in range(10)]
    assert found.ids == tuple(map(str, range(10)))
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert found.seconds > 0
    assert len(Predictions.collect(net, loader(), "classification", limit=5)) == 5
    net.train()
    net[1].eval()
    Predictions.collect(net, loader(), "classification")
    assert [module.training for module in net] == [True, False, True]


def test_ids_and_names_of_all_samples_are_dealt_out() -> None:
    names = [f"{at}.png" for at in range(10)]
    found = Predictions.collect(model(), loader(), "classification", names=names, ids=names[::-1])
    assert found.names == tuple(names)
    assert found.ids == tuple(names[::-1])


def test_detections_and_maps() -> None:
    images = [torch.rand(3, 16, 16), torch.rand(3, 12, 16)]
    truth = [{"boxes": torch.tensor([[1.0, 1, 9, 9]]), "labels": torch.tensor([0])}] * 2

    def detector(batch: list[Any]) -> list[Any]:
        return [{**truth[0], "scores": torch.tensor([0.9])} for _ in batch]

    found = Predictions.collect(detector, [(images, truth)], "detection", classes=["a"])
    assert found.boxes.prediction.xyxy.tolist() == [[1, 1, 9, 9]] * 2
    planes = torch.rand(2, 3, 8, 8)
    with_out = Predictions.collect(
        lambda x: {"out": planes}, [(torch.rand(2, 3, 8, 8), planes.argmax(1))], "semantic"
    )
    assert (with_out.segments.truth[0] == with_out.segments.prediction[0]).all()
    scored = Predictions.collect(
        lambda x: {"scores": x.mean((1, 2, 3)), "heat": x.mean(1)},
        [(torch.rand(2, 3, 8, 8), torch.tensor([0, 1]))],
        "anomaly",
    )
    assert scored.anomalies.heat is not None
    assert scored.classes == ("normal", "anomalous")
    deep = Predictions.collect(
        lambda x: x.mean(1), [(torch.rand(2, 3, 8, 8), torch.rand(2, 8, 8))], "depth"
    )
    assert len(deep) == 2


def test_what_cannot_be_collected_is_one_line() -> None:
    for batches, task, said in (
        ([], "classification", "gave no batch"),
        ([torch.rand(2, 3, 8, 8)], "classification", "batches of (images, truth)"),
        (loader(), "classify", "is none of"),
    ):
        with pytest.raises(UsageProblem) as error:
            Predictions.collect(model(), batches, task)
        assert said in str(error.value)
    with pytest.raises(UsageProblem, match="saw no tensor"):
        Predictions.collect(lambda x: {"boxes": 1}, loader(), "classification")
