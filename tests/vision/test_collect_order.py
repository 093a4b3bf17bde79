"""Which samples were measured: the data set's own, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    IterableDataset,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler
from tqdm import tqdm

from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions

COUNT = 11
DATA = TensorDataset(torch.rand(COUNT, 3, 8, 8), torch.arange(COUNT))


def net(images: torch.Tensor) -> torch.Tensor:
    return torch.eye(COUNT)[:1].repeat(len(images), 1)


def collected(loader: Any, **options: Any) -> Predictions:
    classes = [f"c{at}" for at in range(COUNT)]
    return Predictions.collect(net, loader, "classification", classes=classes, **options)


LOADERS: dict[str, Callable[[], Any]] = {
    "plain": lambda: DataLoader(DATA, 3),
    "shuffled": lambda: DataLoader(DATA, 3, shuffle=True),
    "subset": lambda: DataLoader(Subset(DATA, [3, 5, 7]), 2),
    "subset of a subset": lambda: DataLoader(Subset(Subset(DATA, [3, 5, 7, 9]), [3, 1]), 2),
    "subset, shuffled": lambda: DataLoader(Subset(DATA, [3, 5, 7]), 2, shuffle=True),
    "tensor of indices": lambda: DataLoader(Subset(DATA, torch.tensor([2, 4])), 2),
    "subset sampler": lambda: DataLoader(DATA, 2, sampler=SubsetRandomSampler([8, 1, 4])),
    "list as sampler": lambda: DataLoader(DATA, 2, sampler=[6, 2, 9]),
    "batch sampler": lambda: DataLoader(
        DATA, batch_sampler=BatchSampler(SequentialSampler(DATA), 4, False)
    ),
    "workers": lambda: DataLoader(Subset(DATA, [9, 3, 5]), 1, shuffle=True, num_workers=2),
    "joined sets": lambda: DataLoader(ConcatDataset([DATA]), 4, shuffle=True),
}


@pytest.mark.parametrize("what", LOADERS)
def test_ids_are_the_data_sets_own(what: str) -> None:
    loader = LOADERS[what]()
    sampler = loader.batch_sampler.sampler
    found = collected(loader)
    assert found.ids == tuple(str(label) for label in found.labels.truth)  # its index is its label
    assert loader.batch_sampler.sampler is sampler


class Groups:
    """A batch sampler of one's own, as of lengths or of classes."""

    def __init__(self) -> None:
        self.groups = torch.randperm(COUNT).split(3)

    def __iter__(self) -> Any:
        return iter([group.tolist() for group in self.groups])

    def __len__(self) -> int:
        return len(self.groups)


class Batches(BatchSampler):
    """A subclass of PyTorch's."""


OWN_BATCHES: dict[str, Callable[[], Any]] = {
    "any object": Groups,
    "a list": lambda: [[8, 1], [4], [0, 9, 2]],
    "a subclass": lambda: Batches(SubsetRandomSampler(range(COUNT)), 2, False),
}


@pytest.mark.parametrize("bar", [False, True])
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("what", OWN_BATCHES)
def test_batches_of_ones_own_have_the_data_sets_ids(what: str, workers: int, bar: bool) -> None:
    if workers and (bar or what != "any object"):
        workers = 0  # starting them costs seconds, and they draw nothing
    batches = OWN_BATCHES[what]()
    loader = DataLoader(DATA, batch_sampler=batches, num_workers=workers)
    found = collected(tqdm(loader, disable=True) if bar else loader)
    assert found.ids == tuple(str(label) for label in found.labels.truth)
    assert loader.batch_sampler is batches


class Stream(IterableDataset[Any]):
    """Gives the samples in another order each time."""

    def __iter__(self) -> Any:
        return iter([DATA[at] for at in torch.randperm(COUNT).tolist()])


class Wrapped:
    """A loader below another one, as helpers make them."""

    def __init__(self, loader: Any) -> None:
        self.loader, self.dataset = loader, loader.dataset

    def __iter__(self) -> Any:
        return iter(self.loader)


UNKNOWN: dict[str, Callable[[], Any]] = {
    "generator": lambda: (batch for batch in DataLoader(DATA, 3, shuffle=True)),
    "stream": lambda: DataLoader(Stream(), 3),
    "wrapped": lambda: Wrapped(DataLoader(DATA, 3, shuffle=True)),
    "chunks": lambda: DataLoader(
        TensorDataset(*(part[:, None] for part in DATA.tensors)), batch_size=None, shuffle=True
    ),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_samples_of_an_unknown_order_have_one_name_in_every_run(what: str) -> None:
    torch.manual_seed(0)
    first, second = (collected(UNKNOWN[what]()) for _ in range(2))
    named = [dict(zip(found.ids, found.labels.truth, strict=True)) for found in (first, second)]
    assert first.ids != second.ids
    assert named[0] == named[1]


def test_batches_of_a_list_are_named_by_their_place() -> None:
    batches = [(images, labels) for images, labels in DataLoader(DATA, 4)]
    assert collected(batches).ids == tuple(map(str, range(COUNT)))


def test_what_was_drawn_twice_has_two_names() -> None:
    sampler = WeightedRandomSampler([1.0] + [0.0] * 10, 3)
    assert collected(DataLoader(DATA, 2, sampler=sampler)).ids == ("0", "0-2", "0-3")


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 8])
def test_ranks_joined_are_the_data_set_once(ranks: int, shuffle: bool) -> None:
    parts = [
        collected(DataLoader(DATA, 2, sampler=DistributedSampler(DATA, ranks, rank, shuffle)))
        for rank in range(ranks)
    ]
    found = Predictions.join(parts)
    assert sorted(map(int, found.ids)) == list(range(COUNT))
    assert found.ids == tuple(str(label) for label in found.labels.truth)


def test_what_is_dropped_is_named_once() -> None:
    found = collected(DataLoader(DATA, 4, drop_last=True))
    assert len(found) == 8
    said = "3 samples were left out by drop_last and not measured: 8, 9, 10."
    assert found.notes == (said,)
    assert said in measure(found).notes
    assert collected(DataLoader(DATA, 4, drop_last=True), limit=5).notes == ()
    assert collected(DataLoader(DATA, 4)).notes == ()
