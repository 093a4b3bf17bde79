"""Which samples a loader takes: its sampler is what trains, not the data set under it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from cvtrack_magics.capture.data.batching import Batching
from cvtrack_magics.capture.data.members import is_torch
from cvtrack_magics.capture.data.randomness import generators_kept
from cvtrack_magics.capture.data.reach import reach
from cvtrack_magics.capture.data.reached_code import is_library

_MORE = 16
_RANDOM = ("RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn from a data set.

    Attributes
    ----------
    indices : list of int or None
        The members, ascending where their order is random; ``None`` is all of them.
    per_epoch : int or None
        Samples an epoch, where the sampler says so.
    facts : mapping
        How they are drawn, where that is more than each once.
    weights : mapping of int to float
        Of a weighted sampler, the weight of each member.
    batches : str
        SHA-256 of what changes the samples when they are put into batches.
    """

    indices: list[int] | None = None
    per_epoch: int | None = None
    facts: dict[str, object] = field(default_factory=dict)
    weights: dict[int, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    batches: str = ""


def with_batches(drawn: Drawn, made: Batching) -> Drawn:
    """Return what is drawn with what becomes of it in batches."""
    return replace(drawn, batches=made.digest, notices=(*drawn.notices, *made.notices))


def drawn_by(loader: Any) -> Drawn:
    """Return what a torch ``DataLoader`` over a map-style data set draws from it."""
    sampler = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
    size, drop = 0, False
    while is_torch(sampler, "BatchSampler"):
        size, drop = int(sampler.batch_size), bool(sampler.drop_last)
        sampler = sampler.sampler
    total = len(loader.dataset)
    found, fixed = _members(sampler, total)
    count = found.per_epoch if found.per_epoch is not None else total
    if not (drop and size and count % size):
        return found
    whole = count // size * size
    if not fixed:  # which ones are left out differs from epoch to epoch
        return Drawn(found.indices, whole, found.facts, found.weights, found.notices)
    indices = list(range(total)) if found.indices is None else found.indices
    return Drawn(indices[:whole], whole, found.facts, found.weights, found.notices)


def drawn_of_stream(stream: Any, loader: Any | None, count: int) -> Drawn:
    """Return what a loader takes of a stream of so many samples.

    Without workers it may drop the last batch; of workers of which none knows that there are
    others, each gives the whole stream.
    """
    workers = int(getattr(loader, "num_workers", 0) or 0)
    if workers:
        times = workers if workers > 1 and _gives_all_to_each(stream, loader) else 1
        if times == 1:
            return Drawn()
        said = (
            f"Each of the loader's {workers} workers gives the whole {type(stream).__name__}: "
            f"{workers * count:,} samples of {count:,}. Divide it by get_worker_info()."
        )
        return Drawn(list(range(count)) * times, times * count, notices=(said,))
    size = int(getattr(loader, "batch_size", None) or 0)
    if not (size and getattr(loader, "drop_last", False)):
        return Drawn()
    whole = count // size * size
    return Drawn(list(range(whole)), whole)


def _gives_all_to_each(stream: Any, loader: Any) -> bool:
    """Say whether no code of a user's stream asks which worker it runs in."""
    if getattr(loader, "worker_init_fn", None) is not None or is_library(type(stream)):
        return False
    return not any("worker" in code for code in reach(stream).code)


def shuffles(sampler: Any) -> bool:
    """Say whether a sampler gives its samples in a random order."""
    name = type(sampler).__name__
    if is_torch(sampler, "BatchSampler"):
        return shuffles(sampler.sampler)
    return name in _RANDOM or "Random" in name or bool(getattr(sampler, "shuffle", False))


def _members(sampler: Any, total: int) -> tuple[Drawn, bool]:
    """Return what a sampler draws, and whether its order is fixed."""
    name, own = type(sampler).__name__, type(sampler).__module__.startswith("torch.")
    if own and name in ("SequentialSampler", "RandomSampler"):
        source = len(sampler.data_source)  # it may be another than the loader's data set
        indices = None if source == total else list(range(source))
        if name == "SequentialSampler":
            return Drawn(indices, source), True
        count = int(sampler.num_samples)
        if not sampler.replacement and count == source:
            return Drawn(indices, source), False
        facts = {"sampler": name, "samples": count, "replacement": bool(sampler.replacement)}
        return Drawn(indices, count, facts), False
    if own and name == "SubsetRandomSampler":
        indices = sorted(_wrapped(index, total) for index in sampler.indices)
        return Drawn(indices, len(indices)), False
    if own and name == "WeightedRandomSampler":
        return _weighted(sampler), False
    return _probed(sampler, total)


def _weighted(sampler: Any) -> Drawn:
    weights = [float(weight) for weight in sampler.weights]
    taken = {index: weight for index, weight in enumerate(weights) if weight > 0}
    count = int(sampler.num_samples)
    if not sampler.replacement and count == len(taken):  # each once, in a random order
        return Drawn(list(taken), count)
    facts: dict[str, object] = {
        "sampler": type(sampler).__name__,
        "samples": count,
        "replacement": bool(sampler.replacement),
    }
    return Drawn(list(taken), count, facts, taken)


def _probed(sampler: Any, total: int) -> tuple[Drawn, bool]:
    """Ask a sampler of unknown kind twice, with its epoch moved on where it has one."""
    name = type(sampler).__name__
    try:
        with generators_kept(sampler):
            first = _taken(_copy(sampler, 0), total)
            second = _taken(_copy(sampler, 1), total)
            # a generator of its own, that leaves no trace, may agree with itself once
            for epoch in range(2, _MORE if reach(sampler).chance else 0):
                again = _taken(_copy(sampler, epoch), total)
                if second == first or sorted(again or ()) != sorted(first or ()):
                    second = again
    except Exception as error:
        said = f"What {name} draws could not be read ({type(error).__name__}: {error}); "
        notice = f"{said}the digest is that of the whole data set."
        return Drawn(facts={"sampler": name}, notices=(notice,)), False
    if first is not None and first == second:
        return Drawn(first, len(first)), True
    if first is not None and second is not None and sorted(first) == sorted(second):
        return Drawn(sorted(first), len(first)), False
    if first is not None and hasattr(sampler, "num_replicas") and hasattr(sampler, "set_epoch"):
        said = f"{name} gives this process another {len(first)} of the {total} samples each epoch; "
    else:
        said = f"{name} draws other samples each time; "
    notice = f"{said}the digest is that of the whole data set."
    facts: dict[str, object] = {"sampler": name}
    if hasattr(sampler, "num_replicas"):
        facts = {}  # over the epochs and the processes it is the data set itself
    return Drawn(None, len(first) if first is not None else None, facts, notices=(notice,)), False


def _copy(sampler: Any, epoch: int) -> Any:
    made = copy.copy(sampler)
    if epoch and hasattr(made, "set_epoch"):
        made.set_epoch(int(getattr(sampler, "epoch", 0) or 0) + epoch)
    return made


def _taken(sampler: Any, total: int) -> list[int] | None:
    """Return the indices of one epoch; ``None`` of a sampler that does not end."""
    limit = 20 * total + 1000
    found = [_wrapped(index, total) for index in islice(_flat(sampler), limit)]
    return found if len(found) < limit else None


def _flat(items: Iterable[Any]) -> Iterator[int]:
    for item in items:
        if isinstance(item, (list, tuple)) or getattr(item, "ndim", 0) > 0:
            yield from _flat(item)
        else:
            yield int(item)


def _wrapped(index: Any, total: int) -> int:
    number = int(index)
    return number + total if number < 0 else number
