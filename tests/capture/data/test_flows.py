"""Streams: identified by what they give, else by what is behind them, else not, with the reason."""

# ruff: noqa: SIM115 -- handles are left open, as they are in notebooks
from __future__ import annotations

import array
import collections
import collections.abc
import csv
import datetime
import decimal
import functools
import glob
import io
import itertools
import os
import queue
import random
import socket
import sqlite3
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import ChainDataset, DataLoader, IterableDataset, TensorDataset
from torchvision import transforms as v1

from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.errors import NotIdentified, UsageProblem
from cvtrack_magics.records import Artifact, Dataset, Notice, Param

Row = tuple[str, bytes, int]
ROWS: list[Row] = [(f"{n}.bin", bytes([n, 7]) * 5, n % 3) for n in range(6)]


def both(value: object) -> tuple[str, str]:
    records = describe_data(value, name="x")
    assert any(isinstance(r, Param) for r in records)
    found = next(r for r in records if isinstance(r, Dataset))
    return found.digest, str(found.profile["samples_sha256"])


def written(folder: Path, rows: list[Row]) -> list[str]:
    """Write the files of some rows; a repeat is the same file named twice."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content, _ in rows:
        (folder / name).write_bytes(content)
    return [str(folder / name) for name, _, _ in rows]


def add_tar(path: Path, rows: list[Row]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content, label in rows:
            for suffix, data in ((".img", content), (".cls", str(label).encode())):
                info = tarfile.TarInfo(name + suffix)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return str(path)


class Base(IterableDataset):  # type: ignore[type-arg]
    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


class Pairs(Base):
    def __iter__(self) -> Iterator[Any]:
        for path, label in self.pairs:
            yield Path(path).read_bytes(), label


class TwoLists(Base):
    def __iter__(self) -> Iterator[Any]:
        for path, label in zip(self.paths, self.labels, strict=True):
            yield Path(path).read_bytes(), label


class Mappings(Base):
    def __iter__(self) -> Iterator[Any]:
        for row in self.rows:
            yield {"image": Path(row["image"]).read_bytes(), "label": row["label"]}


class Table(Base):
    def __iter__(self) -> Iterator[Any]:
        for row in self.frame.itertuples():
            yield Path(row.path).read_bytes(), row.label


class Tar(Base):
    def __iter__(self) -> Iterator[Any]:
        with tarfile.open(self.shard) as archive:
            for member in archive:
                yield member.name, archive.extractfile(member).read()  # type: ignore[union-attr]


class Zip(Base):
    def __iter__(self) -> Iterator[Any]:
        with zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                yield info.filename, archive.read(info)


class Listed(Base):
    def __iter__(self) -> Iterator[Any]:
        with open(self.index, newline="") as file:
            for path, label in csv.reader(file):
                yield Path(path).read_bytes(), int(label)


class Memory(Base):
    def __iter__(self) -> Iterator[Any]:
        yield from zip(self.images, self.labels, strict=True)


class Shards(Base):
    def __iter__(self) -> Iterator[Any]:
        for shard in sorted(glob.glob(self.pattern)):
            with tarfile.open(shard) as archive:
                for member in archive:
                    yield member.name, archive.extractfile(member).read()  # type: ignore[union-attr]


class Called(Base):
    def __iter__(self) -> Iterator[Any]:
        yield from self.read()


def read_pairs(pairs: list[tuple[str, int]]) -> Iterator[Any]:
    for path, label in pairs:
        yield Path(path).read_bytes(), label


def as_pairs(kind: Callable[..., Any]) -> Callable[[Path, list[Row]], Any]:
    def make(folder: Path, rows: list[Row]) -> Any:
        paths = written(folder, rows)
        return kind([(path, row[2]) for path, row in zip(paths, rows, strict=True)])

    return make


def two_lists(folder: Path, rows: list[Row]) -> Any:
    return TwoLists(paths=written(folder, rows), labels=[row[2] for row in rows])


def mappings(folder: Path, rows: list[Row]) -> Any:
    named = zip(written(folder, rows), rows, strict=True)
    return Mappings(rows=[{"image": path, "label": row[2]} for path, row in named])


def table(folder: Path, rows: list[Row]) -> Any:
    paths = written(folder, rows)
    return Table(frame=pd.DataFrame({"path": paths, "label": [row[2] for row in rows]}))


def memory(folder: Path, rows: list[Row]) -> Any:
    images = torch.stack([torch.tensor(list(row[1])) for row in rows])
    return Memory(images=images, labels=torch.tensor([row[2] for row in rows]))


def arrays(folder: Path, rows: list[Row]) -> Any:
    images = np.stack([np.frombuffer(row[1], np.uint8) for row in rows])
    return Memory(images=images, labels=[row[2] for row in rows])


def listed(folder: Path, rows: list[Row]) -> Any:
    paths = written(folder, rows)
    with open(folder / "index.csv", "w", newline="") as file:
        csv.writer(file).writerows((p, row[2]) for p, row in zip(paths, rows, strict=True))
    return Listed(index=str(folder / "index.csv"), paths=sorted(set(paths)))


def zipped(folder: Path, rows: list[Row]) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for at, (name, content, label) in enumerate(rows):
            archive.writestr(f"{label}/{at}/{name}", content)
    return Zip(path=folder / "a.zip")


def shards(folder: Path, rows: list[Row]) -> Any:
    add_tar(folder / "s-000.tar", rows[:3])
    add_tar(folder / "s-001.tar", rows[3:])
    return Shards(pattern=str(folder / "s-*.tar"))


def closed_over(pairs: list[tuple[str, int]]) -> Any:
    def read() -> Iterator[Any]:
        yield from read_pairs(pairs)

    return Called(read=read)


FORMS: dict[str, Callable[[Path, list[Row]], Any]] = {
    "pairs": as_pairs(lambda pairs: Pairs(pairs=pairs)),
    "pairs in a tuple": as_pairs(lambda pairs: Pairs(pairs=tuple(pairs))),
    "two lists": two_lists,
    "mappings": mappings,
    "table": table,
    "tensors": memory,
    "arrays": arrays,
    "index file": listed,
    "closure": as_pairs(closed_over),
    "partial": as_pairs(lambda pairs: Called(read=functools.partial(read_pairs, pairs))),
    "lambda": as_pairs(lambda pairs: Called(read=lambda: read_pairs(pairs))),
    "chain": as_pairs(lambda p: ChainDataset([Pairs(pairs=p[:3]), Pairs(pairs=p[3:])])),
    "loader": as_pairs(lambda pairs: DataLoader(Pairs(pairs=pairs), batch_size=4)),
    "tar": lambda folder, rows: Tar(shard=add_tar(folder / "a.tar", rows)),
    "zip": zipped,
    "shards": shards,
}
ARCHIVES = ("tar", "zip", "shards")


def changed(rows: list[Row], change: str) -> list[Row]:
    made = list(rows)
    name, content, label = made[2]
    if change == "byte":
        made[2] = (name, content[:-1] + b"\xff", label)
    elif change == "label":
        made[2] = (name, content, 9)
    elif change == "labels swapped":
        made[2], made[3] = (name, content, made[3][2]), (*made[3][:2], label)
    elif change == "member":
        made.pop()
    elif change == "repeat":
        made.append(made[2])
    elif change == "order":
        made.reverse()
    return made


CHANGES = ("byte", "label", "labels swapped", "member", "repeat", "order")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", CHANGES)
def test_a_stream_counts_by_what_it_gives(tmp_path: Path, form: str, change: str) -> None:
    before = both(FORMS[form](tmp_path / "one", ROWS))
    assert before == both(FORMS[form](tmp_path / "two", ROWS))  # wherever it is
    after = both(FORMS[form](tmp_path / "three", changed(ROWS, change)))
    assert after[0] != before[0]
    # the name of a member of an archive is a part of what these streams give
    numbered = form == "zip" and change == "order"
    assert (after[1] == before[1]) is (change == "order" and not numbered)


class Mixed(Base):
    """Gives its rows in an order of chance, by a generator that nobody sees."""

    def __iter__(self) -> Iterator[Any]:
        for at in np.random.default_rng().permutation(len(self.pairs)):
            path, label = self.pairs[at]
            yield Path(path).read_bytes(), label


class MixedTwo(Base):
    def __iter__(self) -> Iterator[Any]:
        order = list(range(len(self.paths)))
        random.shuffle(order)
        for at in order:
            yield Path(self.paths[at]).read_bytes(), self.labels[at]


class MixedMemory(Base):
    def __iter__(self) -> Iterator[Any]:
        for at in torch.randperm(len(self.images)):
            yield self.images[at], self.labels[at]


class MixedMappings(Base):
    def __iter__(self) -> Iterator[Any]:
        for row in random.sample(self.rows, len(self.rows)):
            yield {"image": Path(row["image"]).read_bytes(), "label": row["label"]}


class MixedTable(Base):
    def __iter__(self) -> Iterator[Any]:
        for row in self.frame.sample(frac=1, random_state=random.randint(0, 9)).itertuples():
            yield Path(row.path).read_bytes(), row.label


def mixed(kind: Any, form: str) -> Callable[[Path, list[Row]], Any]:
    return lambda folder, rows: kind(**vars(FORMS[form](folder, rows)))


MIXED: dict[str, Callable[[Path, list[Row]], Any]] = {
    "pairs": mixed(Mixed, "pairs"),
    "tuples": mixed(Mixed, "pairs in a tuple"),
    "two lists": mixed(MixedTwo, "two lists"),
    "tensors": mixed(MixedMemory, "tensors"),
    "arrays": mixed(MixedMemory, "arrays"),
    "mappings": mixed(MixedMappings, "mappings"),
    "table": mixed(MixedTable, "table"),
}


@pytest.mark.parametrize("form", MIXED)
@pytest.mark.parametrize("change", CHANGES)
def test_a_stream_with_chance_counts_by_what_is_behind_it(
    tmp_path: Path, form: str, change: str
) -> None:
    before = both(MIXED[form](tmp_path / "one", ROWS))
    assert before == both(MIXED[form](tmp_path / "two", ROWS))
    after = both(MIXED[form](tmp_path / "three", changed(ROWS, change)))
    assert after[0] != before[0]
    assert (after[1] == before[1]) is (change == "order")
    records = describe_data(MIXED[form](tmp_path / "one", ROWS), name="x")
    (notice,) = (r.text for r in records if isinstance(r, Notice))
    assert "because it asks for random numbers" in notice


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    form=st.sampled_from(["pairs", "two lists", "table", "tensors", "index file", "loader"]),
    labels=st.lists(st.integers(0, 2), min_size=2, max_size=7),
    picks=st.permutations(range(7)),
    at=st.integers(0, 6),
    change=st.sampled_from(["byte", "label", "member", "repeat", "order"]),
)
def test_any_change_of_a_stream_changes_the_digest_it_should(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    labels: list[int],
    picks: list[int],
    at: int,
    change: str,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [(f"{n}.bin", bytes([n, 7, n]), label) for n, label in zip(picks, labels, strict=False)]
    made, at = list(rows), at % len(rows)
    name, content, label = made[at]
    if change == "byte":
        made[at] = (name, content[:1] + b"\xff" + content[2:], label)
    elif change == "label":
        made[at] = (name, content, label + 1)
    elif change == "member":
        made.pop(at)
    elif change == "repeat":
        made.append(made[at])
    else:
        made.reverse()
    old, new = both(FORMS[form](folder / "old", rows)), both(FORMS[form](folder / "new", made))
    assert old[0] != new[0]
    assert (old[1] == new[1]) is (change == "order")


class Drawn(Base):
    def __iter__(self) -> Iterator[Any]:
        yield random.random(), self.source


CLOSED: dict[str, Callable[[bytes], Any]] = {
    "array": lambda data: array.array("B", data),
    "deque": collections.deque,
    "bytes": lambda data: [data],
    "memory file": lambda data: zipfile.ZipFile(io.BytesIO(zip_of(data))),
    "arrow": lambda data: pytest.importorskip("pyarrow").table({"x": list(data)}),
    "date": lambda data: datetime.date(2000 + data[0] % 99, 1, 1),
    "decimal": lambda data: decimal.Decimal(data[0]),
    "objects": lambda data: np.array([data, None], object),
}


def zip_of(data: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), data)
    return made.getvalue()


@pytest.mark.parametrize("kind", CLOSED)
def test_what_compiled_code_holds_counts(tmp_path: Path, kind: str) -> None:
    paths = written(tmp_path, ROWS)
    first, again, other = (
        both(Drawn(source=CLOSED[kind](data), paths=paths)) for data in (b"ab", b"ab", b"xb")
    )
    assert first == again
    assert not set(first) & set(other)


def test_what_nobody_can_look_into_is_said(tmp_path: Path) -> None:
    stream = Drawn(source=zlib.decompressobj(), paths=written(tmp_path, ROWS))
    with pytest.raises(NotIdentified, match="holds a Decompress, whose content cannot be told"):
        describe_data(stream, name="x")


class Seeded(Mixed):
    """Holds a seed that was drawn when it was made, as a library does."""

    def __init__(self, **held: Any) -> None:
        seed = int(np.random.default_rng().integers(1 << 30))
        super().__init__(seed=seed, options={"seed": seed, "handler": len}, **held)
        self.more = {"shuffle_seed": seed, "size": 3}


def test_a_seed_that_is_drawn_anew_does_not_count(tmp_path: Path) -> None:
    pairs = vars(FORMS["pairs"](tmp_path, ROWS))
    assert len({both(Seeded(**pairs)) for _ in range(4)}) == 1


GIVEN: list[tuple[str, int]] = []


class FromGlobals(IterableDataset):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[Any]:
        return read_pairs(GIVEN)


def test_globals_count(tmp_path: Path) -> None:
    GIVEN[:] = [(path, 0) for path in written(tmp_path, ROWS)]
    before = both(FromGlobals())
    GIVEN.pop()
    assert not set(before) & set(both(FromGlobals()))


def test_a_stream_is_the_data_set_of_its_samples(tmp_path: Path) -> None:
    stream = memory(tmp_path, ROWS)

    class Indexed(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return len(ROWS)

        def __getitem__(self, index: int) -> Any:
            return stream.images[index], stream.labels[index]

    assert both(stream) == both(Indexed())


def test_a_loader_that_drops_its_last_batch(tmp_path: Path) -> None:
    stream = FORMS["pairs"](tmp_path, ROWS)
    dropped = DataLoader(stream, batch_size=4, drop_last=True)
    assert both(dropped) == both(FORMS["pairs"](tmp_path / "four", ROWS[:4]))


def test_the_stream_itself_is_not_touched(tmp_path: Path) -> None:
    class Counts(Pairs):
        epoch = 0

        def __iter__(self) -> Iterator[Any]:
            self.epoch += 1
            self.pairs.append(self.pairs[0])
            return iter(self.pairs)

    stream = Counts(pairs=[(path, 0) for path in written(tmp_path, ROWS)])
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    describe_data(stream, name="x")
    assert stream.epoch == 0
    assert len(stream.pairs) == len(ROWS)
    assert torch.equal(torch.rand(2), expected)


class Changed(Pairs):
    def __iter__(self) -> Iterator[Any]:
        for path, _ in self.pairs:
            yield self.transform(torch.tensor(list(Path(path).read_bytes()[:3])))


RANDOM = [
    v1.RandomErasing(p=1e-6),
    v1.RandomHorizontalFlip(p=1e-6),
    v1.RandomApply([torch.nn.Identity()], p=1e-6),
    lambda picture: picture * (random.random() > 1e-9),
    lambda picture: picture if np.random.rand() > 1e-9 else -picture,
]


@pytest.mark.parametrize("transform", RANDOM)
def test_random_transforms_of_a_stream_are_left_out(tmp_path: Path, transform: Any) -> None:
    pairs = [(path, 0) for path in written(tmp_path, ROWS)]
    plain = both(Changed(pairs=pairs, transform=lambda picture: picture))
    stream = Changed(pairs=pairs, transform=transform)
    assert both(stream) == plain
    assert any("without transforms" in r.text for r in _notices(stream))


def _notices(value: object) -> list[Notice]:
    return [r for r in describe_data(value, name="x") if isinstance(r, Notice)]


class Endless(Pairs):
    def __iter__(self) -> Iterator[Any]:
        return itertools.cycle(list(read_pairs(self.pairs)))


class Steps(Pairs):
    """A stream whose code reads only every other row."""

    def __iter__(self) -> Iterator[Any]:
        return read_pairs(self.pairs[:: self.every])


def test_what_does_not_end_counts_by_what_is_behind_it(tmp_path: Path) -> None:
    pairs = [(path, 0) for path in written(tmp_path, ROWS)]
    (notice,) = _notices(Endless(pairs=pairs))
    assert "because it has not ended after 1,024 samples" in notice.text
    assert not set(both(Endless(pairs=pairs))) & set(both(Endless(pairs=pairs[1:])))
    assert not set(both(Steps(pairs=pairs, every=2))) & set(both(Steps(pairs=pairs, every=3)))


class Made(IterableDataset):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[Any]:
        return iter(range(3))


class Noise(Base):
    def __iter__(self) -> Iterator[Any]:
        return iter(torch.rand(self.samples))


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a generator": (lambda p: (n for n in range(3)), "only once"),
    "an iterator": (lambda p: iter([1]), "only once"),
    "a map": (lambda p: map(int, "12"), "only once"),
    "code alone": (lambda p: Made(), "no file and no data"),
    "noise": (lambda p: Noise(samples=3), "no file and no data"),
    "holds a generator": (lambda p: Memory(images=(n for n in range(3)), labels=[1]), "generator"),
    "holds an iterator": (lambda p: Memory(images=iter([1]), labels=[1]), "list_iterator"),
    "a closure's generator": (lambda p: closed_over(n for n in ()), "generator"),  # type: ignore[arg-type]
    "holds a socket": (lambda p: Pairs(source=socket.socket()), "socket"),
    "holds a queue": (lambda p: Pairs(source=queue.Queue()), "Queue"),
    "holds a database": (lambda p: Pairs(source=sqlite3.connect(":memory:")), "Connection"),
    "an address": (lambda p: Tar(shard="https://host/a.tar"), "https://host/a.tar"),
    "a command": (lambda p: Tar(shard="pipe:curl -s https://host/a.tar"), "pipe:curl"),
    "an object store": (lambda p: Tar(shard="s3://data/a-{000..009}.tar"), "s3://data"),
    "where one works": (lambda p: Pairs(root=os.getcwd()), "where other files are written"),
    "a file that is gone": (lambda p: Tar(shard=str(p / "gone.tar")), "no file and no data"),
    "a pipe": (lambda p: open(os.pipe()[0], "rb"), "from its beginning"),
    "an object": (lambda p: threading.Lock(), "cannot be told"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_identified_says_why(tmp_path: Path, what: str) -> None:
    make, why = REFUSED[what]
    value = make(tmp_path)
    with pytest.raises(NotIdentified, match="was not identified, because") as caught:
        describe_data(value, name="x")
    assert why in caught.value.problem
    assert "\n" not in caught.value.problem
    if isinstance(value, collections.abc.Iterator) and not isinstance(value, io.IOBase):
        assert len(list(value)) > 0  # nothing was taken from it


def test_a_sample_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    paths = written(tmp_path, ROWS)

    class Broken(Pairs):
        def __iter__(self) -> Iterator[Any]:
            yield from read_pairs(self.pairs)
            raise OSError("truncated file")

    with pytest.raises(UsageProblem, match="Sample 6 of Broken cannot be loaded: OSError"):
        describe_data(Broken(pairs=[(path, 0) for path in paths]), name="x")


OPEN: dict[str, Callable[[Path], Any]] = {
    "file": lambda p: open(p / "a.zip", "rb"),
    "zip": lambda p: zipfile.ZipFile(p / "a.zip"),
    "zip in memory": lambda p: zipfile.ZipFile(io.BytesIO((p / "a.zip").read_bytes())),
    "tar": lambda p: tarfile.open(p / "a.tar"),
    "tar in memory": lambda p: tarfile.open(fileobj=io.BytesIO((p / "a.tar").read_bytes())),
    "npz": lambda p: np.load(p / "a.npz"),
    "bytes": lambda p: io.BytesIO((p / "0.bin").read_bytes()),
    "text": lambda p: io.StringIO((p / "0.bin").read_bytes().decode("latin-1")),
    "parquet": lambda p: _parquet().ParquetFile(p / "a.parquet"),
    "arrow table": lambda p: _parquet().read_table(p / "a.parquet"),
    "two sets": lambda p: {"train": _tensors(p), "val": TensorDataset(torch.ones(2))},
}


def _parquet() -> Any:
    return pytest.importorskip("pyarrow.parquet")


def _tensors(folder: Path) -> Any:
    return TensorDataset(torch.tensor(list((folder / "0.bin").read_bytes())))


def all_files(folder: Path, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    rows = [("0.bin", content, 0), *ROWS[1:]]
    written(folder, rows)
    zipped(folder, rows)
    add_tar(folder / "a.tar", rows)
    np.savez(folder / "a.npz", x=np.frombuffer(content, np.uint8), y=np.arange(3))
    values = pd.DataFrame({"x": list(content), "y": list(range(len(content)))})
    values.to_parquet(folder / "a.parquet")


@pytest.mark.parametrize("kind", OPEN)
def test_what_is_open_counts_by_its_content(tmp_path: Path, kind: str) -> None:
    all_files(tmp_path / "one", b"abcdefgh")
    all_files(tmp_path / "two", b"abcdefgx")
    value = OPEN[kind](tmp_path / "one")
    first = next(r.digest for r in describe_data(value, name="x") if isinstance(r, Dataset))
    again = next(r.digest for r in describe_data(value, name="x") if isinstance(r, Dataset))
    other = describe_data(OPEN[kind](tmp_path / "two"), name="x")
    assert first == again
    assert first != next(r.digest for r in other if isinstance(r, Dataset))


def test_a_handle_stays_where_it_was(tmp_path: Path) -> None:
    all_files(tmp_path, b"abcdefgh")
    with open(tmp_path / "0.bin", "rb") as file, tarfile.open(tmp_path / "a.tar") as archive:
        file.seek(3)
        member = archive.next()
        describe_data(file, name="x")
        describe_data(archive, name="x")
        assert file.tell() == 3
        assert archive.next() != member


def test_members_are_the_same_in_any_archive(tmp_path: Path) -> None:
    rows = [(name, content) for name, content, _ in ROWS]
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in rows:
            made.writestr(name, content)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        for name, content in reversed(rows):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 77
            packed.addfile(info, io.BytesIO(content))
    one = both(zipfile.ZipFile(tmp_path / "a.zip"))
    two = both(tarfile.open(tmp_path / "a.tar.gz"))
    assert one[0] != two[0]
    assert one[1] == two[1]


def test_shards_in_braces_and_patterns(tmp_path: Path) -> None:
    shards(tmp_path, ROWS)
    named = [str(tmp_path / "s-000.tar"), str(tmp_path / "s-001.tar")]
    assert both(str(tmp_path / "s-{000..001}.tar")) == both(named)
    assert both(str(tmp_path / "s-*.tar")) == both(named)
    with pytest.raises(UsageProblem, match="There is no file"):
        describe_data(str(tmp_path / "s-{000..002}.tar"), name="x")


def test_what_lmdb_keeps_of_its_readers_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"data")
    (tmp_path / "lock.mdb").write_bytes(b"reader 17")
    before = [r for r in describe_data(tmp_path, name="x") if isinstance(r, (Dataset, Artifact))]
    (tmp_path / "lock.mdb").write_bytes(b"reader 18")
    after = [r for r in describe_data(tmp_path, name="x") if isinstance(r, (Dataset, Artifact))]
    assert before == after
    assert "lock.mdb" in _notices(tmp_path)[0].text


class _Counted(IterableDataset[Any]):
    """Counts, in a file, how many samples were asked for; from ``turns`` on in another order."""

    def __init__(self, rows: torch.Tensor, note: Path, turns: int) -> None:
        self.rows, self.note, self.turns = rows, note, turns

    def __iter__(self) -> Iterator[torch.Tensor]:
        note = os.open(self.note, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        back = os.fstat(note).st_size > 0
        try:
            for at in range(len(self.rows)):
                os.write(note, b".")
                turned = back and at >= self.turns
                yield self.rows[len(self.rows) - 1 - at if turned else at]
        finally:
            os.close(note)


@pytest.mark.parametrize(("turns", "read"), [(9000, 1), (100, 2)], ids=["alike", "another order"])
def test_a_second_reading_ends_where_its_samples_are_the_first_ones(
    tmp_path: Path, turns: int, read: int
) -> None:
    rows = torch.arange(5000).reshape(-1, 1)
    describe_data(_Counted(rows, tmp_path / "note", turns), name="x")
    count = (tmp_path / "note").stat().st_size
    assert read * 5000 <= count <= read * 5000 + 1500
