"""The picture of a measurement."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.latency import Bench, Row, figure


def made(runner: str, batch: int, ms: float, known: int = 3) -> Row:
    values = [ms, ms * 1.2, ms * 1.6][:known] + [None] * (3 - known)
    return Row(runner, batch, 500, *values, mean_ms=ms, throughput=1000 * batch / ms)


def drawn(*rows: Row) -> Image.Image:
    image = Image.open(io.BytesIO(figure(Bench(rows, rows[0].cell, {}))))
    assert image.format == "PNG"
    return image.convert("RGB")


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    return set(map(tuple, np.asarray(image).reshape(-1, 3).tolist()))


def test_every_runner_has_its_colour() -> None:
    names = ("eager", "torchscript", "compile", "onnx")
    rows = [made(name, batch, 3.0 * batch) for name in names for batch in (1, 8, 32)]
    image = drawn(*rows)
    assert image.width == 721
    assert 700 < image.height < 1000
    found = colours(image)
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73), (0xCC, 0x79, 0xA7)} <= found


@pytest.mark.parametrize("known", [1, 2, 3])
def test_what_is_not_known_is_not_drawn(known: int) -> None:
    blue = [
        int((np.asarray(drawn(made("eager", 1, 4.0, shown))) == (0, 0x72, 0xB2)).all(-1).sum())
        for shown in (known, 3)
    ]
    assert blue[0] == blue[1] if known == 3 else blue[0] < blue[1]


def test_many_long_names_and_a_wide_range() -> None:
    rows = [
        made(f"a runner with a long name $x_{place}", batch, 0.003 * 9.0**place * batch)
        for place in range(8)
        for batch in (1, 256)
    ]
    few, many = drawn(rows[0], rows[1]), drawn(*rows)
    assert many.width == few.width
    assert many.height > few.height


def test_failed_rows_are_left_out() -> None:
    drawn(made("eager", 1, 2.0), Row("onnx", 1, note="fixed batch"))
    with pytest.raises(UsageProblem, match="nothing to draw"):
        figure(Bench((Row("onnx", 1, note="fixed batch"),), "", {}))
