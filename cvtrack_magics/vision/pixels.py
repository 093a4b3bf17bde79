"""The pictures of many samples: kept once, compressed, and known by their content."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtrack_magics import forks
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.images import Image

SMALL = 64  # pixels a side up to which pictures are kept without loss
QUALITY = 92
TILE = 160  # pixels of a tile's longer side
TILE_QUALITY = 80
RAW_LIMIT = 64 << 20  # bytes of pictures that may wait uncompressed


@dataclass(frozen=True, slots=True)
class Blob:
    """One picture as a PNG or JPEG file, with its size in pixels."""

    data: bytes
    width: int
    height: int


class Pixels:
    """The pictures of N samples.

    Up to 64 × 64 pixels, and with an alpha channel, they are kept as PNG; larger ones as
    JPEG of quality 92 without colour subsampling. A longer side beyond 160 pixels gets a
    smaller picture beside it, for the grid. Pictures are compressed when they are first
    asked for, or at once when there are many; two threads may ask.

    Parameters
    ----------
    images : sequence of uint8 arrays
        H × W or H × W × C; not written to afterwards.
    """

    def __init__(self, images: Sequence[Image]) -> None:
        self.sizes = np.array([image.shape[:2] for image in images], np.int64).reshape(-1, 2)
        self._raw: list[Image | None] = list(images)
        self._full: list[Blob | None] = [None] * len(images)
        self._tile: list[Blob | None] = [None] * len(images)
        self._digests: list[str] | None = None
        self._lock = forks.rlock()
        if sum(image.nbytes for image in images) > RAW_LIMIT:
            self.pack()

    @classmethod
    def of_blobs(
        cls, full: Sequence[Blob], tiles: Sequence[Blob], digests: Sequence[str]
    ) -> Pixels:
        """Return pictures that were compressed before."""
        made = cls(())
        made.sizes = np.array([(b.height, b.width) for b in full], np.int64).reshape(-1, 2)
        made._raw = [None] * len(full)
        made._full, made._tile, made._digests = list(full), list(tiles), list(digests)
        return made

    def __len__(self) -> int:
        return len(self._raw)

    def image(self, index: int) -> Image:
        """Return a picture, uint8, H × W or H × W × C."""
        raw = self._raw[index]
        if raw is not None:
            return raw
        from PIL import Image as pil

        return np.asarray(pil.open(io.BytesIO(self.full(index).data)))

    def full(self, index: int) -> Blob:
        """Return a picture at its native size, compressed."""
        blob = self._full[index]
        if blob is None:
            self._compress(index)
            blob = self._full[index]
            assert blob is not None
        return blob

    def tile(self, index: int) -> Blob:
        """Return a picture for the grid: the whole one unless it is larger than a tile."""
        blob = self._tile[index]
        if blob is None:
            self._compress(index)
            blob = self._tile[index]
            assert blob is not None
        return blob

    def pack(self) -> None:
        """Compress what is not yet, on all processors."""
        self.digests()
        todo = [index for index, raw in enumerate(self._raw) if raw is not None]
        if len(todo) < 8:
            for index in todo:
                self._compress(index)
            return
        with ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="cvtrack-encode") as pool:
            for _ in pool.map(self._compress, todo, chunksize=16):
                pass

    def digests(self) -> list[str]:
        """Return a name for each picture's content: 16 hexadecimal digits."""
        with self._lock:
            if self._digests is None:
                self._digests = [_digest(self.image(index)) for index in range(len(self))]
            return self._digests

    def take(self, rows: Any) -> Pixels:
        """Return the pictures of some samples."""
        self.pack()
        wanted = [int(row) for row in rows]
        digests = self.digests()
        return Pixels.of_blobs(
            [self.full(row) for row in wanted],
            [self.tile(row) for row in wanted],
            [digests[row] for row in wanted],
        )

    def __add__(self, other: Pixels) -> Pixels:
        self.pack()
        other.pack()
        return Pixels.of_blobs(
            [*self._full, *other._full],  # type: ignore[list-item]
            [*self._tile, *other._tile],  # type: ignore[list-item]
            [*self.digests(), *other.digests()],
        )

    def __iter__(self) -> Iterator[Image]:
        return (self.image(index) for index in range(len(self)))

    def _compress(self, index: int) -> None:
        raw = self._raw[index]
        if raw is None:
            return
        full, tile = encode(raw), None
        if max(raw.shape[:2]) > TILE:
            tile = encode_tile(raw)
        with self._lock:
            self._full[index] = full
            self._tile[index] = tile or full
            if self._digests is not None:
                self._raw[index] = None


def encode(image: Image) -> Blob:
    """Compress a picture at its native size."""
    height, width = image.shape[:2]
    return _save(image, max(height, width) <= SMALL, QUALITY)


def encode_tile(image: Image) -> Blob:
    """Compress a picture made smaller, so that its longer side is a tile's."""
    from PIL import Image as pil

    height, width = image.shape[:2]
    scale = TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = pil.fromarray(image)
    picture = picture.resize(size, pil.Resampling.BILINEAR, reducing_gap=2.0)
    return _save(np.asarray(picture), max(size) <= SMALL, TILE_QUALITY)


def _save(image: Image, lossless: bool, quality: int) -> Blob:
    from PIL import Image as pil

    height, width = image.shape[:2]
    if max(height, width) > 65_000:
        raise UsageProblem(f"images: {height}×{width} pixels are more than a picture can have.")
    file = io.BytesIO()
    picture = pil.fromarray(image)
    if lossless or (image.ndim == 3 and image.shape[2] == 4):
        picture.save(file, "PNG", compress_level=1)
    else:
        picture.save(file, "JPEG", quality=quality, subsampling=0)
    return Blob(file.getvalue(), width, height)


def _digest(image: Image) -> str:
    content = hashlib.blake2b(repr(image.shape).encode(), digest_size=8)
    content.update(np.ascontiguousarray(image).data)
    return content.hexdigest()
