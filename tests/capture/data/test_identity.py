"""A data set's digests cover what trains: bytes, labels, classes, members, repeats, draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from torchvision import transforms as v1

from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Dataset, Notice, Param


def both(value: object) -> tuple[str, str]:
    found = next(r for r in describe_data(value, name="x") if isinstance(r, Dataset))
    return found.digest, str(found.profile["samples_sha256"])


def count(value: object) -> object:
    found = next(r for r in describe_data(value, name="x") if isinstance(r, Dataset))
    return found.profile["samples"]


@dataclass(frozen=True)
class Listed:
    """An ImageFolder in small: files, labels, classes."""

    samples: list[tuple[str, int]]
    class_to_idx: dict[str, int]
    root: str = ""

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


NAMES = {"cat": 0, "dog": 1}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    for index in range(6):
        (folder / f"{index}.png").write_bytes(bytes([index]) * 9)
    return [str(folder / f"{index}.png") for index in range(6)]


def test_the_formula_of_the_page(files: list[str]) -> None:
    found = Listed([(files[1], 1), (files[0], 0)], NAMES, str(Path(files[0]).parent))
    head = json.dumps(
        {"classes": [["cat", 0], ["dog", 1]], "content": "files"},
        sort_keys=True,
        separators=(",", ":"),
    )
    rows = [
        f"{hashlib.sha256(Path(path).read_bytes()).hexdigest()}\t{label}\n"
        for path, label in found.samples
    ]
    ordered = f"cvtrack-data 2 {head}\n" + "".join(rows)
    any_order = f"cvtrack-samples 2 {head}\n" + "".join(sorted(rows))
    assert both(found) == tuple(
        hashlib.sha256(text.encode()).hexdigest() for text in (ordered, any_order)
    )


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    picks=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=2, max_size=8),
    at=st.integers(0, 7),
    change=st.sampled_from(["label", "file", "repeat", "drop", "classes", "order"]),
)
def test_any_change_changes_the_digest_it_should(
    files: list[str], picks: list[tuple[int, int]], at: int, change: str
) -> None:
    root = str(Path(files[0]).parent)
    before = Listed([(files[n], label) for n, label in picks], NAMES, root)
    samples, at = list(before.samples), at % len(picks)
    path, label = samples[at]
    if change == "label":
        samples[at] = (path, 1 - label)
    elif change == "file":
        samples[at] = (files[(files.index(path) + 1) % 6], label)
    elif change == "repeat":
        samples.append(samples[at])
    elif change == "drop":
        samples.pop(at)
    elif change == "order":
        samples.reverse()
    after = replace(before, samples=samples)
    if change == "classes":
        after = replace(after, class_to_idx={"cat": 1, "dog": 0})
    old, new = both(before), both(after)
    same_order = change == "order" and samples == before.samples
    assert (old[0] == new[0]) is same_order
    assert (old[1] == new[1]) is (change == "order")


def test_a_byte_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"one")
    found = Listed([(str(tmp_path / "a.bin"), 0)], NAMES, str(tmp_path))
    before = both(found)
    (tmp_path / "a.bin").write_bytes(b"two")
    assert not set(before) & set(both(found))


DATA = TensorDataset(torch.arange(40.0).reshape(20, 2), torch.arange(20))
FIRST, LAST = list(range(16)), list(range(16, 20))
GENERATOR = torch.Generator().manual_seed(3)


class Odd(torch.utils.data.Sampler):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        return iter(range(1, 20, 2))

    def __len__(self) -> int:
        return 10


class Groups(Odd):
    def __iter__(self) -> Any:
        return iter([[0, 1], [4, 5]])


def shared(rank: int, shuffle: bool = False, drop: bool = False) -> DistributedSampler[Any]:
    return DistributedSampler(
        DATA, num_replicas=3, rank=rank, shuffle=shuffle, seed=1, drop_last=drop
    )


@pytest.mark.parametrize(
    ("loader", "same_as", "samples"),
    [
        (lambda: DataLoader(DATA, 4), DATA, 20),
        (lambda: DataLoader(DATA, 4, shuffle=True), DATA, 20),
        (lambda: DataLoader(DATA, 4, sampler=SequentialSampler(DATA)), DATA, 20),
        (lambda: DataLoader(DATA, 4, sampler=SubsetRandomSampler(FIRST)), Subset(DATA, FIRST), 16),
        (lambda: DataLoader(DATA, 4, sampler=SubsetRandomSampler(LAST)), Subset(DATA, LAST), 4),
        (
            lambda: DataLoader(
                DATA, batch_sampler=BatchSampler(SubsetRandomSampler(FIRST), 4, False)
            ),
            Subset(DATA, FIRST),
            16,
        ),
        (lambda: DataLoader(DATA, 8, drop_last=True), Subset(DATA, FIRST), 16),
        (lambda: DataLoader(DATA, 8, drop_last=True, shuffle=True), DATA, 16),
        (lambda: DataLoader(Subset(Subset(DATA, FIRST), [3, 1]), 1), Subset(DATA, [3, 1]), 2),
        (lambda: DataLoader(DATA, 4, sampler=Odd()), Subset(DATA, range(1, 20, 2)), 10),
        (lambda: DataLoader(DATA, batch_sampler=Groups()), Subset(DATA, [0, 1, 4, 5]), 4),
        (lambda: DataLoader(DATA, 4, sampler=LAST), Subset(DATA, LAST), 4),
        (
            lambda: DataLoader(DATA, 4, sampler=shared(0)),
            Subset(DATA, [0, 3, 6, 9, 12, 15, 18]),
            7,
        ),
        (
            lambda: DataLoader(DATA, 4, sampler=shared(2)),
            Subset(DATA, [2, 5, 8, 11, 14, 17, 0]),
            7,
        ),
        (lambda: DataLoader(DATA, 4, sampler=shared(1, shuffle=True)), DATA, 7),
    ],
)
def test_the_sampler_is_what_trains(
    loader: Callable[[], Any], same_as: object, samples: int
) -> None:
    before = torch.get_rng_state()
    made = loader()
    assert both(made)[1] == both(same_as)[1]
    assert count(made) == samples
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    describe_data(made, name="x")
    assert torch.equal(torch.rand(3), expected)
    torch.set_rng_state(before)


def test_draws_with_weights_or_replacement_are_other_data() -> None:
    even = WeightedRandomSampler([1.0] * 20, 20)
    uneven = WeightedRandomSampler([1.0] * 10 + [9.0] * 10, 20)
    without = WeightedRandomSampler([0.0] * 10 + [1.0] * 10, 20)
    again = RandomSampler(DATA, replacement=True, num_samples=50)
    found = [both(DataLoader(DATA, 4, sampler=s)) for s in (even, uneven, without, again)]
    found.append(both(DATA))
    assert len({ordered for ordered, _ in found}) == len({samples for _, samples in found}) == 5
    assert count(DataLoader(DATA, 4, sampler=again)) == 50


def test_joined_sets_count_by_their_parts(files: list[str]) -> None:
    root = str(Path(files[0]).parent)
    one = Listed([(files[0], 0), (files[1], 1)], NAMES, root)
    two = Listed([(files[2], 0)], NAMES, root)
    joined: Any = ConcatDataset([one, two])  # type: ignore[list-item]
    assert both(joined) == both(Listed(one.samples + two.samples, NAMES, root))
    picked = Subset(joined, [2, 0])
    assert both(picked) == both(Listed([two.samples[0], one.samples[0]], NAMES, root))


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    for index in range(4):
        pixels = np.full((8, 8, 3), index * 9, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    return [str(tmp_path / f"{index}.png") for index in range(4)]


LABELS = [0, 1, 0, 1]


def table_file(paths: list[str]) -> str:
    path = Path(paths[0]).parent / "table.csv"
    pd.DataFrame({"file": [Path(p).name for p in paths], "label": LABELS}).to_csv(path, index=False)
    return str(path)


def parquet_file(paths: list[str]) -> str:
    path = Path(paths[0]).parent / "table.parquet"
    pd.DataFrame({"file": [Path(p).name for p in paths], "label": LABELS}).to_parquet(path)
    return str(path)


FORMS: list[Callable[[list[str]], Any]] = [
    list,
    lambda p: [Path(each) for each in p],
    lambda p: pd.DataFrame({"path": p, "label": LABELS}),
    pd.Series,
    lambda p: {"images": p, "labels": LABELS},
    lambda p: {"images": np.array(p), "labels": np.array(LABELS)},
    lambda p: {"images": p, "masks": p[::-1]},
    lambda p: list(zip(p, LABELS, strict=True)),
    lambda p: [[each, label] for each, label in zip(p, LABELS, strict=True)],
    lambda p: [{"path": each, "y": label} for each, label in zip(p, LABELS, strict=True)],
    table_file,
    parquet_file,
    lambda p: pa.table({"path": p, "label": LABELS}),
    lambda p: pa.RecordBatch.from_pydict({"path": p, "label": LABELS}),
]


@pytest.mark.parametrize("form", FORMS)
def test_tables_of_paths_are_read(pictures: list[str], form: Callable[[list[str]], Any]) -> None:
    before = both(form(pictures))
    assert before == both(form(pictures))
    Image.fromarray(np.full((8, 8, 3), 255, np.uint8)).save(pictures[2])
    assert not set(before) & set(both(form(pictures)))
    Path(pictures[2]).unlink()
    with pytest.raises(UsageProblem, match="is no file"):
        describe_data(form(pictures), name="x")


def test_rows_of_a_table_count(pictures: list[str]) -> None:
    frame = pd.DataFrame({"path": pictures, "label": LABELS})
    ordered, samples = both(frame)
    turned = both(frame.iloc[::-1])
    assert turned[0] != ordered
    assert turned[1] == samples
    assert both(frame.assign(label=[1, 1, 0, 1]))[1] != samples
    assert both(pd.concat([frame, frame[:1]]))[1] != samples


def test_names_of_files_that_are_not_here_are_said() -> None:
    gone = pd.DataFrame({"path": ["no/a.png", "no/b.png"], "label": [0, 1]})
    (notice,) = (r for r in describe_data(gone, name="x") if isinstance(r, Notice))
    assert "'path' looks like names of files" in notice.text


class Pictures(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, change: object, name: str = "transform") -> None:
        self.name = name
        setattr(self, name, change)

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Any:
        return getattr(self, self.name)(torch.full((3, 8, 8), float(index)))


class Coin:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, picture: Any) -> Any:
        return -picture if self.rng.random() < 1e-6 else picture


RANDOM = [
    v1.RandomErasing(p=1e-6),
    v1.RandomHorizontalFlip(p=1e-6),
    v1.Compose([v1.CenterCrop(4), v1.RandomErasing(p=1e-6)]),
    v1.RandomApply([v1.CenterCrop(4)], p=1e-6),
    v1.RandomVerticalFlip(p=1e-6),
    v1.RandomGrayscale(p=1e-6),
    v1.RandomInvert(p=1e-6),
    v1.RandomSolarize(0.5, p=1e-6),
    v1.RandomAffine(0),
    Coin(),
]


@pytest.mark.parametrize("change", RANDOM)
@pytest.mark.parametrize("name", ["transform", "augment"])
def test_below_random_transforms_is_hashed(change: object, name: str) -> None:
    records = describe_data(Pictures(change, name), name="x")
    (notice,) = (r for r in records if isinstance(r, Notice))
    assert "without transforms" in notice.text
    assert both(Pictures(change, name)) == both(Pictures(lambda picture: picture, name))


def test_random_numbers_with_no_transform_to_leave_out_claim_nothing() -> None:
    class Inside(Pictures):
        def __getitem__(self, index: int) -> Any:
            return index + (float(torch.rand(())) < 1e-9)

    assert not [r for r in describe_data(Inside(None), name="x") if isinstance(r, Param)]
