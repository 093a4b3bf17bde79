"""Data of kinds that are seldom met: the same content is the same data, and nothing raises raw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.capture.data.own_code import texts_of_code
from cvtrack_magics.errors import NotIdentified
from cvtrack_magics.records import Dataset

# -- functions that stand in one line


# fmt: off
def of_closures(k: int) -> tuple[Any, ...]:
    return lambda x: x + k, lambda x: x - k, lambda x: [x + k for _ in x], lambda x: [x - k for _ in x]  # noqa: E501


PAIRS: dict[str, tuple[Any, ...]] = {
    "in a comprehension": (lambda b: [x * 1 for x in b], lambda b: [x * 2 for x in b]),
    "in a function inside": (lambda b: sorted(b, key=lambda x: x + 1), lambda b: sorted(b, key=lambda x: x + 2)),  # noqa: E501
    "two deep": (lambda b: [[x + 1 for x in y] for y in b], lambda b: [[x + 2 for x in y] for y in b]),  # noqa: E501
    "by a default that is one": (lambda b, f=lambda x: x + 1: f(b), lambda b, f=lambda x: x + 2: f(b)),  # noqa: E501
    "by what they close over": of_closures(3)[:2],
    "by what they close over, inside": of_closures(3)[2:],
}
# fmt: on


@pytest.mark.parametrize("kind", PAIRS)
def test_two_functions_of_one_line_are_two(kind: str) -> None:
    first, second = PAIRS[kind]
    assert texts_of_code(first) != texts_of_code(second)
    assert texts_of_code(first) == texts_of_code(first)


def test_one_text_is_one_function_wherever_it_stands() -> None:
    alone = lambda b: [x * 1 for x in b]  # noqa: E731
    assert texts_of_code(alone)[-1] == texts_of_code(PAIRS["in a comprehension"][0])[-1]


# -- files of HDF5 whose names are links


def h5(path: Path, linked: Any, target: str) -> str:
    """Make a file with an array beside a link into another; return the digest of its members."""
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["pictures/a"] = linked
    with h5py.File(path, "w") as file:
        file["own"] = np.arange(3)
        file["link"] = h5py.ExternalLink(str(other), target)
    with h5py.File(path, "r") as file:
        found = next(r for r in describe_data(file, name="x") if isinstance(r, Dataset))
        return found.digest


@pytest.mark.parametrize("target", ["/pictures/a", "/pictures"])
def test_what_a_link_leads_to_counts(target: str, tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    digest = h5(path, [1, 2, 3], target)
    assert h5(path, [1, 2, 3], target) == digest
    assert h5(path, [1, 2, 4], target) != digest


def test_links_that_lead_nowhere_or_round_come_to_an_end(tmp_path: Path) -> None:
    def digest(target: str) -> str:
        with h5py.File(tmp_path / "data.h5", "w") as file:
            file["own"] = np.arange(3)
            for name, other in ("ab", "ba"):
                file[f"{name}/round"] = h5py.SoftLink(f"/{other}")
            file["up"] = h5py.SoftLink("/")
            file["nowhere"] = h5py.SoftLink(target)
        with h5py.File(tmp_path / "data.h5", "r") as file:
            found = next(r for r in describe_data(file, name="x") if isinstance(r, Dataset))
            return found.digest

    assert digest("/gone") == digest("/gone") != digest("/away")


# -- arrays


def test_bytes_between_the_fields_of_records_do_not_count() -> None:
    padded = np.dtype([("label", "u1"), ("score", "f8")], align=True)
    both = []
    for filling in (0, 255):
        array = np.frombuffer(bytes([filling]) * padded.itemsize * 4, padded).copy()
        array["label"], array["score"] = np.arange(4), np.arange(4) / 2
        both.append(array)
    assert both[0].tobytes() != both[1].tobytes()
    assert hash_value(both[0]) == hash_value(both[1])
    both[1]["score"][2] = 7
    assert hash_value(both[0]) != hash_value(both[1])


def sparse(layout: str) -> Callable[[Any], Any]:
    sizes = {"blocksize": (1, 1)} if layout.startswith("sparse_bs") else {}
    return lambda dense: dense.to_sparse(layout=getattr(torch, layout), **sizes)


SAME_AS_DENSE = ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", SAME_AS_DENSE)
def test_a_sparse_tensor_is_the_data_of_its_dense_one(layout: str) -> None:
    dense = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    assert hash_value(sparse(layout)(dense)) == hash_value(dense)
    assert any(isinstance(r, Dataset) for r in describe_data(sparse(layout)(dense), name="x"))


def records(last: Any) -> Any:
    return np.array([(1, "a"), (2, last)], dtype=[("number", "i4"), ("what", object)])


OTHERS: dict[str, Callable[[int], Any]] = {
    "records with objects": lambda n: records(f"b{n}"),
    "of a backend's layout": lambda n: torch.full((2, 3), float(n)).to_mkldnn(),
    "nested, strided": lambda n: torch.nested.nested_tensor([torch.ones(2), torch.full((3,), n)]),
}
if hasattr(np.dtypes, "StringDType"):
    OTHERS["text of any length"] = lambda n: np.array(["a", f"b{n}"], np.dtypes.StringDType())


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested")
@pytest.mark.parametrize("kind", OTHERS)
def test_such_data_has_a_digest_of_its_content(kind: str) -> None:
    def digest(number: int) -> str:
        given = OTHERS[kind](number)
        return next(r for r in describe_data(given, name="x") if isinstance(r, Dataset)).digest

    assert digest(1) == digest(1) != digest(2)


@pytest.mark.parametrize("value", [torch.ones(2, device="meta"), [torch.ones(2, device="meta")]])
def test_a_tensor_without_numbers_is_told_in_one_line(value: Any) -> None:
    with pytest.raises(NotIdentified, match="Tensor was not identified, because"):
        hash_value(value)
