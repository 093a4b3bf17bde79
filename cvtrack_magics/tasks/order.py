"""Which samples of its data set a loader gave, in the order it gave them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cvtrack_magics.tasks.samples import unique


class Order:
    """The places in the data set, as the sampler named them; empty where it is not known."""

    def __init__(self, loader: Any) -> None:
        self._loader = _below_bar(loader)
        self.dataset = getattr(self._loader, "dataset", None)
        self._fixed = isinstance(self._loader, (list, tuple))
        self._sampler: Any = None
        self.drawn: list[int] = []

    def ids(self, start: int, stop: int) -> tuple[str, ...] | None:
        """Return the data set's own indices of some samples; their places in a list.

        None where the order is not known, and the next run may have another: there a sample's
        picture is its name.
        """
        if self._fixed:
            return tuple(str(at) for at in range(start, stop))
        if len(self.drawn) < stop:
            return None
        return unique([str(_own(self.dataset, at)) for at in self.drawn[start:stop]])

    def left_out(self, done: int) -> tuple[str, ...]:
        """Return the ids of the samples that were drawn and then dropped (``drop_last``)."""
        return tuple(str(_own(self.dataset, at)) for at in self.drawn[done:])

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
        return len(rows) - len({_own(self.dataset, self.drawn[row]) for row in rows})

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what the loader's sampler draws; it has its own sampler again afterwards."""
        from torch.utils.data import BatchSampler, DataLoader, IterableDataset

        loader = self._loader
        batches: Any = loader.batch_sampler if isinstance(loader, DataLoader) else None
        if batches is None or isinstance(loader.dataset, IterableDataset):
            yield
            return
        if type(batches) is BatchSampler:  # also below workers that last, which hold this object
            self._sampler = own = batches.sampler
            batches.sampler = _Noted(own, self.drawn.append)
            try:
                yield
            finally:
                batches.sampler = own
            return
        # DataLoader refuses to have another one set
        object.__setattr__(loader, "batch_sampler", _Noted(batches, self.drawn.extend))
        try:
            yield
        finally:
            object.__setattr__(loader, "batch_sampler", batches)


class _Noted:
    """A sampler that notes what it gives."""

    def __init__(self, sampler: Any, note: Callable[[Any], None]) -> None:
        self._sampler, self._note = sampler, note

    def __iter__(self) -> Iterator[Any]:
        for given in self._sampler:
            self._note(given)
            yield given

    def __len__(self) -> int:
        return len(self._sampler)


def _below_bar(loader: Any) -> Any:
    """Return the loader below a progress bar (tqdm), which gives what it gives."""
    below = getattr(loader, "iterable", None)
    return loader if below is None else below


def _own(dataset: Any, at: Any) -> Any:
    """Return a sample's index in the data set below all Subsets."""
    from torch.utils.data import Subset

    while isinstance(dataset, Subset):
        at, dataset = dataset.indices[at], dataset.dataset
    return int(at) if hasattr(at, "__index__") else at
