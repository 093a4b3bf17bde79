"""Files and folders that data names in any of the forms people use: their content counts."""

from __future__ import annotations

import gzip
import json
import types
from collections.abc import Callable
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cvtrack_magics.errors import UsageProblem
from tests.capture.data.test_what_counts import Rows, both

Row = make_dataclass("Row", ["image", "label"])


def packed(folder: Path, text: str) -> str:
    with gzip.open(folder / "t.csv.gz", "wt") as file:
        file.write(text)
    return str(folder / "t.csv.gz")


def written(folder: Path, name: str, value: Any) -> str:
    (folder / name).write_text(json.dumps(value))
    return str(folder / name)


def lines(paths: list[str]) -> str:
    return "image,label\n" + "".join(f"{path},{at}\n" for at, path in enumerate(paths))


def coco(paths: list[str]) -> dict[str, Any]:
    return {"images": [{"id": at, "file_name": p} for at, p in enumerate(paths)], "annotations": []}


FILES: dict[str, Callable[[Path, list[str]], Any]] = {
    "text of any length": lambda _, p: np.array(p, dtype=np.dtypes.StringDType()),
    "bytes": lambda _, p: [path.encode() for path in p],
    "array of bytes": lambda _, p: np.array([path.encode() for path in p]),
    "addresses": lambda _, p: [Path(path).as_uri() for path in p],
    "column of addresses": lambda _, p: pd.DataFrame({"i": [Path(x).as_uri() for x in p], "y": 1}),
    "categorical": lambda _, p: pd.Categorical(p),
    "array of pandas": lambda _, p: pd.array(p, dtype="string"),
    "packed table": lambda f, p: packed(f, lines(p)),
    "COCO": lambda f, p: written(f, "coco.json", coco(p)),
    "COCO beside its files": lambda f, p: written(f, "c.json", coco([Path(x).name for x in p])),
    "splits of rows": lambda f, p: written(f, "s.json", {"training": [{"image": x} for x in p]}),
    "frames by name": lambda _, p: {"train": pd.DataFrame({"i": p}), "val": pd.DataFrame({"i": p})},
    "tables by name": lambda f, p: {"train": packed(f, lines(p))} | {"val": pd.DataFrame({"i": p})},
    "lists in cells": lambda _, p: pd.DataFrame({"views": [p[:1], p], "y": [0, 1]}),
    "records": lambda _, p: [types.SimpleNamespace(image=path, label=1) for path in p],
    "records of a set": lambda _, p: Rows([Row(path, 1) for path in p]),
    "names of a dict": lambda _, p: dict.fromkeys(p, 1).keys(),
}

FOLDERS: dict[str, Callable[[Path, list[str]], Any]] = {
    "list": lambda _, p: list(p),
    "paths": lambda _, p: [Path(path) for path in p],
    "column": lambda _, p: pd.DataFrame({"clip": p, "y": [0, 1]}),
    "pairs": lambda _, p: [(path, at) for at, path in enumerate(p)],
    "table": lambda f, p: packed(f, lines(p)),
    "by name": lambda _, p: {"train": p[0], "val": p[1]},
    "samples": lambda _, p: Rows([(path, at) for at, path in enumerate(p)]),
    "records": lambda _, p: Rows([Row(Path(path), at) for at, path in enumerate(p)]),
}


@pytest.mark.parametrize("form", FILES)
def test_a_file_that_is_named_counts(tmp_path: Path, form: str) -> None:
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for path in paths:
        Path(path).write_bytes(path[-5:].encode())
    before = both(FILES[form](tmp_path, paths))
    assert before == both(FILES[form](tmp_path, paths))
    Path(paths[1]).write_bytes(b"another")
    assert not set(before) & set(both(FILES[form](tmp_path, paths))) - {""}


@pytest.mark.parametrize("form", FOLDERS)
def test_a_folder_that_is_named_counts(tmp_path: Path, form: str) -> None:
    paths = [str(tmp_path / "clips" / name) for name in ("one", "two")]
    for path in paths:
        (Path(path) / "0").mkdir(parents=True)
        (Path(path) / "0" / "0.0").write_bytes(path.encode())
    before = both(FOLDERS[form](tmp_path, paths))
    (Path(paths[1]) / "0" / "0.0").write_bytes(b"another")
    changed = both(FOLDERS[form](tmp_path, paths))
    assert not set(before) & set(changed) - {""}
    (Path(paths[0]) / "0" / "new").write_bytes(b"one more")
    assert not set(changed) & set(both(FOLDERS[form](tmp_path, paths))) - {""}


def test_folders_that_say_where_data_lies_are_no_data(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"a")
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "set")
    forms: dict[str, Callable[[], Any]] = {
        "in every sample": lambda: Rows([(here, at) for at in range(3)]),
        "beside the files": lambda: pd.DataFrame({"root": [here], "image": [f"{here}/a.png"]}),
        "a class of its name": lambda: Rows([("set", 0), ("other", 1)]),
        "where people work": lambda: Rows([(str(tmp_path), 0), ("x/y", 1)]),
    }
    before = {name: both(form()) for name, form in forms.items()}
    (tmp_path / "set" / "log").write_bytes(b"another file")
    assert before == {name: both(form()) for name, form in forms.items()}


@pytest.mark.parametrize(
    "make",
    [
        lambda base: torch.utils.data.Subset(base, [0, 9]),
        lambda base: torch.utils.data.DataLoader(
            base, sampler=torch.utils.data.SubsetRandomSampler([-9])
        ),
        lambda base: torch.utils.data.Subset(torch.utils.data.Subset(base, [1]), [1]),
        lambda base: torch.utils.data.Subset(torch.utils.data.ConcatDataset([base, base]), [9]),
    ],
)
def test_a_place_beyond_the_end_is_said(make: Callable[[Any], Any]) -> None:
    with pytest.raises(UsageProblem, match="has no sample"):
        both(make(torch.utils.data.TensorDataset(torch.zeros(4, 2))))


def test_a_subset_by_names() -> None:
    rows = {"a": torch.zeros(2), "b": torch.ones(2)}
    one, other = (torch.utils.data.Subset(rows, names) for names in (["a", "b"], ["b", "a"]))
    assert both(one)[1] == both(other)[1]
    assert both(one)[0] != both(other)[0]
