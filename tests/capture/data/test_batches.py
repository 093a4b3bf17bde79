"""What a loader makes of its samples in a batch is what trains; so is how a set gives a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    IterableDataset,
    Sampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
)
from torchvision.transforms import v2

from tests.capture.data.test_what_counts import ROWS, Rows, both

SET = Rows(ROWS)
ARRAYS = TensorDataset(*default_collate(ROWS))
BOXES = Rows(
    [(torch.full((3, 4, 5), float(n)), {"boxes": torch.ones(n, 4), "labels": n}) for n in range(9)]
)
LONG = Rows([(torch.arange(n + 1.0), n) for n in range(8)])
SORTED = Rows([(torch.zeros(2), n // 50) for n in range(500)])


def turned(batch: Any) -> Any:
    return torch.stack([x for x, _ in batch]), torch.tensor([1 - y for _, y in batch])


class Times:
    def __init__(self, by: int) -> None:
        self._by = by
        self.calls = 0

    def __call__(self, batch: Any) -> Any:
        self.calls += 1
        x, y = default_collate(batch)
        return x * self._by, y

    def made(self, batch: Any) -> Any:
        return self(batch)


def _times(batch: Any, by: int) -> Any:
    return Times(by)(batch)


class Slotted:
    __slots__ = ("by",)

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, batch: Any) -> Any:
        return _times(batch, self.by)


class Mapped:
    def __init__(self, names: list[int]) -> None:
        self.names = names

    def __call__(self, batch: Any) -> Any:
        x, y = default_collate(batch)
        return x, torch.tensor([self.names[int(each)] for each in y])


def mixed(batch: Any) -> Any:
    x, y = default_collate(batch)
    return x * np.random.beta(0.2, 0.2), y


def picked(change: v2.Transform) -> Callable[[Any], Any]:
    return lambda batch: change(*default_collate(batch))


REGROUPS: dict[str, tuple[Any, Any]] = {
    "stacked": (SET, lambda b: (torch.stack([x for x, _ in b]), torch.tensor([y for _, y in b]))),
    "zipped": (SET, lambda b: tuple(zip(*b, strict=True))),
    "as they are": (SET, lambda b: b),
    "named": (
        SET,
        lambda b: dict(zip(("pixel_values", "labels"), default_collate(b), strict=True)),
    ),
    "arrays": (ARRAYS, lambda b: tuple(zip(*b, strict=True))),
    "boxes": (BOXES, lambda b: tuple(zip(*b, strict=True))),
    "pictures stacked": (BOXES, lambda b: (torch.stack([x for x, _ in b]), [t for _, t in b])),
    "the same labels": (SORTED, Mapped(list(range(10)))),
    "random": (SET, mixed),
    "random of a library": (SET, picked(v2.RandomErasing(p=0.01))),
}
CHANGES: dict[str, tuple[Any, Any]] = {
    "labels": (SET, turned),
    "lambda": (SET, lambda b: [(x, 1 - y) for x, y in b]),
    "values": (SET, Times(2)),
    "of arrays": (ARRAYS, Times(2)),
    "the last left out": (SET, lambda b: default_collate(b[:-1] or b)),
    "some left out": (SET, lambda b: default_collate([e for e in b if e[1]] or b)),
    "parts in turn": (LONG, lambda b: [(y, x) for x, y in b]),
    "boxes left out": (BOXES, lambda b: [(x, {k: t[k] for k in ("boxes",)}) for x, t in b]),
    "a class far behind": (SORTED, Mapped([*range(9), 0])),
    "padded": (LONG, lambda b: (pad_sequence([x for x, _ in b]), [y for _, y in b])),
}


def loader(held: Any, collate: Any) -> DataLoader[Any]:
    return DataLoader(held, batch_size=3, collate_fn=collate)


@pytest.mark.parametrize("form", REGROUPS)
def test_samples_that_are_only_put_beside_each_other_are_the_same(form: str) -> None:
    held, collate = REGROUPS[form]
    assert both(loader(held, collate)) == both(held)


@pytest.mark.parametrize("form", CHANGES)
def test_what_a_collate_function_changes_counts(form: str) -> None:
    held, collate = CHANGES[form]
    found = both(loader(held, collate))
    assert not set(found) & set(both(held))
    assert found == both(DataLoader(held, batch_size=2, collate_fn=collate))


@pytest.mark.parametrize(
    "make",
    [
        Times,
        Slotted,
        lambda by: lambda batch, chosen=frozenset({by, 9}): _times(batch, min(chosen)),
        lambda by: Times(by).made,
        lambda by: functools.partial(_times, by=by),
        lambda by: lambda batch: _times(batch, by),
        lambda by: lambda batch, by=by: _times(batch, by),
    ],
)
def test_settings_of_a_collate_function_count_and_its_counters_do_not(make: Any) -> None:
    used = make(2)
    before = both(loader(SET, used))
    list(loader(SET, used))
    assert both(loader(SET, used)) == before == both(loader(SET, make(2)))
    assert not set(before) & set(both(loader(SET, make(3))))


def test_two_functions_in_one_line_are_told_apart() -> None:
    one, other = (lambda b: (b[0], 1)), (lambda b: (b[0], 2))
    assert not set(both(loader(SET, one))) & set(both(loader(SET, other)))


class Stream(IterableDataset[Any]):
    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        yield from self.rows


def test_batches_of_a_stream() -> None:
    stream = Stream(ROWS)
    assert both(loader(stream, REGROUPS["zipped"][1])) == both(stream)
    assert not set(both(loader(stream, turned))) & set(both(stream))


class Own(DataLoader[Any]):
    def __iter__(self) -> Any:
        return ((x, 1 - y) for x, y in super().__iter__())


class Many(Rows):
    def __getitems__(self, places: list[int]) -> list[Any]:
        return [(x, 1 - y) for x, y in map(self.__getitem__, places)]


class ManyArrays(TensorDataset):
    def __getitems__(self, places: list[int]) -> list[Any]:
        return [(x, 1 - y) for x, y in map(self.__getitem__, places)]


class OneArray(TensorDataset):
    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return x, 1 - y


def named(name: str, inner: Any, **held: Any) -> Any:
    """A data set of the user's that has the name of one of torch's."""
    return type(name, (Rows,), {"__getitem__": lambda s, i: (inner[i][0], 1 - inner[i][1])})(
        list(range(len(inner))), dataset=inner, **held
    )


PARTS = {"datasets": [ARRAYS], "cumulative_sizes": [8]}
OTHERS: dict[str, tuple[Any, Any]] = {
    "a loader of one's own": (DataLoader(SET), Own(SET)),
    "many at once": (SET, Many(ROWS)),
    "many at once, a part": (Subset(SET, [1, 2]), Subset(Many(ROWS), [1, 2])),
    "many at once, in a loader": (DataLoader(SET, 3), DataLoader(Many(ROWS), 3)),
    "arrays, many at once": (ARRAYS, ManyArrays(*ARRAYS.tensors)),
    "arrays, one by one": (ARRAYS, OneArray(*ARRAYS.tensors)),
    "called Subset": (ARRAYS, named("Subset", ARRAYS, indices=range(8))),
    "called ConcatDataset": (ConcatDataset([ARRAYS]), named("ConcatDataset", ARRAYS, **PARTS)),
}


@pytest.mark.parametrize("form", OTHERS)
def test_how_a_user_gives_samples_counts_whatever_the_class_is_made_of(form: str) -> None:
    one, other = OTHERS[form]
    assert not set(both(one)) & set(both(other))


class BatchSampler(Sampler[list[int]]):
    """Of the user, who takes the first six."""

    def __init__(self, sampler: Any, batch_size: int) -> None:
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, False

    def __iter__(self) -> Iterator[list[int]]:
        yield from ([0, 1, 2], [3, 4, 5])

    def __len__(self) -> int:
        return 2


def test_what_no_batch_takes_and_a_sampler_that_has_the_name_of_torchs() -> None:
    assert both(DataLoader(Many(ROWS), batch_size=None)) == both(SET)
    own = DataLoader(ARRAYS, batch_sampler=BatchSampler(SequentialSampler(ARRAYS), 3))
    assert both(own) == both(Subset(ARRAYS, range(6)))


FRAME = pd.DataFrame({"x": [1, 2, 3], "y": pd.Categorical(["a", None, "c"])})
ODD: list[tuple[Any, Any]] = [
    (FRAME, FRAME.assign(y=pd.Categorical(["a", None, "c"], categories=["c", "a"]))),
    (FRAME, FRAME.assign(y=pd.Categorical(["a", None, "c"], categories=["a", "b", "c"]))),
    (FRAME.set_index(["x", "y"]), FRAME.assign(x=[1, 2, 4]).set_index(["x", "y"])),
    (pd.DataFrame({"box": [[1, 2], [3, 4]]}), pd.DataFrame({"box": [[1, 2], [3, 5]]})),
    (pd.DataFrame({"box": [np.arange(2)]}), pd.DataFrame({"box": [np.arange(1, 3)]})),
    (np.array([{"a": 1}], object), np.array([{"a": 2}], object)),
    (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0])),  # type: ignore[no-untyped-call]
    (Rows([np.ma.array([1, 2], mask=[0, 1])]), Rows([np.array([1, 2])])),  # type: ignore[no-untyped-call]
    (
        Rows([torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])]),
        Rows([torch.nested.nested_tensor([torch.ones(2), torch.zeros(3)])]),
    ),
]


@pytest.mark.parametrize(("one", "other"), ODD)
def test_what_cells_and_arrays_hold_beside_their_numbers_counts(one: Any, other: Any) -> None:
    assert both(one) == both(one)
    assert both(one)[0] != both(other)[0]
    values = both(np.ma.array([1, 2], mask=[0, 0]))  # type: ignore[no-untyped-call]
    assert values == both(np.array([1, 2]))
