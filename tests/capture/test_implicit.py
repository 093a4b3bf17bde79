"""Hyper-parameters read off real torch objects."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn, optim
from torch.utils.data import DataLoader, Subset, TensorDataset, WeightedRandomSampler
from torchvision import transforms as v1
from torchvision.transforms import v2

from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.records import Param, Tag


def flat(value: object, prefix: str = "") -> dict[str, str]:
    records = describe_params(value, prefix)
    return {record.key: record.value for record in records if isinstance(record, Param)}


def backbone(model: nn.Module) -> str:
    (tag,) = (record for record in describe_params(model) if isinstance(record, Tag))
    assert tag.key == "backbone"
    return tag.value


@pytest.fixture
def model() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.25), nn.Linear(3, 2))


def test_optimizers(model: nn.Module) -> None:
    adam = flat(optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05))
    assert adam["optimizer"] == "AdamW"
    assert adam["lr"] == "0.0001"
    assert adam["weight_decay"] == "0.05"
    assert adam["betas"] == "[0.9, 0.999]"
    assert adam["eps"] == "1e-08"
    sgd = flat(optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True), "gen")
    assert sgd["gen.optimizer"] == "SGD"
    assert sgd["gen.momentum"] == "0.9"
    assert sgd["gen.nesterov"] == "True"


def test_only_differences_between_groups(model: nn.Module) -> None:
    groups = [
        {"params": model[0].parameters()},
        {"params": model[2].parameters(), "lr": 1e-5},
    ]
    found = flat(optim.SGD(groups, lr=0.1, momentum=0.9))
    assert found["lr"] == "0.1"
    assert found["optimizer.groups"] == "2"
    assert found["optimizer.group1.lr"] == "1e-05"
    assert "optimizer.group1.momentum" not in found


def test_lr_is_the_one_that_was_set(model: nn.Module) -> None:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.1)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
    assert flat(optimizer)["lr"] == "0.1"


def test_tensor_lr(model: nn.Module) -> None:
    assert flat(optim.SGD(model.parameters(), lr=torch.tensor(0.5)))["lr"] == "0.5"


def test_schedulers(model: nn.Module) -> None:
    s = optim.lr_scheduler

    def new() -> optim.Optimizer:
        return optim.SGD(model.parameters(), lr=0.1)

    assert flat(s.CosineAnnealingLR(new(), T_max=50, eta_min=1e-6)) == {
        "lr_scheduler": "CosineAnnealingLR",
        "lr_scheduler.T_max": "50",
        "lr_scheduler.eta_min": "1e-06",
    }
    step = flat(s.StepLR(new(), step_size=30, gamma=0.2))
    assert (step["lr_scheduler.step_size"], step["lr_scheduler.gamma"]) == ("30", "0.2")
    assert flat(s.MultiStepLR(new(), [3, 7]))["lr_scheduler.milestones"] == "[3, 7]"
    plateau = flat(s.ReduceLROnPlateau(new(), factor=0.5, patience=4))
    assert plateau["lr_scheduler"] == "ReduceLROnPlateau"
    assert (plateau["lr_scheduler.factor"], plateau["lr_scheduler.patience"]) == ("0.5", "4")
    assert flat(s.LambdaLR(new(), lambda epoch: 0.9**epoch))["lr_scheduler"] == "LambdaLR"


def test_scheduler_settings_do_not_move_with_training(model: nn.Module) -> None:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for scheduler in (
        optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=3),
        optim.lr_scheduler.StepLR(optimizer, 5),
    ):
        before = flat(scheduler)
        optimizer.step()
        scheduler.step()
        scheduler.step()
        assert flat(scheduler) == before


def test_chained_schedulers(model: nn.Module) -> None:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    warm = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    decay = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    found = flat(optim.lr_scheduler.SequentialLR(optimizer, [warm, decay], milestones=[5]))
    assert found["lr_scheduler"] == "SequentialLR"
    assert found["lr_scheduler.milestones"] == "[5]"
    assert found["lr_scheduler.0"] == "LinearLR"
    assert found["lr_scheduler.0.total_iters"] == "5"
    assert found["lr_scheduler.1"] == "ExponentialLR"
    assert found["lr_scheduler.1.gamma"] == "0.9"


def test_loader() -> None:
    data = TensorDataset(torch.zeros(10, 3))
    generator = torch.Generator().manual_seed(7)
    found = flat(DataLoader(data, batch_size=4, shuffle=True, drop_last=True, generator=generator))
    assert found == {
        "batch_size": "4",
        "num_workers": "0",
        "shuffle": "True",
        "sampler": "RandomSampler",
        "drop_last": "True",
        "loader_seed": "7",
        "dataset": "TensorDataset",
        "dataset.length": "10",
    }
    plain = flat(DataLoader(Subset(data, [1, 2])))
    assert plain["shuffle"] == "False"
    assert plain["dataset.length"] == "2"
    weighted = flat(DataLoader(data, sampler=WeightedRandomSampler([1.0] * 10, 5)))
    assert weighted["sampler"] == "WeightedRandomSampler"


def test_loader_with_its_own_batches() -> None:
    data = TensorDataset(torch.zeros(10, 3))
    sampler = torch.utils.data.BatchSampler(
        torch.utils.data.RandomSampler(data), batch_size=3, drop_last=True
    )
    found = flat(DataLoader(data, batch_sampler=sampler))
    assert found["batch_size"] == "3"
    assert found["drop_last"] == "True"
    assert found["shuffle"] == "True"


def test_model_counts(model: nn.Module) -> None:
    model[0].requires_grad_(False)
    found = flat(model)
    total = sum(p.numel() for p in model.parameters())
    frozen = sum(p.numel() for p in model[0].parameters())
    assert found["model"] == "Sequential"
    assert found["model.parameters"] == str(total)
    assert found["model.trainable"] == str(total - frozen)
    assert float(found["model.frozen_share"]) == pytest.approx(frozen / total, abs=1e-4)
    assert found["model.dropout"] == "0.25"


def test_lazy_and_wrapped_models(model: nn.Module) -> None:
    assert flat(nn.Sequential(nn.LazyLinear(3)))["model.uninitialized"] == "2"
    assert flat(torch.compile(torchvision.models.resnet18()))["model"] == "ResNet"
    assert flat(nn.DataParallel(model)) == flat(model)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", "ResNet18"),
        ("resnet50", "ResNet50"),
        ("wide_resnet50_2", "WideResNet50-2"),
        ("resnext50_32x4d", "ResNeXt50-32x4d"),
        ("mobilenet_v3_small", "MobileNetV3"),
    ],
)
def test_backbone(name: str, expected: str) -> None:
    with torch.device("meta"):
        assert backbone(torchvision.models.get_model(name, weights=None)) == expected


def test_backbone_of_a_segmenter() -> None:
    class Segmenter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = torchvision.models.resnet18()
            self.head = nn.Conv2d(512, 2, 1)

    assert backbone(Segmenter()) == "ResNet18"


def test_loss_is_not_a_model() -> None:
    found = flat(nn.CrossEntropyLoss(label_smoothing=0.1))
    assert found["loss"] == "CrossEntropyLoss"
    assert found["loss.label_smoothing"] == "0.1"
    assert "model" not in found


def test_amp() -> None:
    assert flat(torch.amp.GradScaler("cpu", init_scale=1024.0))["amp.init_scale"] == "1024.0"
    assert flat(torch.amp.GradScaler("cpu", enabled=False)) == {"amp": "False"}
    found = flat(torch.autocast("cpu", dtype=torch.bfloat16))
    assert (found["amp"], found["amp.dtype"]) == ("True", "bfloat16")


def test_v1_transforms() -> None:
    steps = v1.Compose(
        [
            v1.Resize(256),
            v1.RandomApply([v1.ColorJitter(0.4)], p=0.3),
            v1.CenterCrop(224),
            v1.ToTensor(),
            v1.Lambda(lambda x: x),
            v1.Normalize((0.4, 0.5, 0.6), (0.1, 0.2, 0.3)),
        ]
    )
    found = flat(steps, "train")
    names = [step.partition("(")[0] for step in found["train.transforms"].split(" > ")]
    assert names == ["Resize", "RandomApply", "CenterCrop", "ToTensor", "Lambda", "Normalize"]
    assert found["train.transforms.Resize.size"] == "256"
    assert found["train.transforms.RandomApply.p"] == "0.3"
    assert found["train.transforms.Normalize.mean"] == "[0.4, 0.5, 0.6]"
    assert found["train.transforms.Normalize.std"] == "[0.1, 0.2, 0.3]"
    assert "0x" not in str(found)


def test_v2_transforms() -> None:
    steps = v2.Compose(
        [
            v2.ToImage(),
            v2.RandomHorizontalFlip(0.3),
            v2.RandomChoice([v2.Grayscale(), v2.ColorJitter(0.1)]),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.4], [0.2]),
        ]
    )
    found = flat(steps)
    assert found["transforms"].startswith("ToImage > RandomHorizontalFlip(p=0.3) > RandomChoice(")
    assert "Grayscale" in found["transforms"]
    assert found["transforms.ToDtype.dtype"] == "float32"
    assert found["transforms.Normalize.std"] == "[0.2]"


def test_a_sequence_of_transforms_is_no_model() -> None:
    found = flat(nn.Sequential(v2.Resize(8), v2.Resize(4)))
    assert "model" not in found
    assert found["transforms.Resize.size"] == "[8]"
    assert found["transforms.Resize2.size"] == "[4]"


def test_presets_and_own_steps() -> None:
    preset = flat(torchvision.models.ResNet18_Weights.DEFAULT.transforms())
    assert preset["transforms.ImageClassification.crop_size"] == "[224]"

    class Noise:
        def __init__(self) -> None:
            self.sigma = 0.1

        def __call__(self, image: object) -> object:
            return image

    found = flat(v1.Compose([Noise(), str.strip]))
    assert found["transforms"] == "Noise(sigma=0.1) > strip"
    assert found["transforms.Noise.sigma"] == "0.1"


def test_objects_inside_a_dict(model: nn.Module) -> None:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    found = flat({"optimizer": optimizer, "net": model})
    assert found["optimizer"] == "SGD"
    assert found["optimizer.lr"] == "0.1"
    assert found["net.model"] == "Sequential"
