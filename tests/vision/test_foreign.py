"""COCO files of strangers: one line each, and nothing outside of the folder."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtrack_magics import Predictions
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.tasks import npz as saving
from cvtrack_magics.tasks.detection.coco_format import decode
from cvtrack_magics.vision.foreign import run_lengths
from cvtrack_magics.vision.masks import encode


def coco(name: Any) -> dict[str, Any]:
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "area": 16}
    return {
        "images": [{"id": 1, "file_name": name, "height": 8, "width": 8}],
        "categories": [{"id": 1, "name": "c"}],
        "annotations": [{**box, "iscrowd": 0}],
    }


def bomb(path: Path, side: int) -> None:
    """Write a PNG of a few kilobytes that says it has so many pixels a side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


PREPARED: dict[str, Callable[[Path], object]] = {
    "fifo.png": os.mkfifo,
    "folder.png": lambda p: p.mkdir(),
    "loop.png": lambda p: p.symlink_to(p.name),
    "device.png": lambda p: p.symlink_to("/dev/zero"),
    "bomb.png": lambda p: bomb(p, 12_000),
    "larger.png": lambda p: bomb(p, 60_000),
    "largest.png": lambda p: bomb(p, 2_000_000),
    "program.png": lambda p: p.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "cut.png": lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n\0\0"),
    "empty.png": lambda p: p.write_bytes(b""),
}
NAMES = [
    "../private.png", "sub/../../private.png", "/dev/zero", "/etc/passwd", "..", "",
    "a\0b", "x" * 5000, "missing.png", "..\\private.png", None, 3, ["a"], {"a": 1}, True,
    "a\n\x1b[31m.png",
]  # fmt: skip


@pytest.mark.parametrize("name", [*NAMES, *PREPARED], ids=lambda name: ascii(name)[:20])
def test_a_file_name_of_a_stranger(name: Any, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "private.png")
    folder = tmp_path / "images"
    folder.mkdir()
    if isinstance(name, str) and name in PREPARED:
        PREPARED[name](folder / name)
    with pytest.raises(UsageProblem) as caught:
        Predictions.from_coco(coco(name), [], images=folder)
    said = str(caught.value)
    assert len(said) < 400
    assert "\n" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", ["a.png", "sub/b.jpg", "ü 1.webp", "linked.png", "sub/c.tif"])
def test_a_picture_in_the_folder_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "images" / "sub").mkdir(parents=True)
    if name == "linked.png":
        Image.new("RGB", (8, 8)).save(tmp_path / "elsewhere.png")
        (tmp_path / "images" / name).symlink_to(tmp_path / "elsewhere.png")
    else:
        Image.new("RGB", (8, 8), (250, 0, 0)).save(tmp_path / "images" / name)
    made = Predictions.from_coco(coco(name), [], images=tmp_path / "images")
    assert len(made) == 1


def test_the_limit_of_pictures_can_be_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UsageProblem, match="MAX_IMAGE_PIXELS raises it"):
        Predictions.from_coco(coco("a.png"), [], images=tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    data = coco("a.png")
    data["images"][0].update(height=40, width=40)
    assert Predictions.from_coco(data, [], images=tmp_path).sizes.tolist() == [[40, 40]]


SEGMENTS: list[Any] = [
    {"size": [60_000, 60_000], "counts": [3_600_000_000]},
    {"size": [-1, 5], "counts": [1]},
    {"size": [8, 8], "counts": "~~~~"},
    {"size": [8, 8], "counts": "0`^\\\\"},
    {"size": [8, 8], "counts": "o" * 50},
    {"size": [8, 8], "counts": [2**40]},
    {"size": [8, 8], "counts": [2**70]},
    {"size": [8, 8], "counts": [70, -6]},
    {"size": [8, 8], "counts": [63]},
    {"size": [8, 8], "counts": [[64]]},
    {"size": [8, 8], "counts": [64.0]},
    {"size": [8, 8], "counts": ["64"]},
    {"size": [8, 8], "counts": None},
    {"size": [8, 8]},
    {"size": [8, 8, 8], "counts": [512]},
    {"size": "88", "counts": [64]},
    {"size": [8.5, 8], "counts": [68]},
    {"size": [True, 8], "counts": [8]},
    {"size": [8, 8], "counts": "é"},
    {},
    [[float("nan")] * 8],
    [[1e300] * 8],
    [[float("inf")] * 8],
    [[1e7] * 8],
    [[0, 0, 1, 1, 2]],
    [["a"] * 6],
    [None],
    5,
]


@pytest.mark.parametrize("segment", SEGMENTS, ids=lambda one: ascii(one)[:40])
def test_a_mask_of_a_stranger(segment: Any) -> None:
    with pytest.raises(UsageProblem) as caught:
        decode(segment, 8, 8)
    assert "\n" not in str(caught.value)


def test_a_polygon_in_an_image_of_a_wild_size() -> None:
    with pytest.raises(UsageProblem, match="Pillow's limit"):
        decode([[0, 0, 4, 0, 4, 4, 0, 4]], 100_000, 100_000)


@pytest.mark.parametrize("seed", range(12))
def test_packed_run_lengths_are_those_of_pycocotools(seed: int) -> None:
    tools = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 90), rng.integers(1, 90))) < rng.choice([0, 0.01, 0.5, 1])
    if seed % 2:
        mask = np.kron(mask, np.ones((30, 20), bool))
    packed = tools.encode(np.asfortranarray(mask.astype(np.uint8)))
    height, width, runs = run_lengths({"size": packed["size"], "counts": packed["counts"]}, "x")
    assert (height, width) == mask.shape
    assert runs.tolist() == encode(mask).counts.tolist()
    text = {"size": list(packed["size"]), "counts": packed["counts"].decode()}
    assert np.array_equal(decode(text, height, width).array(), mask)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 100_000, "", "null", "\x00", "{", "\ufeff{}", "5"]
)
def test_json_of_a_stranger(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, "utf-8")
    with pytest.raises(UsageProblem) as caught:
        Predictions.from_coco(tmp_path / "a.json", [])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["fifo", "folder", "missing", "device"])
def test_a_json_file_that_is_none(what: str, tmp_path: Path) -> None:
    path = tmp_path / what
    if what == "fifo":
        os.mkfifo(path)
    if what == "folder":
        path.mkdir()
    if what == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(UsageProblem):
        Predictions.from_coco(path, [])


def npz(meta: Any, **members: Any) -> bytes:
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez_compressed(file, meta=text, **members)
    return file.getvalue()


def test_a_member_is_read_only_where_it_is_known_and_not_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "MEMBER_LIMIT", 100_000)
    meta = {"format": saving.FORMAT, "task": "classification"}
    for data in (
        npz({"format": "other"}, truth=np.zeros(1_000_000)),
        npz(meta, truth=np.zeros(1_000_000)),
        npz(meta, bomb=np.zeros(1_000_000)),
        npz(None),
        npz(meta, truth=np.array([object()], object)),
    ):
        with pytest.raises(CvtrackError):
            saving.load(data)
