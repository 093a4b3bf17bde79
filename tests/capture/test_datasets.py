"""Identity of arrays, tables, images and torch data sets."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset
from torchvision import transforms as v1

from cvtrack_magics.capture.data.arrays import hash_array, hash_value
from cvtrack_magics.capture.data.datasets import compare_manifests, describe_data
from cvtrack_magics.capture.data.folders import identify_folder
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Dataset, Notice, Param


def data(value: object) -> Dataset:
    (found,) = (r for r in describe_data(value, name="x") if isinstance(r, Dataset))
    return found


def digest(value: object) -> str:
    return data(value).digest


def manifest(value: object) -> str:
    files = (r for r in describe_data(value, name="x") if isinstance(r, Artifact))
    (found,) = (r for r in files if r.path.endswith(".manifest.tsv"))
    return str(found.content)


GRID = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "same",
    [
        GRID.copy(),
        np.asfortranarray(GRID),
        GRID.transpose(2, 1, 0).copy().transpose(2, 1, 0),
        np.repeat(GRID, 2, axis=0)[::2],
        GRID[::-1][::-1],
        torch.from_numpy(GRID),
        torch.from_numpy(GRID).permute(1, 0, 2).contiguous().permute(1, 0, 2),
        torch.nn.Parameter(torch.from_numpy(GRID)),
    ],
)
def test_layout_does_not_count(same: object) -> None:
    assert digest(same) == digest(GRID)


@pytest.mark.parametrize(
    "other",
    [
        GRID.astype(np.float64),
        GRID.reshape(3, 2, 4),
        GRID.reshape(-1),
        GRID + np.eye(4, dtype=np.float32)[3],
        GRID.astype(">f4"),
        GRID.view(np.int32),
        GRID[:1],
    ],
)
def test_content_counts(other: object) -> None:
    assert digest(other) != digest(GRID)


def test_the_last_pixel_counts() -> None:
    images = np.zeros((500, 32, 32, 3), np.uint8)
    before = digest(images)
    images[-1, -1, -1, -1] = 1
    assert digest(images) != before


def test_the_formula() -> None:
    import hashlib

    expected = hashlib.sha256(b"<f4|(2, 3, 4)\n" + GRID.tobytes()).hexdigest()
    assert digest(GRID) == expected


def test_copies_in_steps_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from cvtrack_magics.capture.data import arrays

    monkeypatch.setattr(arrays, "_STEP", 64)
    big = np.arange(6000, dtype=np.int16).reshape(100, 60)
    assert hash_array(big.T) == hash_array(np.ascontiguousarray(big.T))


@pytest.mark.parametrize(
    "value",
    [
        np.array(3.0),
        np.zeros((0, 4)),
        np.array(["a", "bb"]),
        np.array(["a", None, 1.5, b"x"], dtype=object),
        np.array([1, 2], dtype="datetime64[s]"),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([1 + 2j]),
        np.array([True, False]),
        torch.tensor(2),
        torch.zeros(0, 3),
        torch.ones(3, dtype=torch.bfloat16),
        torch.ones(3, dtype=torch.float8_e4m3fn),
        torch.tensor([1 + 2j]).conj(),
        torch.eye(3).to_sparse(),
        torch.ones(2, requires_grad=True) * 2,
    ],
)
def test_every_dtype(value: Any) -> None:
    first = hash_array(value)
    assert hash_array(value) == first
    assert len(first[0]) == 64


def test_odd_dtypes_see_their_content() -> None:
    ones = torch.ones(3, dtype=torch.bfloat16)
    assert digest(ones) != digest(ones * 2)
    assert digest(np.array(["ab", "c"], object)) != digest(np.array(["a", "bc"], object))
    assert digest(np.array([1, "1"], object)) != digest(np.array(["1", 1], object))
    assert digest(torch.tensor([1 + 2j]).conj()) == digest(torch.tensor([1 - 2j]))


def test_unknown_objects_are_refused() -> None:
    for value in (np.array([object()]), object(), {"a": object()}, 3 + 0j if False else lambda: 0):
        with pytest.raises(UsageProblem):
            describe_data(value, name="x")
    for empty in ({}, []):
        with pytest.raises(UsageProblem, match="empty"):
            describe_data(empty, name="x")


def test_structures() -> None:
    x, y = np.ones((4, 2)), np.arange(4)
    found = data({"x": x, "y": y})
    assert found.schema["x"] == {"kind": "ndarray", "shape": [4, 2], "dtype": "float64"}
    assert digest((x, y)) == digest([x, y])
    assert digest((x, y)) != digest((y, x))
    assert digest({"x": x, "y": y}) == digest({"y": y, "x": x})
    assert digest({"x": x, "y": y}) != digest({"x": x, "z": y})
    names = [line.split("\t")[2] for line in manifest({"t": (x, y), "v": x}).splitlines()]
    assert names == ["t/0", "t/1", "v"]
    changed = {"t": (x, y + 1), "v": x}
    diff = compare_manifests(manifest({"t": (x, y), "v": x}), manifest(changed))
    assert diff.changed == ("t/1",)
    assert digest([1, 2, 3]) != digest([1, 2, 4])


def test_tables() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"]), "d": [1.5, np.nan]}
    )
    assert digest(frame.copy()) == digest(frame)
    assert data(frame).schema["rows"] == 2
    for change in (
        frame.assign(a=[1, 3]),
        frame.assign(b=["x", "None"]),
        frame.assign(c=pd.Categorical(["v", "v"])),
        frame.rename(columns={"a": "e"}),
        frame.set_index(pd.Index([5, 6])),
        frame.astype({"a": "int32"}),
        frame[["b", "a", "c", "d"]],
    ):
        assert digest(change) != digest(frame)
    assert digest(frame["a"]) == digest(frame[["a"]])


def test_images() -> None:
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    assert digest(image.copy()) == digest(image)
    assert digest(image.convert("L")) != digest(image)
    assert digest(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) != digest(image)
    one, two = image.convert("P"), image.convert("P")
    two.putpalette([9] * 768)
    assert digest(one) != digest(two)
    assert digest([image, image]) != digest([image])


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for label in ("cat", "dog"):
        (root / label).mkdir(parents=True)
        for index in range(6):
            pixels = np.random.default_rng(index).integers(0, 255, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(root / label / f"{index}.png")
    return root


def test_image_folder_counts_by_its_files(image_folder: Path) -> None:
    random_crop = v1.Compose([v1.RandomCrop(4), v1.ToTensor()])
    found = torchvision.datasets.ImageFolder(str(image_folder), transform=random_crop)
    described = data(found)
    # scheme 1, files without labels, keeps its meaning and has a name of its own
    assert described.profile["files_sha256"] == identify_folder(image_folder).digest
    assert described.digest != described.profile["files_sha256"]
    assert described.profile["samples"] == 12
    assert described.schema["classes"] == {"cat": 0, "dog": 1}
    part = manifest(Subset(found, [0, 7]))
    assert [line.split("\t")[2] for line in part.splitlines()] == ["cat/0.png", "dog/1.png"]
    assert digest(DataLoader(found, batch_size=2)) == described.digest


def test_tensor_dataset_and_subsets() -> None:
    x, y = torch.rand(10, 3), torch.arange(10)
    whole = TensorDataset(x, y)
    assert digest(whole) == digest((x, y))
    assert digest(Subset(whole, [1, 3])) == digest(TensorDataset(x[[1, 3]], y[[1, 3]]))
    nested = Subset(Subset(whole, [1, 3, 5]), [2, 0])
    assert digest(nested) == digest(TensorDataset(x[[5, 1]], y[[5, 1]]))


def test_torchvision_sets_count_before_transforms(tmp_path: Path) -> None:
    def fake(transform: object) -> Any:
        found = torchvision.datasets.CIFAR10.__new__(torchvision.datasets.CIFAR10)
        found.data = np.random.default_rng(0).integers(0, 255, (20, 32, 32, 3), np.uint8)
        found.targets = list(range(20))
        found.transform = transform
        found.target_transform = None
        return found

    assert digest(fake(v1.RandomCrop(4))) == digest(fake(None))
    other = fake(None)
    other.targets[3] = 9
    assert digest(other) != digest(fake(None))


class Squares(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, count: int = 20, noise: float = 0) -> None:
        self.count = count
        self.noise = noise

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, object]:
        if index >= self.count:
            raise IndexError(index)
        return {
            "image": torch.full((3, 4, 4), float(index))
            + (self.noise * torch.rand(3, 4, 4) if self.noise else 0),
            "label": index % 3,
            "name": f"{index}.png",
            "extra": (random.random() * self.noise if self.noise else 0.0, None),
        }


def test_a_general_dataset_counts_by_sample() -> None:
    seen: list[tuple[int, int]] = []
    records = describe_data(Squares(), name="x", progress=lambda a, b: seen.append((a, b)))
    assert digest(Squares()) == next(r.digest for r in records if isinstance(r, Dataset))
    assert seen[-1] == (20, 20)
    assert len(manifest(Squares()).splitlines()) == 20
    changed = Squares()
    changed.__class__ = type("Changed", (Squares,), {"__getitem__": _third_is_other})
    assert compare_manifests(manifest(Squares()), manifest(changed)).changed == ("03",)
    assert digest(ConcatDataset([Squares(10), Squares(10)])) != digest(Squares())


def _third_is_other(self: Squares, index: int) -> dict[str, object]:
    sample = Squares.__getitem__(self, index)
    return {**sample, "label": 99} if index == 3 else sample


def test_random_samples_have_no_identity() -> None:
    records = describe_data(Squares(noise=0.1), name="x")
    assert not [r for r in records if isinstance(r, (Param, Artifact))]
    (notice,) = (r for r in records if isinstance(r, Notice))
    assert "random transforms" in notice.text
    (found,) = (r for r in records if isinstance(r, Dataset))
    assert "not claimed" in str(found.profile["identity"])
    assert len(found.digest) == 64


def test_reading_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    expected = (float(torch.rand(())), float(np.random.rand()), random.random())
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    describe_data(Squares(noise=0.1), name="x")
    assert (float(torch.rand(())), float(np.random.rand()), random.random()) == expected


def test_sets_that_cannot_be_read() -> None:
    class Stream(IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            return iter(range(3))

    class Broken(Squares):
        def __getitem__(self, index: int) -> dict[str, object]:
            raise OSError("truncated file")

    for value, said in (
        (Stream(), "stream"),
        (DataLoader(Stream()), "stream"),
        (Broken(), "Sample 0 of Broken cannot be loaded: OSError: truncated file"),
        (Squares(0), "empty"),
    ):
        with pytest.raises(UsageProblem, match=said):
            describe_data(value, name="x")


def test_numbers_and_text_of_a_sample() -> None:
    assert hash_value(1) != hash_value("1")
    assert hash_value(1) != hash_value(1.0)
    assert hash_value(None) != hash_value("None")
    assert hash_value([1, [2]]) != hash_value([[1], 2])


def test_digits_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    first = digest((digits.images, digits.target))
    assert first == digest((load_digits().images, load_digits().target))
