"""A digest that would differ tomorrow is not claimed; what a picture or number is counts."""

from __future__ import annotations

import datetime
import enum
import itertools
import os
import random
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, Subset, get_worker_info
from torchvision.datasets import CIFAR10, ImageFolder

from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.records import Notice
from tests.capture.data.test_identity import pictures  # noqa: F401 -- a fixture
from tests.capture.data.test_what_counts import Rows, both, certain, folder  # noqa: F401

ROWS: list[Any] = [torch.full((2,), float(n)) for n in range(12)]
READINGS = itertools.count()


class Process(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.rows[index] + os.getpid()


class Thread(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.rows[index] + threading.get_ident()


class Hashed(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.rows[index] + hash(f"name {index}") % 10


class Seeded(Rows):
    def __getitem__(self, index: int) -> Any:
        return np.random.RandomState((torch.initial_seed() + index) % 2**32).rand(2)


class Worker(Rows):
    def __getitem__(self, index: int) -> Any:
        worker = get_worker_info()
        return self.rows[index] + (worker.seed if worker else 0)


class Minute(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.rows[index] + time.localtime().tm_min


class Written(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.rows[index] + int(time.strftime("%M"))


class Stamped(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.rows[index] + pd.Timestamp.now().minute


class Counted(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.rows[index] + (next(READINGS) % 30 > 24)


class ByName(Rows):
    def __getitem__(self, index: int) -> Any:
        made = datetime.date.fromordinal(700_000 + index)
        return self.rows[index] + int(made.strftime("%d"))


@pytest.mark.parametrize(
    "kind", [Process, Thread, Hashed, Seeded, Worker, Minute, Written, Stamped, Counted]
)
def test_what_hangs_on_the_process_or_the_day_is_not_claimed(kind: type[Rows]) -> None:
    assert not certain(kind(ROWS))


def test_a_date_that_is_written_out_is_the_same_tomorrow() -> None:
    assert certain(ByName(ROWS))


def lengths(data: Any) -> list[Any]:
    return [
        (DataLoader(data, sampler=SequentialSampler(range(5))), Subset(data, range(5))),
        (DataLoader(data, sampler=RandomSampler(range(5))), Subset(data, range(5))),
        (
            DataLoader(data, sampler=SequentialSampler(range(5)), batch_size=2, drop_last=True),
            Subset(data, range(4)),
        ),
        (DataLoader(data, sampler=RandomSampler(range(12))), data),
    ]


@pytest.mark.parametrize("at", range(4))
def test_a_sampler_over_another_length_takes_that_many(at: int) -> None:
    loader, same = lengths(Rows(ROWS))[at]
    assert both(loader) == both(same)


@pytest.mark.parametrize("form", ["files", "arrays"])
def test_random_labels_are_left_out(folder: str, form: str) -> None:  # noqa: F811
    def made(change: Any) -> Any:
        if form == "files":
            return ImageFolder(folder, target_transform=change)
        found = CIFAR10.__new__(CIFAR10)
        found.data, found.targets = np.arange(6, dtype="u1").reshape(3, 2), [0, 1, 0]
        found.target_transform, found.transform, found.root = change, None, ""
        return found

    state = random.getstate()
    noisy = made(lambda label: label + random.randint(0, 9))
    assert both(noisy) == both(made(None))
    assert random.getstate() == state
    said = [r.text for r in describe_data(noisy, name="x") if isinstance(r, Notice)]
    assert any("target_transform" in text for text in said)
    assert both(made(lambda label: label + 1)) != both(made(None))


def palette(mode: str, colour: tuple[int, int, int]) -> Image.Image:
    image = Image.new(mode, (4, 4))
    image.putpalette([*colour, 9, 9, 9])
    return image


def clear(colour: int) -> Image.Image:
    image = palette("P", (1, 2, 3))
    image.info["transparency"] = colour
    return image


def stack(folder: Path, last: int, place: int, kind: str) -> Image.Image:  # noqa: F811
    path = folder / f"{last}.{kind}"
    frames = [Image.new("L", (8, 8), shade) for shade in (10, 90, last)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    image = Image.open(path)
    image.seek(place)
    return image


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("kind", ["P", "PA", "transparency", "tif", "gif", "webp"])
def test_what_a_picture_shows_counts(tmp_path: Path, kind: str, inside: bool) -> None:
    pairs: dict[str, Callable[[], list[Image.Image]]] = {
        "P": lambda: [palette("P", (1, 2, 3)), palette("P", (3, 2, 1))],
        "PA": lambda: [palette("PA", (1, 2, 3)), palette("PA", (3, 2, 1))],
        "transparency": lambda: [clear(0), clear(1)],
    }
    two = pairs.get(kind, lambda: [stack(tmp_path, last, 0, kind) for last in (150, 250)])
    one, other = (Rows([image]) if inside else image for image in two())
    assert both(one) == both(one)
    assert both(one) != both(other)


def test_frames_count_at_the_first_and_one_elsewhere(tmp_path: Path) -> None:
    one, other = (stack(tmp_path, last, 1, "tif") for last in (150, 250))
    assert both(one) == both(other) == both(Image.new("L", (8, 8), 90))
    assert one.tell() == 1
    first = stack(tmp_path, 150, 0, "tif")
    first.putpixel((0, 0), 77)
    changed = both(first)
    assert first.getpixel((0, 0)) == 77
    assert first.tell() == 0
    assert changed != both(stack(tmp_path, 150, 0, "tif"))
    assert both(stack(tmp_path, 150, 0, "tif")) != both(Image.new("L", (8, 8), 10))


def test_the_bytes_that_a_long_double_does_not_use_are_nobodys() -> None:
    if np.finfo(np.longdouble).nmant != 63:
        pytest.skip("long doubles have no such bytes here")
    clean = np.zeros(6, np.longdouble)
    dirty = clean.copy()
    dirty.view("u1").reshape(-1, 16)[:, 10:] = 7
    kept = dirty.tobytes()
    assert both(clean) == both(dirty) == both(dirty[::-1])
    assert both(clean.view(np.clongdouble)) == both(dirty.view(np.clongdouble))
    assert both(Rows([clean])) == both(Rows([dirty]))
    assert dirty.tobytes() == kept
    assert both(clean) != both(clean + 1)


Colour = enum.Enum("Colour", ["RED", "BLUE"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.NA, 0),
        (pd.NaT, 0),
        (Colour(1), Colour(2)),
        (uuid.UUID(int=1), uuid.UUID(int=2)),
        (datetime.timedelta(1), datetime.timedelta(2)),
        (torch.float16, torch.float32),
        ({1: 2}.values(), {1: 3}.values()),
        (pd.Categorical(["a"]), pd.Categorical(["b"])),
        (pd.arrays.SparseArray([0, 1]), pd.arrays.SparseArray([1, 0])),
        (pd.Series([Image.new("L", (2, 2))]), pd.Series([Image.new("L", (2, 2), 1)])),
        (np.array([{1}], dtype=object), np.array([{2}], dtype=object)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_single_values_of_a_sample_count(one: Any, other: Any) -> None:
    assert both(Rows([(one, 1)])) == both(Rows([(one, 1)]))
    assert not set(both(Rows([(one, 1)]))) & set(both(Rows([(other, 1)])))
