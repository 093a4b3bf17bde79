"""The samples of one data set: by its files, by its arrays, or read one by one."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.detached import detached, next_epoch
from cvtrack_magics.capture.data.files_in_samples import folders_of_all, with_files
from cvtrack_magics.capture.data.folders import identify_files
from cvtrack_magics.capture.data.label_changes import changed_labels
from cvtrack_magics.capture.data.manyfiles import Progress
from cvtrack_magics.capture.data.members import check_places
from cvtrack_magics.capture.data.randomness import generators_kept, without_transforms
from cvtrack_magics.capture.data.reach import reach
from cvtrack_magics.capture.data.scheme import Sample, label_text
from cvtrack_magics.capture.data.shapes import describe_shape, is_array
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.text import utf8

_PROBE = 8
Take = Callable[[Any, list[int]], list[Any]]
_READING = ("__getitem__", "__getitems__", "__len__")


@dataclass(frozen=True)
class Rows:
    """Samples by their place in a data set, and how they were found.

    Attributes
    ----------
    kind : {'files', 'arrays', 'samples'}
    samples : dict of int to Sample
    manifest : str
        Of the files, sorted by name.
    certain : bool
        ``False`` when the samples differ from one reading to the next.
    """

    kind: str
    samples: dict[int, Sample]
    manifest: str = ""
    schema: dict[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    certain: bool = True


def taken(dataset: Any, places: list[int]) -> list[Any]:
    """Return samples as a loader takes those of a batch: at once where the data set can."""
    many = getattr(dataset, "__getitems__", None)
    return list(many(places)) if callable(many) else [dataset[place] for place in places]


def one_by_one(dataset: Any, places: list[int]) -> list[Any]:
    """Return samples as a loader that makes no batches takes them."""
    return [dataset[place] for place in places]


def rows_of(
    base: Any,
    places: Sequence[int],
    cache: Path | None = None,
    progress: Progress | None = None,
    take: Take = taken,
) -> Rows:
    """Return the samples at some places of a data set, its transforms left out if random.

    Parameters
    ----------
    base : Dataset
    places : sequence of int
    cache, progress : as in `identify_files`
    take : callable, optional
        Gives samples of a data set; as a loader takes those of a batch by default.

    Raises
    ------
    UsageProblem
        A file or a sample cannot be read.
    """
    wanted = sorted(set(places))
    listed = isinstance(getattr(base, "samples", None), list) and hasattr(base, "class_to_idx")
    parts = None if listed else array_parts(base)
    if parts is not None:
        check_places(base, wanted)
        return Rows("arrays", _by_arrays(parts, wanted), notices=_said_of_labels(base))
    base = detached(base)
    if listed and _gives_its_files(base, wanted):
        return _by_files(base, wanted, cache, progress)
    return _by_reading(base, wanted, progress, take)


def _is_own(method: Any) -> bool:
    code = getattr(method, "__code__", None)
    return code is not None and not is_foreign(code.co_filename)


def _gives_its_files(base: Any, wanted: list[int]) -> bool:
    """Say whether samples are what ``samples`` lists: files and labels of these places."""
    get = getattr(type(base), "__getitem__", None)
    code = getattr(get, "__code__", None)
    many = getattr(type(base), "__getitems__", None)
    if not _is_own(get) and not _is_own(many):
        return code is None or len(base) == len(base.samples)
    if code is None or _is_own(many):
        return False
    if len(base) != len(base.samples) or not {"samples", "super"} & set(code.co_names):
        return False
    change: Any = getattr(base, "target_transform", None)
    with generators_kept(base):
        for index in wanted:
            _, *given = base.samples[index]
            labels = [change(given[0])] if change is not None and len(given) == 1 else given
            parts = _scalars(_sample(base, index))
            if not all(label_text(label) in parts for label in labels):
                return False  # it says something else than its list
    return True


def _scalars(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*map(_scalars, value.values()))
    if isinstance(value, (list, tuple)):
        return {label_text(value)}.union(*map(_scalars, value)) if len(value) < 100 else set()
    plain = isinstance(value, (str, bool, int, float)) or getattr(value, "ndim", 1) == 0
    return {label_text(value)} if plain else set()


def array_parts(base: Any) -> dict[str, Any] | None:
    """Return the arrays a data set consists of, one row a sample; ``None`` of others."""
    torch = loaded("torch")
    if any(_is_own(getattr(type(base), name, None)) for name in _READING):
        return None  # of a subclass that gives something else
    if torch is not None and isinstance(base, torch.utils.data.TensorDataset):
        return {str(index): tensor for index, tensor in enumerate(base.tensors)}
    if not type(base).__module__.startswith("torchvision.datasets"):
        return None
    parts = _torchvision_parts(base)
    changes = callable(getattr(base, "target_transform", None))
    for name in parts.keys() - {"data"} if changes else ():
        parts[name] = changed_labels(base, parts[name])[0]
    return parts if "data" in parts and len(parts) > 1 else None


def _torchvision_parts(base: Any) -> dict[str, Any]:
    found: dict[str, Any] = {n: getattr(base, n, None) for n in ("data", "targets", "labels")}
    sized = {name: item for name, item in found.items() if hasattr(item, "__len__")}
    return {name: item for name, item in sized.items() if len(item) == len(base)}


def _said_of_labels(base: Any) -> tuple[str, ...]:
    if not callable(getattr(base, "target_transform", None)):
        return ()
    labels = (item for name, item in _torchvision_parts(base).items() if name != "data")
    return tuple(dict.fromkeys(text for item in labels for text in changed_labels(base, item)[1]))


def file_names(paths: Sequence[str], root: str) -> list[str]:
    """Return paths relative to a folder, with forward slashes."""
    return [os.path.relpath(path, root).replace(os.sep, "/") for path in paths]


def _by_files(base: Any, wanted: list[int], cache: Path | None, progress: Progress | None) -> Rows:
    root = os.path.abspath(str(getattr(base, "root", "") or os.getcwd()))
    chosen = [base.samples[index] for index in wanted]
    names = file_names([str(path) for path, *_ in chosen], root)
    # A subset has a cache of its own, so that it does not push out the whole.
    own = cache if cache is None or len(wanted) == len(base.samples) else cache / "subsets"
    found = identify_files(root, sorted(set(names)), own, progress)
    known = known_files(found.manifest)
    given = [row[1] if len(row) == 2 else list(row[1:]) for row in chosen]
    single = all(len(row) == 2 for row in chosen)
    labels, notices = changed_labels(base, given) if single else (given, ())
    samples = {}
    for index, name, label in zip(wanted, names, labels, strict=True):
        sha256, size = known[name]
        samples[index] = Sample(sha256, label_text(label), size, name)
    return Rows("files", samples, found.manifest, notices=notices)


def known_files(manifest: str) -> dict[str, tuple[str, int]]:
    """Return SHA-256 and bytes of each file of a manifest, by its name."""
    from cvtrack_magics.capture.data.manifest import read_manifest

    return {entry.name: (entry.sha256, entry.size) for entry in read_manifest(manifest)}


def _by_arrays(parts: dict[str, Any], wanted: list[int]) -> dict[int, Sample]:
    columns = [_row_hashes(name, item, wanted) for name, item in sorted(parts.items())]
    samples = {}
    for at, index in enumerate(wanted):
        whole = hashlib.sha256(b"".join(column[at] for column in columns))
        samples[index] = Sample(whole.hexdigest(), name=str(index))
    return samples


def _row_hashes(name: str, item: Any, wanted: list[int]) -> list[bytes]:
    """Return ``name TAB sha256 NEWLINE`` of each row, as `hash_array` would hash it."""
    import numpy as np

    array = item if is_array(item) else np.asarray(item)
    if hasattr(array, "detach"):
        tensor = array.detach().cpu()
        try:
            array = tensor.numpy()
        except (TypeError, RuntimeError):  # types that NumPy does not have
            return [utf8(f"{name}\t{hash_value(tensor[i])[0]}\n") for i in wanted]
    if array.dtype.kind not in "biufc" or array.dtype.char in "gG":
        rows = [array[i] for i in wanted]
        plain = [row.item() if hasattr(row, "item") and row.ndim == 0 else row for row in rows]
        return [utf8(f"{name}\t{hash_value(row)[0]}\n") for row in plain]
    head = f"{np.lib.format.dtype_to_descr(array.dtype)}|{tuple(array.shape[1:])}\n".encode()
    sha256 = hashlib.sha256
    return [utf8(f"{name}\t{sha256(head + array[i].tobytes()).hexdigest()}\n") for i in wanted]


def _by_reading(base: Any, wanted: list[int], progress: Progress | None, take: Take) -> Rows:
    kind = type(base).__name__
    chance = reach(base).chance
    found = None if chance else _read(base, wanted, progress, take)
    if found is not None:
        return found
    below = _below_transforms(base)
    again = None if below is None else _read(below, wanted, progress, take)
    if again is not None:
        notice = (
            f"The transforms of {kind} are random, so its samples were hashed without transforms."
        )
        return Rows("samples", again.samples, "", again.schema, (notice,))
    with generators_kept(base):
        schema: dict[str, object] = {"sample": describe_shape(_sample(base, wanted[0], take))}
    why = chance or "random transforms"
    notice = (
        f"{kind} gives other samples each time ({why}), so its identity was not "
        "recorded. Give the files or arrays under it, or the data set without transforms."
    )
    return Rows("samples", {}, "", schema, (notice,), certain=False)


def _below_transforms(base: Any) -> Any | None:
    """Return a copy without transforms, its caches empty where it can be read so."""
    for emptied in (True, False):
        made = without_transforms(base, emptied=emptied)
        if made is not None and not reach(made).chance and _readable(detached(made)):
            return detached(made)
    return None


def _readable(base: Any) -> bool:
    try:
        with generators_kept(base):
            hash_value(with_files(base[0], {}))
    except Exception:  # it cannot do without its transforms
        return False
    return True


def _read(base: Any, wanted: list[int], progress: Progress | None, take: Take) -> Rows | None:
    """Read samples; ``None`` when they differ or a random number was asked for."""
    few = min(_PROBE, len(wanted))
    probe = [wanted[at * len(wanted) // few] for at in range(few)]
    known: dict[str, str] = {}
    shared: frozenset[str] = frozenset()

    def hashed(index: int, made: Any = base) -> tuple[str, int]:
        return hash_value(with_files(_sample(made, index, take), known, shared))

    with generators_kept(base) as asked:
        if len(wanted) > 1:
            ends = (_sample(base, index, take) for index in (wanted[0], wanted[-1]))
            shared = folders_of_all(*ends)
        rows = {index: hashed(index) for index in probe}
        with next_epoch(detached(base)) as later:
            again = {index: hashed(index, later) for index in probe}
        if rows != again or asked():
            return None
        schema: dict[str, object] = {"sample": describe_shape(_sample(base, wanted[0], take))}
        due = time.monotonic() + 0.1
        for at, index in enumerate(wanted, 1):
            rows[index] = hashed(index)
            if progress is not None and time.monotonic() >= due:
                progress(at, len(wanted))
                due = time.monotonic() + 0.1
        # what counts its readings, or was changed meanwhile, is not what it was
        if asked() or any(rows[index] != hashed(index) for index in probe):
            return None
    if progress is not None:
        progress(len(wanted), len(wanted))
    made = {index: Sample(sha, "", size, str(index)) for index, (sha, size) in rows.items()}
    return Rows("samples", made, "", schema)


def _sample(value: Any, index: int, take: Take = taken) -> Any:
    try:
        return take(value, [index])[0]
    except Exception as error:
        raise UsageProblem(
            f"Sample {index} of {type(value).__name__} cannot be loaded: "
            f"{type(error).__name__}: {error}",
            "Every sample counts; correct or leave out this one.",
        ) from error
