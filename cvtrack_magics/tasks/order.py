"""Which samples of its data set a loader gave, in the order it gave them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cvtrack_magics.tasks.samples import unique


class Order:
    """The places in the data set, as the sampler named them; empty where it is not known."""

    def __init__(self, loader: Any) -> None:
        self._dataset = getattr(loader, "dataset", None)
        self._sampler: Any = None
        self.drawn: list[int] = []

    def ids(self, start: int, stop: int) -> tuple[str, ...]:
        """Return the data set's own indices of some samples, else their places in the loader."""
        if len(self.drawn) < stop:
            return tuple(str(at) for at in range(start, stop))
        return unique([str(_own(self._dataset, at)) for at in self.drawn[start:stop]])

    def left_out(self, done: int) -> tuple[str, ...]:
        """Return the ids of the samples that were drawn and then dropped (``drop_last``)."""
        return tuple(str(_own(self._dataset, at)) for at in self.drawn[done:])

    def real(self, count: int) -> list[int]:
        """Return the rows that are no padding of a ``DistributedSampler``.

        It fills the last round up with samples of the first, so that all ranks have as many.
        """
        from torch.utils.data.distributed import DistributedSampler

        sampler = self._sampler
        if not isinstance(sampler, DistributedSampler):
            return list(range(count))
        length = len(sampler.dataset)
        return [row for row in range(count) if sampler.rank + row * sampler.num_replicas < length]

    def repeated(self, rows: list[int]) -> int:
        """Return how many of some rows are of a sample that an earlier row had."""
        if not rows or len(self.drawn) <= max(rows):
            return 0
        return len(rows) - len({_own(self._dataset, self.drawn[row]) for row in rows})

    @contextmanager
    def watching(self, loader: Any) -> Iterator[None]:
        """Note what the loader's sampler draws; it has its own sampler again afterwards."""
        from torch.utils.data import BatchSampler, DataLoader, IterableDataset

        batches: Any = loader.batch_sampler if isinstance(loader, DataLoader) else None
        if type(batches) is not BatchSampler or isinstance(loader.dataset, IterableDataset):
            yield
            return
        own = batches.sampler
        self._sampler = own
        batches.sampler = _Noted(own, self.drawn)
        try:
            yield
        finally:
            batches.sampler = own


class _Noted:
    """A sampler that notes what it gives."""

    def __init__(self, sampler: Any, drawn: list[int]) -> None:
        self._sampler, self._drawn = sampler, drawn

    def __iter__(self) -> Iterator[int]:
        for at in self._sampler:
            self._drawn.append(at)
            yield at

    def __len__(self) -> int:
        return len(self._sampler)


def _own(dataset: Any, at: Any) -> Any:
    """Return a sample's index in the data set below all Subsets."""
    from torch.utils.data import Subset

    while isinstance(dataset, Subset):
        at, dataset = dataset.indices[at], dataset.dataset
    return int(at) if hasattr(at, "__index__") else at
