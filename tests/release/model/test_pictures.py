"""Whatever way images are sent, the same pixels arrive; what is no image is refused."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from cvtrack_magics.release.model.serving.pictures import pictures
from cvtrack_magics.release.model.serving.rejected import Rejected
from tests.release.model.nets import encoded, small_photos, text


def test_every_form_gives_the_same_pixels() -> None:
    images = small_photos()
    files = [encoded(image) for image in images]
    texts = [text(file) for file in files]
    forms = {
        "batch": np.stack(images),
        "list": images,
        "int64": np.stack(images).astype(np.int64),
        "nested lists": np.stack(images).tolist(),
        "text of numbers": pandas.DataFrame({"image": np.stack(images).astype(str).tolist()}),
        "bytes": files,
        "base64": texts,
        "wrapped base64": ["\n".join([t[:100], t[100:]]) for t in texts],
        "data URI": [f"data:image/png;base64,{t}" for t in texts],
        "array of text": np.array(texts),
        "array of objects": np.array(texts, dtype=object),
        "PIL": [Image.fromarray(image) for image in images],
        "table of text": pandas.DataFrame({"image": texts}),
        "table of bytes": pandas.DataFrame({"image": files}),
        "table of arrays": pandas.DataFrame({"image": images}),
        "one cell, two texts": pandas.DataFrame({"image": [texts]}),
        "by name": {"image": np.stack(images)},
        "tensor": torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2),
        "mixed kinds": [files[0], images[1]],
    }
    for name, form in forms.items():
        found = pictures(form, 3)
        assert len(found) == 2, name
        for got, wanted in zip(found, images, strict=True):
            assert got.dtype == np.uint8
            assert np.array_equal(got, wanted), name


def test_one_image_and_mixed_sizes() -> None:
    first, second = small_photos()
    cut = second[:20, :31]
    for one in (first, encoded(first), text(encoded(first)), Image.fromarray(first)):
        assert [p.shape for p in pictures(one, 3)] == [first.shape]
    for mixed in ([first, cut], [first.tolist(), cut.tolist()], [encoded(first), encoded(cut)]):
        assert [p.shape for p in pictures(mixed, 3)] == [first.shape, cut.shape]


def test_grey_and_transparent_files_are_converted() -> None:
    image = small_photos()[0]
    grey = Image.fromarray(image).convert("L")
    assert pictures(grey, 3)[0].shape == (64, 96, 3)
    assert pictures(np.asarray(grey), 1)[0].shape == (64, 96, 1)
    assert len(pictures(np.stack([np.asarray(grey)] * 3), 1)) == 3
    clear = Image.fromarray(image).convert("RGBA")
    assert np.array_equal(pictures(clear, 3)[0], image)


def test_jpeg_is_what_pillow_reads() -> None:
    import io

    content = encoded(small_photos()[0], "JPEG")
    wanted = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.array_equal(pictures(text(content), 3)[0], wanted)


def _bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + packed + chunk(b"IEND", b"")


PNG = encoded(small_photos()[0])
REFUSED = {
    "nothing": ([], "no images"),
    "float": (np.zeros((1, 4, 4, 3), np.float32), "expected uint8, got float32"),
    "too bright": (np.full((1, 4, 4, 3), 300), "expected 0…255, got 300…300"),
    "negative": (np.full((1, 4, 4, 3), -1), "got -1…-1"),
    "grey for colour": (np.zeros((1, 4, 4, 1), np.uint8), "× 3, got 4 × 4 × 1"),
    "channels first": (np.zeros((2, 3, 8, 8), np.uint8), "got 3 × 8 × 8"),
    "five axes": (np.zeros((1, 1, 4, 4, 3), np.uint8), "expected N×H×W×3"),
    "no pixels": (np.zeros((1, 0, 4, 3), np.uint8), "got 0 × 4 × 3"),
    "cut PNG": (PNG[: len(PNG) // 2], "damaged or cut short"),
    "text file": (b"hello", "5 bytes are not a readable image"),
    "TIFF": (b"II*\0\x08\0\0\0\0\0", "not a readable image"),
    "path": ("/etc/passwd", "not base64|not a readable image"),
    "address": ("http://localhost/x.png", "not base64"),
    "bomb": (_bomb(60_000, 60_000), "more than 64,000,000 pixels"),
    "small bomb": (_bomb(9_000, 9_000), "9000 × 9000 is more than"),
    "lying header": (_bomb(500, 500), "damaged"),
    "second of two": ([PNG, b"x"], "image 1: "),
    "object": (object(), "expected images, got object"),
    "two columns": (pandas.DataFrame({"a": ["x"], "b": ["y"]}), "column 'image'"),
    "ragged": ([[[1, 2], [3]]], "not an image|different lengths|expected"),
    "None": ([None], "expected images, got NoneType"),
    "NaN": (np.full((1, 4, 4, 3), np.nan), "expected uint8, got float64"),
    "huge numbers": ([[[[2**70, 0, 0]]]], "neither an image file nor numbers|expected"),
    "16 bit": (Image.fromarray(np.zeros((4, 4), np.uint16)), "no 8-bit channels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_image_is_refused_in_one_line(case: str) -> None:
    sent, said = REFUSED[case]
    with pytest.raises(Rejected, match=said) as caught:
        pictures(sent, 3)
    assert "\n" not in str(caught.value)
