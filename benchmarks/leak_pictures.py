"""Pictures for the leaks benchmark: crops of real ones that packages ship, and textures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

SIDE = 256
_LUMA = np.array([0.299, 0.587, 0.114])
_SHIPPED = {
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    "matplotlib": ("mpl-data/sample_data/grace_hopper.jpg",),
    "skimage": tuple(
        f"data/{name}"
        for name in (
            *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png"),
            *("coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg"),
            *("ihc.png", "moon.png", "motorcycle_left.png", "page.png", "retina.jpg"),
            *("rocket.jpg", "text.png"),
        )
    ),
}
_OVERLAP = 0.4  # of two crops of one picture: more would be the same picture to anybody
Box = tuple[float, float, float, float]


def shipped() -> dict[str, Image.Image]:
    """Return the pictures that installed packages bring, by package and name."""
    found = {}
    for package, names in _SHIPPED.items():
        try:
            folder = files(package)
        except ModuleNotFoundError:
            continue
        for name in names:
            file = folder / name
            if file.is_file():
                data = file.read_bytes()
                found[f"{package}/{name}"] = Image.open(io.BytesIO(data)).convert("RGB")
    return found


def crops(rng: np.random.Generator, picture: Image.Image, count: int) -> Iterator[Image.Image]:
    """Yield parts of a picture that overlap little, in the size of the set."""
    width, height = picture.size
    boxes: list[Box] = []
    for _ in range(count * 20):
        if len(boxes) == count:
            return
        side = rng.uniform(64, min(width, height))
        left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
        box = (left, top, left + side, top + side)
        if all(_shared(box, other) < _OVERLAP for other in boxes):
            boxes.append(box)
            yield picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)


def _shared(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, wide) * max(0.0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def noise(rng: np.random.Generator) -> Any:
    """Return clouds: noise of several sizes, the coarse stronger, height × width in 0..1."""
    whole = np.zeros((SIDE, SIDE), np.float32)
    fall = rng.uniform(0.4, 0.9)
    for octave in range(int(rng.integers(3, 7))):
        cells = 2 ** (octave + 1)
        small = Image.fromarray(rng.random((cells, cells), np.float32))
        whole += fall**octave * np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return (whole - whole.min()) / max(float(np.ptp(whole)), 1e-6)


def colours(rng: np.random.Generator) -> Any:
    """Return two colours, one of them lighter by a sixth of the range at least."""
    while True:
        made = rng.integers(0, 256, (2, 3))
        if abs(float((made[0] - made[1]) @ _LUMA)) > 40:
            return made


def clouds(rng: np.random.Generator) -> Image.Image:
    """Return clouds between two colours."""
    one, other = colours(rng)
    part = noise(rng)[..., None]
    return Image.fromarray((one * part + other * (1 - part)).astype(np.uint8))


def stripes(rng: np.random.Generator) -> Image.Image:
    """Return a wave under a little noise: cloth, wood."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    angle, count = rng.uniform(0, np.pi), rng.uniform(2, 40)
    warp = noise(rng) * rng.uniform(3, 9)  # straight waves alike in angle and width are the same
    wave = np.sin(2 * np.pi * count * (x * np.cos(angle) + y * np.sin(angle)) + warp)
    part = ((wave + 1) / 2 * 0.7 + 0.3 * noise(rng))[..., None]
    one, other = colours(rng)
    return Image.fromarray((one * part + other * (1 - part)).astype(np.uint8))


def shapes(rng: np.random.Generator) -> Image.Image:
    """Return shapes of one colour on clouds: signs, parts on a belt."""
    picture = clouds(rng)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 12))):
        x, y = rng.uniform(-20, SIDE, 2)
        wide, high = rng.uniform(15, 140, 2)
        colour = tuple(int(part) for part in rng.integers(0, 256, 3))
        [draw.rectangle, draw.ellipse][int(rng.integers(2))]((x, y, x + wide, y + high), colour)
    return picture


def cells(rng: np.random.Generator) -> Image.Image:
    """Return the cells around random points, each of one colour."""
    count = int(rng.integers(6, 40))
    places = rng.uniform(0, SIDE, (count, 2))
    colours = rng.integers(0, 256, (count, 3))
    y, x = np.mgrid[:SIDE:2, :SIDE:2]
    far = (y[..., None] - places[:, 0]) ** 2 + (x[..., None] - places[:, 1]) ** 2
    made = colours[far.argmin(axis=2)].astype(np.uint8)
    return Image.fromarray(made).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


TEXTURES: tuple[Callable[[np.random.Generator], Image.Image], ...] = (
    clouds,
    stripes,
    shapes,
    cells,
)


# -- planted copies


def reencoded(rng: np.random.Generator, picture: Image.Image, form: str) -> Image.Image:
    """Return what a picture is after it was stored as JPEG or WebP."""
    out = io.BytesIO()
    picture.save(out, form, quality=int(rng.integers(60, 95)))
    return Image.open(out).convert("RGB")


def resized(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Return it in half to twice the size."""
    side = int(SIDE * rng.choice([0.5, 0.75, 1.5, 2]))
    return picture.resize((side, side), Image.Resampling.BICUBIC)


def cropped(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Return nine tenths of each side, from anywhere."""
    side = round(SIDE * 0.9)
    left, top = (int(at) for at in rng.integers(0, SIDE - side + 1, 2))
    return picture.crop((left, top, left + side, top + side))


def flipped(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Return it mirrored, one way or the other."""
    return (ImageOps.mirror if rng.random() < 0.7 else ImageOps.flip)(picture)


def brightened(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Return it brighter or darker by up to a third."""
    return ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.7, 1.35)))


def several(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Return it resized, brightened and stored as JPEG."""
    return reencoded(rng, brightened(rng, resized(rng, picture)), "JPEG")


PLANTED: dict[str, Callable[[np.random.Generator, Image.Image], Image.Image]] = {
    "the same file": lambda _, picture: picture,
    "stored as JPEG": lambda rng, picture: reencoded(rng, picture, "JPEG"),
    "stored as WebP": lambda rng, picture: reencoded(rng, picture, "WEBP"),
    "resized": resized,
    "brighter or darker": brightened,
    "mirrored": flipped,
    "resized, brightness, JPEG": several,
    "cropped to 90 %": cropped,
}


def _original(folder: Path, seed: int, at: int, part: Image.Image | None) -> str:
    """Write one picture that no other is a copy of; return its name."""
    rng = np.random.default_rng([seed, at])
    picture = part or TEXTURES[at % len(TEXTURES)](rng)
    split = "val" if at % 5 == 0 else "train"
    # by a draw, so that no texture is always stored in one way
    name = f"{split}/{at:05d}.{'jpg' if rng.random() < 0.5 else 'png'}"
    picture.save(folder / name, quality=92)
    return name


def _copy(folder: Path, seed: int, at: int, kind: str, name: str) -> str:
    """Write a copy of a picture; return its name."""
    rng = np.random.default_rng([seed, at, 1])
    source = folder / name
    form = "webp" if "WebP" in kind else "jpg" if "JPEG" in kind else source.suffix[1:]
    copy = f"val/c{at:05d}.{form}"
    if kind == "the same file":
        (folder / copy).write_bytes(source.read_bytes())
    else:
        picture = PLANTED[kind](rng, Image.open(source).convert("RGB"))
        picture.save(folder / copy, quality=90)
    return copy


def written(folder: Path, seed: int, count: int, planted: int) -> dict[str, tuple[str, str]]:
    """Write a set with copies; return each copy with its kind and what it is a copy of.

    Parameters
    ----------
    folder : Path
        Of ``train`` and ``val``; copies go to ``val``.
    seed, count, planted : int
        Pictures in all, and copies of each kind among them.
    """
    rng = np.random.default_rng(seed)
    whole = count - planted * len(PLANTED)
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True, exist_ok=True)
    parts = [part for picture in shipped().values() for part in crops(rng, picture, 60)][:whole]
    given = [*parts, *([None] * (whole - len(parts)))]
    kinds = [kind for kind in PLANTED for _ in range(planted)]
    with ProcessPoolExecutor(2) as pool:
        make = partial(_original, folder, seed)
        names = list(pool.map(make, range(whole), given, chunksize=50))
        of_train = [at for at, name in enumerate(names) if name.startswith("train")]
        taken = [int(at) for at in rng.permutation(of_train)[: len(kinds)]]
        sources = [names[at] for at in taken]
        copies = list(pool.map(partial(_copy, folder, seed), taken, kinds, sources, chunksize=50))
    return dict(zip(copies, zip(kinds, sources, strict=True), strict=True))
