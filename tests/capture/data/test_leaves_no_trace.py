"""What trains is what would have trained had nobody looked: caches, files, counters, epochs."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)
from torchvision import transforms as v1
from torchvision import tv_tensors

from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.records import Notice
from tests.capture.data.test_what_counts import Rows, both, certain

PICTURES = [torch.full((3, 4, 4), float(n)) for n in range(6)]
RARE = v1.RandomErasing(p=1e-9)


class Reader(Rows):
    """Pictures through a transform, kept as the data set was told to."""

    def __init__(self, keep: Any, transform: Any = RARE, **held: Any) -> None:
        super().__init__(PICTURES, keep=keep, transform=transform, **held)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.rows[index]), index


class InDict(Reader):
    def __getitem__(self, index: int) -> Any:
        if index not in self.keep:
            self.keep[index] = super().__getitem__(index)
        return self.keep[index]


class InList(Reader):
    def __getitem__(self, index: int) -> Any:
        if self.keep[index] is None:
            self.keep[index] = super().__getitem__(index)
        return self.keep[index]


class InArray(Reader):
    def __getitem__(self, index: int) -> Any:
        if not self.keep[index]:
            self.keep[index] = True
            self.store[index] = super().__getitem__(index)[0]
        return self.store[index], index


class Appends(Reader):
    def __getitem__(self, index: int) -> Any:
        self.keep.append(index)
        return super().__getitem__(index)


class Counts(Reader):
    def __getitem__(self, index: int) -> Any:
        self.keep += 1
        return super().__getitem__(index)


class Around(Rows):
    def __getitem__(self, index: int) -> Any:
        return self.inner[index]


class ByMethod(InDict):
    def __init__(self, keep: Any, transform: Any = RARE) -> None:
        super().__init__(keep, transform)
        self.get = super().__getitem__

    def __getitem__(self, index: int) -> Any:
        return self.get(index)


FORMS: dict[str, tuple[type[Reader], Callable[[], Any]]] = {
    "dict": (InDict, dict),
    "ordered": (InDict, OrderedDict),
    "list": (InList, lambda: [None] * len(PICTURES)),
    "flags": (InArray, lambda: np.zeros(len(PICTURES), bool)),
    "tensor of flags": (InArray, lambda: torch.zeros(len(PICTURES), dtype=torch.bool)),
    "history": (Appends, list),
    "counter": (Counts, lambda: 0),
    "bound method": (ByMethod, dict),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("transform", [RARE, torch.nn.Identity()], ids=["random", "plain"])
@pytest.mark.parametrize("inside", [False, True], ids=["bare", "inside"])
def test_what_a_data_set_keeps_stays_as_it_was(form: str, transform: Any, inside: bool) -> None:
    kind, make = FORMS[form]
    held = {"store": np.zeros((len(PICTURES), 3, 4, 4))} if kind is InArray else {}
    data = kind(make(), transform, **held) if held else kind(make(), transform)
    assert certain(Around(PICTURES, inner=data) if inside else data)
    before = make()
    same = data.keep == before
    assert same.all() if hasattr(same, "all") else same


class Closes(Reader):
    def __getitem__(self, index: int) -> Any:
        self.keep.seek(0)
        return self.transform(self.rows[index]), self.keep.read(1)

    def __del__(self) -> None:
        self.keep.close()


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_that_a_data_set_closes_in_the_end_stays_open(tmp_path: Path, inside: bool) -> None:
    (tmp_path / "data").write_bytes(b"x")
    data = Closes((tmp_path / "data").open("rb"))
    assert certain(Around(PICTURES, inner=data) if inside else data)
    assert not data.keep.closed
    file = data.keep
    del data
    assert file.closed


class Lazy(Reader):
    def __getitem__(self, index: int) -> Any:
        if self.keep is None:
            self.keep = torch.load(self.path)
        return self.keep[index]


def test_what_a_data_set_opens_at_first_use_is_not_opened_in_it(tmp_path: Path) -> None:
    torch.save(PICTURES, tmp_path / "data.pt")
    data = Lazy(None, None, path=tmp_path / "data.pt")
    assert both(data) == both(Rows(PICTURES))
    assert data.keep is None


class Cached(Reader):
    def __getitem__(self, index: int) -> Any:
        if index not in self.cache:
            self.cache[index] = super().__getitem__(index)
        return self.cache[index]


def test_samples_that_a_cache_kept_are_not_taken_for_the_data() -> None:
    data = Cached(None, v1.RandomCrop(2), cache={})
    before = both(data)
    for index in range(len(data)):
        data[index]
    assert both(data) == before
    filled = Filled(None, v1.RandomCrop(2), cache=dict(enumerate(PICTURES)))
    assert both(filled) == both(Rows(PICTURES))


class Filled(Reader):
    """Pictures of a cache that was filled beforehand."""

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.cache[index])


class InEpochs(Rows):
    epoch = 0

    def __init__(self, **held: Any) -> None:
        super().__init__(PICTURES, epoch=3, told=held.pop("told", []), **held)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        if self.shared is not None:
            self.shared[0] = epoch

    def __getitem__(self, index: int) -> Any:
        made = torch.Generator().manual_seed(self.epoch * self.differs + index)
        return self.rows[index] + torch.rand(1, generator=made)


class Shared:
    """A number that copies share, as one of several processes is."""

    def __init__(self) -> None:
        self.value = 3

    def __setitem__(self, at: int, value: int) -> None:
        self.value = value


def test_samples_of_one_epoch_are_not_those_of_the_next() -> None:
    shared = Shared()
    assert not certain(InEpochs(differs=100, shared=shared))
    assert shared.value == 3
    assert certain(InEpochs(differs=0, shared=None))


class Moments(Rows):
    def __getitem__(self, index: int) -> Any:
        import time as clock

        return self.rows[index] * (1 if clock.time() > 1 else 2)


class Secret(Rows):
    def __getitem__(self, index: int) -> Any:
        import secrets

        return self.rows[index] * (1 if secrets.randbelow(10**12) else 2)


class Measured(Rows):
    spent = 0.0

    def __getitem__(self, index: int) -> Any:
        started = time.perf_counter()
        row = self.rows[index]
        self.spent += time.perf_counter() - started
        return row


def test_the_clock_by_an_import_of_its_own() -> None:
    assert not certain(Moments(PICTURES))
    assert not certain(Secret(PICTURES))
    assert certain(Measured(PICTURES))


class Stream(IterableDataset):  # type: ignore[type-arg]
    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


class Divided(Stream):
    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        start, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        return iter(self.rows[start::step])


def test_workers_that_each_give_the_whole_stream_repeat_it() -> None:
    rows = torch.arange(8.0)
    plain, twice = both(Stream(rows)), both(Stream(torch.cat((rows, rows))))
    assert both(DataLoader(Stream(rows), num_workers=2)) == twice
    assert both(DataLoader(Stream(rows), num_workers=1)) == plain
    assert both(DataLoader(Divided(rows), num_workers=2)) == plain
    loader = DataLoader(Stream(rows), num_workers=2, worker_init_fn=print)
    assert both(loader) == plain
    told = [r.text for r in describe_data(DataLoader(Stream(rows), num_workers=2), name="x")
            if isinstance(r, Notice)]  # fmt: skip
    assert "16 samples of 8" in told[0]


def test_weights_without_replacement_that_draw_each_sample_once() -> None:
    data = TensorDataset(torch.arange(4.0))
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    once = WeightedRandomSampler(weights, 4, replacement=False)
    some = WeightedRandomSampler(weights, 3, replacement=False)
    assert both(DataLoader(data, sampler=once)) == both(data)
    assert both(DataLoader(data, sampler=some)) != both(data)


def test_the_format_of_boxes_counts() -> None:
    def boxes(form: str) -> Any:
        four = torch.tensor([[0.0, 0.0, 2.0, 3.0]])
        return Rows([tv_tensors.BoundingBoxes(four, format=form, canvas_size=(9, 9))])  # type: ignore[call-overload]

    assert len({both(boxes(form)) for form in ("XYXY", "XYWH", "CXCYWH")}) == 3
    assert both(boxes("XYXY")) == both(Rows([torch.tensor([[0.0, 0.0, 2.0, 3.0]])]))
