"""Of a YAML file that describes a data set, what it names is the data."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.records import Artifact, Dataset, Notice

FOLDERS = "path: .\ntrain: images/train\nval: images/val\nnames: {0: cat}\n"
BESIDE = "train: ../data/images/train\nval: ../data/images/val\nnc: 1\n"
LISTS = "path: .\ntrain: train.txt\nval: val.txt\n"
BOTH = "train: [images/train, val.txt]\nval: images/val\n"
ABSOLUTE = "path: {root}\ntrain: images/train\nval: images/val\n"


def made(root: Path, text: str) -> Path:
    """Make a data set of two splits, in folders and by lists, under a description."""
    for split, count in (("train", 3), ("val", 2)):
        for at in range(count):
            for folder, end in (("images", "jpg"), ("labels", "txt")):
                file = root / folder / split / f"{at}.{end}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{folder} {split} {at}")
        lines = [f"./images/{split}/{at}.jpg" for at in range(count)]
        (root / f"{split}.txt").write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text(text.format(root=root) if "{root}" in text else text)
    return root / "data.yaml"


def found(path: Path) -> tuple[str, list[str], list[str]]:
    """Return digest, names of the manifest and notices."""
    records = describe_data(str(path), name="set")
    digest = next(item.digest for item in records if isinstance(item, Dataset))
    manifest: Any = next(item.content for item in records if isinstance(item, Artifact))
    names = [line.split("\t")[2] for line in manifest.splitlines()]
    return digest, names, [item.text for item in records if isinstance(item, Notice)]


@pytest.mark.parametrize(
    ("text", "files"),
    [(FOLDERS, 11), (BESIDE, 11), (LISTS, 13), (BOTH, 12), (ABSOLUTE, 11)],
    ids=["folders", "beside", "lists", "both", "absolute"],
)
@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "images/train/1.jpg").write_text("other"),
        lambda root: (root / "images/val/1.jpg").write_text("other"),
        lambda root: (root / "labels/train/0.txt").write_text("other"),
        lambda root: (root / "labels/val/0.txt").unlink(),
        lambda root: (root / "data.yaml").open("a").write("# more\n"),
    ],
    ids=["picture", "val picture", "label", "label gone", "description"],
)
def test_what_it_names_is_hashed(
    tmp_path: Path, text: str, files: int, change: Callable[[Path], Any]
) -> None:
    path = made(tmp_path / "data", text)
    before, names, notices = found(path)
    assert (len(names), notices) == (files, [])
    assert {"data.yaml", "images/train/0.jpg", "labels/val/1.txt"} <= set(names)
    assert found(path)[0] == before
    change(path.parent)
    assert found(path)[0] != before


def test_the_digest_is_that_of_the_data_wherever_it_lies(tmp_path: Path) -> None:
    assert found(made(tmp_path / "a", FOLDERS)) == found(made(tmp_path / "b", FOLDERS))


def test_what_is_not_here_is_said(tmp_path: Path) -> None:
    path = made(tmp_path, "train: images/train\nval: images/nowhere\n")
    _, names, notices = found(path)
    assert len(names) == 7
    assert notices == [
        "data.yaml names what is not here (val: images/nowhere): the rest was hashed."
    ]
    path.write_text("train: s3://bucket/train\nval: gone\n")
    digest, names, notices = found(path)
    assert (names, digest) == (["data.yaml"], sha256(path.read_bytes()).hexdigest())
    assert "only the file itself was hashed" in notices[0]
    (tmp_path / "images/train/0.jpg").unlink()
    path.write_text(LISTS)
    assert "images/train/0.jpg): the rest was hashed" in found(path)[2][0]


@pytest.mark.parametrize(
    "text",
    ["", "a: 1", "[1, 2]", "train: 3", "train: {lr: 1}", "train: [1]", "train: ''", "{", "\x00"],
)
def test_any_other_file_is_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    digest, names, notices = found(tmp_path / "config.yaml")
    assert digest == sha256(text.encode()).hexdigest()
    assert (names, notices) == (["config.yaml"], [])
