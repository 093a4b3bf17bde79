"""Streams: read to their end where nothing in them is left to chance, else by their files."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.detached import in_epoch
from cvtrack_magics.capture.data.files_in_samples import with_files
from cvtrack_magics.capture.data.folders import identify_files, identify_folder
from cvtrack_magics.capture.data.manyfiles import Progress
from cvtrack_magics.capture.data.places import holds_work
from cvtrack_magics.capture.data.randomness import generators_kept, without_transforms
from cvtrack_magics.capture.data.reach import Reached, reach
from cvtrack_magics.capture.data.samples import Rows, file_names, known_files
from cvtrack_magics.capture.data.scheme import Sample, label_text
from cvtrack_magics.capture.data.shapes import describe_shape, is_array, is_image, is_table
from cvtrack_magics.capture.data.stream_rows import rows_of, sha256_of
from cvtrack_magics.errors import NotIdentified, UsageProblem
from cvtrack_magics.redact import redact
from cvtrack_magics.secrets import looks_secret
from cvtrack_magics.secrets.records import HIDDEN
from cvtrack_magics.secrets.stored import lasting

_MOST = 1 << 20
_ROUNDS = 4
_ALIKE = 1024  # first samples of a second reading that tell whether chance is in a stream
_PLACES = ("__url__", "__local_path__")
_HINT = "Give the files it reads from, or a map-style Dataset."


@dataclass(frozen=True)
class Behind:
    """What is behind a stream that cannot be read twice alike.

    Attributes
    ----------
    samples : list of Sample
        Rows of its tables of files, else its files and arrays, in their order.
    header : dict
        The stream's class, the SHA-256 of its code, its settings and all its files.
    manifest : str
        Of the files.
    notice : str
        What is identified, and why it is not the samples.
    """

    samples: list[Sample]
    header: dict[str, object] = field(default_factory=dict)
    manifest: str = ""
    notice: str = ""


def is_stream(value: object) -> bool:
    """Say whether a value gives its samples only one after the other."""
    torch = loaded("torch")
    if torch is not None and isinstance(value, torch.utils.data.IterableDataset):
        return True
    hugging = any(base.__name__ == "IterableDataset" for base in type(value).__mro__)
    pipeline = type(value).__module__.startswith("webdataset.")
    return (hugging or pipeline) and hasattr(value, "__iter__")


def read_stream(
    value: Any, cache: Path | None = None, progress: Progress | None = None
) -> Rows | Behind:
    """Return a stream's samples, or what is behind it.

    Parameters
    ----------
    value : IterableDataset
        It is read to its end in a copy of its own, where nothing it holds or runs is random;
        it is never touched itself. A second copy's first 1,024 samples are compared, and all
        where one of those differs.
    cache : Path, optional
        Folder of the cache of file hashes.
    progress : callable, optional
        Called with samples done.

    Raises
    ------
    NotIdentified
        It can be read only once, reads from another machine, or nothing is behind it.
    UsageProblem
        A sample fails to load.
    """
    reached = reach(value)
    _refuse(value, reached)
    why = reached.chance and f"it asks for random numbers ({reached.chance})"
    if not why:
        found = _whole(value, reached, progress)
        if isinstance(found, Rows):
            return found
        why = found
    below = without_transforms(value)
    if below is not None and not (inner := reach(below)).chance:
        found = _whole(below, inner, progress)
        if isinstance(found, Rows):
            kind = type(value).__name__
            said = f"The transforms of {kind} are random, so its samples were hashed without "
            return Rows("samples", found.samples, "", found.schema, (f"{said}transforms.",))
    return _behind(value, reached, why, cache, progress)


def _refuse(value: Any, reached: Reached) -> None:
    kind = f"{type(value).__name__} is a stream and"
    if reached.once:
        raise NotIdentified(kind, f"it holds {reached.once}, which can be read only once", _HINT)
    if reached.address:
        said = f"it reads from {redact(reached.address)[:200]!r}, which is not on this machine"
        raise NotIdentified(kind, said, _HINT)
    if not (reached.files or reached.folders or reached.data):
        said = "its samples are made by its code alone: no file and no data is behind it"
        raise NotIdentified(kind, said, _HINT)
    for folder in reached.folders:
        if holds_work(folder):
            said = f"it reads from {folder!r}, where other files are written too"
            raise NotIdentified(kind, said, _HINT)


def _whole(value: Any, reached: Reached, progress: Progress | None) -> Rows | str:
    """Read two copies of a stream; a text says why they do not identify it."""
    shared = {id(item): item for item in reached.data if _is_large(item)}
    known: dict[str, str] = {}
    schema: dict[str, object] = {}
    first: list[tuple[str, int]] = []
    second: list[tuple[str, int]] = []
    for turn in range(2):
        try:
            made = copy.deepcopy(value, dict(shared))
            in_epoch(made, turn)
        except Exception as error:
            return f"it cannot be copied ({type(error).__name__})"
        found = _read(made, known, schema, progress, first)
        if isinstance(found, str):
            return found
        first, second = first or found, found
    if not first:
        raise UsageProblem(f"{type(value).__name__} is empty.", "Give one that holds samples.")
    if first != second:
        if sorted(first) != sorted(second):
            return "it gives other samples the next time"
        first = sorted(first)  # each epoch has its order
    samples = {at: Sample(sha, "", size, str(at)) for at, (sha, size) in enumerate(first)}
    return Rows("samples", samples, "", schema)


def _read(
    made: Any,
    known: dict[str, str],
    schema: dict[str, object],
    progress: Progress | None,
    earlier: list[tuple[str, int]],
) -> list[tuple[str, int]] | str:
    """Return SHA-256 and bytes of each sample, or why there is no telling."""
    found: list[tuple[str, int]] = []
    with generators_kept(made) as asked:
        for sample in _samples(made):
            schema.setdefault("sample", describe_shape(sample))
            try:
                found.append(hash_value(with_files(sample, known, None)))
            except NotIdentified as error:
                return f"its samples hold {error.what}, whose content cannot be told"
            if len(found) % 64 == 1 and asked():
                break
            if len(found) == _ALIKE and found == earlier[:_ALIKE]:
                return "it asks for random numbers" if asked() else earlier
            if _goes_round(found) or len(found) > _MOST:
                return f"it has not ended after {len(found):,} samples"
            if progress is not None and len(found) % 256 == 0:
                progress(len(found), len(found))
        return "it asks for random numbers" if asked() else found


def _is_large(item: object) -> bool:
    return is_array(item) or is_image(item) or is_table(item)


def _samples(value: Any) -> Iterator[Any]:
    at = 0
    items = iter(value)
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except Exception as error:
            raise UsageProblem(
                f"Sample {at} of {type(value).__name__} cannot be loaded: "
                f"{type(error).__name__}: {error}",
                "Every sample counts; correct or leave out this one.",
            ) from error
        yield _placeless(item)
        at += 1


def _placeless(sample: Any) -> Any:
    """Leave out where a sample of a shard was read from: it is the same elsewhere."""
    if isinstance(sample, Mapping) and not sample.keys().isdisjoint(_PLACES):
        return {key: item for key, item in sample.items() if key not in _PLACES}
    return sample


def _goes_round(found: list[tuple[str, int]]) -> bool:
    """Say whether samples are some first ones again and again, as of what never ends."""
    count = len(found)
    if count < 1000 or count & (count - 1):  # looked at when their number has doubled
        return False
    try:
        period = found.index(found[0], 1)
    except ValueError:
        return False
    whole = count // period * period
    return whole >= _ROUNDS * period and found[period:whole] == found[: whole - period]


def _behind(
    value: Any, reached: Reached, why: str, cache: Path | None, progress: Progress | None
) -> Behind:
    if reached.unknown:
        said = f"{why}, and it holds {reached.unknown}, whose content cannot be told"
        raise NotIdentified(f"{type(value).__name__} is a stream and", said, _HINT)
    own = None if cache is None else cache / "streams"
    folders = [identify_folder(Path(folder), own, progress) for folder in reached.folders]
    manifest, names = _files(reached.files, own, progress)
    known = known_files(manifest)
    by_path = {path: known[name] for path, name in names.items()}
    samples, more = rows_of(reached.data, by_path)
    if not samples:
        places = [(path, names[path]) for path in reached.files]
        samples = [Sample(by_path[p][0], label_text(n), by_path[p][1], n) for p, n in places]
    for found in folders:
        held = known_files(found.manifest).items()
        samples += [Sample(sha, label_text(name), size, name) for name, (sha, size) in held]
    if not samples:
        kind = f"{type(value).__name__} is a stream and"
        raise NotIdentified(kind, f"{why}, and no file and no data is behind it", _HINT)
    header: dict[str, object] = {
        "stream": type(value).__name__,
        "code": sha256_of(sorted(set(map(lasting, reached.code)))),
        "settings": sorted(_setting(name, item) for name, item in reached.settings),
        "more": more,
        "files": sha256_of(sorted(sha for sha, _ in by_path.values())),
        "content": "files",
    }
    whole = "".join(sorted({*manifest.splitlines(True), *_lines(folders)}, key=_name_of))
    count = whole.count("\n")
    behind = f"{count:,} file{'' if count == 1 else 's'}" if count else "data in memory"
    notice = (
        f"{type(value).__name__} is a stream that was not read, because {why}: what is "
        f"identified is the {behind} behind it, its settings and its code."
    )
    return Behind(samples, header, whole, notice)


def _setting(name: str, item: Any) -> list[str]:
    # the digest of what holds a password would tell it to whoever tries all of them
    text = HIDDEN if looks_secret(name, item) else lasting(_plain(item))
    return [lasting(name), text]


def _plain(item: Any) -> str:
    return json.dumps(item) if isinstance(item, (str, bool, int, float)) else repr(item)


def _lines(folders: Iterable[Any]) -> Iterator[str]:
    for found in folders:
        yield from found.manifest.splitlines(True)


def _name_of(line: str) -> str:
    return line.split("\t")[2]


def _files(
    paths: list[str], cache: Path | None, progress: Progress | None
) -> tuple[str, dict[str, str]]:
    every = sorted(set(paths))
    if not every:
        return "", {}
    root = os.path.commonpath([os.path.dirname(path) for path in every])
    names = dict(zip(every, file_names(every, root), strict=True))
    return identify_files(root, sorted(names.values()), cache, progress).manifest, names
