"""Classes, files and chance below a data set that is read by index, in whatever form."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Sampler, StackDataset, Subset, TensorDataset
from torchvision import transforms as v1
from torchvision.datasets import CIFAR10, ImageFolder

from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.records import Dataset, Param
from tests.capture.data.test_identity import pictures  # noqa: F401 -- a fixture

NAMES = ["cat", "dog"]


def both(value: object) -> tuple[str, str]:
    found = next(r for r in describe_data(value, name="x") if isinstance(r, Dataset))
    return found.digest, str(found.profile.get("samples_sha256", ""))


def certain(value: object) -> bool:
    return any(isinstance(r, Param) for r in describe_data(value, name="x"))


class Rows(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, rows: list[Any], **held: Any) -> None:
        self.rows = rows
        vars(self).update(held)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]


ROWS: list[Any] = [(torch.full((2,), float(n)), n % 2) for n in range(8)]

CLASSES: list[tuple[str, Callable[[list[str]], Any]]] = [
    ("class_to_idx", lambda names: {name: at for at, name in enumerate(names)}),
    ("classes", list),
    ("classes", tuple),
    ("class_names", list),
    ("CLASSES", tuple),
    ("label_names", list),
    ("idx_to_class", lambda names: dict(enumerate(names))),
    ("id2label", lambda names: {str(at): name for at, name in enumerate(names)}),
    ("label2id", lambda names: {name: at for at, name in enumerate(names)}),
    ("names", lambda names: dict(enumerate(names))),
    ("categories", lambda names: [{"id": at, "name": n} for at, n in enumerate(names)]),
]


@pytest.mark.parametrize(("name", "form"), CLASSES)
def test_the_order_of_classes_counts(name: str, form: Callable[[list[str]], Any]) -> None:
    one, other = (Rows(ROWS, **{name: form(each)}) for each in (NAMES, NAMES[::-1]))
    assert both(one) == both(Rows(ROWS, class_to_idx={"cat": 0, "dog": 1}))
    assert not set(both(one)) & set(both(other))
    assert not set(both(Subset(one, [1, 2]))) & set(both(Subset(other, [1, 2])))


@pytest.fixture
def folder(tmp_path: Path, pictures: list[str]) -> str:  # noqa: F811
    for at, path in enumerate(pictures):
        place = tmp_path / "set" / "ab"[at % 2]
        place.mkdir(parents=True, exist_ok=True)
        Path(path).rename(place / Path(path).name)
    return str(tmp_path / "set")


class Turned(ImageFolder):
    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        return image, 1 - label


class Named(ImageFolder):
    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        return {"image": image, "label": label}


class Part(Rows):
    def __init__(self, inner: Any, rows: list[int]) -> None:
        super().__init__(rows, samples=inner.samples, class_to_idx=inner.class_to_idx, inner=inner)

    def __getitem__(self, index: int) -> Any:
        return self.inner[self.rows[index]]


def test_what_a_set_gives_counts_and_not_the_list_that_it_holds(folder: str) -> None:
    plain = ImageFolder(folder)
    assert both(Named(folder)) == both(plain)
    assert not set(both(Turned(folder))) & set(both(plain))
    assert not set(both(Part(plain, [0, 1]))) & set(both(Part(plain, [2, 3])))
    assert not set(both(Part(plain, [0, 0, 2, 3]))) & set(both(Part(plain, [0, 1, 2, 3])))


def test_a_label_that_a_set_of_arrays_changes(tmp_path: Path) -> None:
    def made(change: Any) -> Any:
        found = CIFAR10.__new__(CIFAR10)
        vars(found).update(
            data=np.arange(48, dtype=np.uint8).reshape(4, 2, 2, 3),
            targets=[0, 1, 0, 1],
            transform=None,
            target_transform=change,
        )
        return found

    assert not set(both(made(None))) & set(both(made(lambda label: 1 - label)))


NAMED: dict[str, Callable[[list[str]], Any]] = {
    "text": lambda paths: Rows([(path, 0) for path in paths]),
    "Path": lambda paths: Rows([{"image": Path(path), "label": 0} for path in paths]),
    "nested": lambda paths: Rows([[[path]] for path in paths]),
    "array of texts": np.array,
    "array of objects": lambda paths: np.array(paths, object),
    "array of rows": lambda paths: np.array([[path, "0"] for path in paths]),
    "set": set,
    "path to label": lambda paths: dict.fromkeys(paths, 0),
    "label to paths": lambda paths: {"a": paths[:1], "b": paths[1:]},
    "lists (paths, labels)": lambda paths: (paths, [0] * len(paths)),
    "COCO in memory": lambda paths: {"images": [{"file_name": p} for p in paths], "boxes": []},
    "uneven rows": lambda paths: [(paths[0], 1), (paths[2],)],
    "Series": pd.Series,
}


def text_file(suffix: str, text: Callable[[list[str]], str]) -> Callable[[list[str]], Any]:
    def make(paths: list[str]) -> Any:
        made = Path(paths[0]).parent / f"list{suffix}"
        made.write_text(text(paths))
        return str(made)

    return make


NAMED |= {
    "txt": text_file(".txt", "\n".join),
    "txt of names": text_file(".txt", lambda ps: "\n".join(os.path.basename(p) for p in ps)),
    "txt and labels": text_file(".txt", lambda ps: "\n".join(f"{p} 1" for p in ps)),
    "txt and commas": text_file(".txt", lambda ps: "\n".join(f"{p},a cat" for p in ps)),
    "txt of pairs": text_file(".txt", lambda ps: "\n".join(f"{p} {ps[0]}" for p in ps)),
    "txt and boxes": text_file(
        ".txt", lambda ps: "\n".join(p + " 1,2,3,4,0" * n for n, p in enumerate(ps))
    ),
    "lst": text_file(".lst", lambda ps: "\n".join(f"{n}\t0\t{p}" for n, p in enumerate(ps))),
    "txt of names and labels": text_file(
        ".txt", lambda ps: "\n".join(f"{os.path.basename(p)} 1" for p in ps)
    ),
    "index": lambda paths: pd.DataFrame({"path": paths, "y": 0}).set_index("path"),
    "one of two indices": lambda paths: pd.DataFrame({"p": paths, "y": 0}).set_index(["y", "p"]),
    "labels by path": lambda paths: pd.Series([0] * len(paths), index=paths),
    "json": text_file(".json", json.dumps),
    "json rows": text_file(".json", lambda ps: json.dumps([{"image": p, "y": 0} for p in ps])),
    "json lines": text_file(".jsonl", lambda ps: "\n".join(json.dumps({"x": p}) for p in ps)),
}


@pytest.mark.parametrize("form", NAMED)
def test_files_that_are_named_are_read(pictures: list[str], form: str) -> None:  # noqa: F811
    before = both(NAMED[form](pictures))
    assert before == both(NAMED[form](pictures))
    content = Path(pictures[2]).read_bytes()
    Path(pictures[2]).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    after = both(NAMED[form](pictures))
    assert before[0] != after[0]
    assert before[1] != after[1] or not before[1]


def test_text_that_lists_no_files_is_a_file(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("a note, with words\nand more\n")
    assert both(str(note))[0] == hashlib.sha256(note.read_bytes()).hexdigest()


def test_labels_beside_a_list_of_paths_count(pictures: list[str]) -> None:  # noqa: F811
    assert both((pictures, [0, 0, 1, 1])) != both((pictures, [0, 1, 0, 1]))
    assert both((pictures, [0, 0, 1, 1])) == both({"0": pictures, "1": [0, 0, 1, 1]})


RARE = 1e-9


def private(index: int) -> float:
    return float(np.random.default_rng().random() < RARE)


def _rarely_of(roll: Callable[[], float], n: int) -> float:
    return n + float(roll() < RARE)


def _rarely(roll: Callable[[], float]) -> Callable[[int], float]:
    return lambda n: n + float(roll() < RARE)


CHANCE: dict[str, Callable[[int], Any]] = {
    "numpy": lambda n: n + float(np.random.default_rng().random() < RARE),
    "state": lambda n: n + float(np.random.RandomState().rand() < RARE),
    "python": lambda n: n + float(random.Random().random() < RARE),
    "bound": _rarely(random.Random(0).random),
    "partial": functools.partial(_rarely_of, random.Random(0).random),
    "system": lambda n: n + float(random.SystemRandom().random() < RARE),
    "bytes": lambda n: n + (os.urandom(8) == bytes(8)),
    "uuid": lambda n: n + (uuid.uuid4().int == 0),
    "clock": lambda n: n + (time.time() > 1e12),
    "date": lambda n: n + (datetime.datetime.now().year > 9000),
    "helper": lambda n: n + private(n),
    "global": lambda n: n + float(np.random.rand() < RARE),
}
SEEDED: dict[str, Callable[[int], Any]] = {
    "numpy": lambda n: float(np.random.default_rng(n).random()),
    "python": lambda n: random.Random(n).random(),
    "torch": lambda n: torch.rand(2, generator=torch.Generator().manual_seed(n)),
    "a column called time": lambda n: Moment(n).time,
}


class Moment:
    def __init__(self, at: int) -> None:
        self.time = at


class Made(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.make(self.rows[index])


@pytest.mark.parametrize("kind", CHANCE)
def test_what_would_differ_tomorrow_is_never_certain(kind: str) -> None:
    assert not certain(Made(list(range(20)), make=CHANCE[kind]))


@pytest.mark.parametrize("kind", SEEDED)
def test_what_has_a_seed_of_its_own_is_certain(kind: str) -> None:
    assert certain(Made(list(range(20)), make=SEEDED[kind]))


def test_transforms_of_a_set_inside_are_left_out(folder: str) -> None:
    def stacked(change: Any) -> Any:
        labels = TensorDataset(torch.arange(4))
        return StackDataset(ImageFolder(folder, transform=change), labels)

    assert both(stacked(v1.RandomErasing(p=1e-6))) == both(stacked(None))
    assert certain(stacked(v1.RandomCrop(2)))


class Picks(Sampler):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[int]:
        return iter(sorted(np.random.default_rng().permutation(8)[:7].tolist()))

    def __len__(self) -> int:
        return 7


def test_a_sampler_that_agrees_with_itself_by_chance() -> None:
    found = {both(DataLoader(Rows(ROWS), sampler=Picks())) for _ in range(10)}  # type: ignore[arg-type]
    assert len(found) == 1
