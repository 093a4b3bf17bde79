"""The colours of curves can be told apart, by those too who do not see red or green."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from cvtrack_magics.palette import CURVES

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
EYES = {
    "usual": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}
GROUNDS = {"white": "#ffffff", "JupyterLab, dark": "#111111", "VS Code, dark": "#1f1f1f"}


def linear(colour: str) -> np.ndarray:
    """Return linear RGB of an sRGB colour."""
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    share = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    small = (24389 / 27 * share + 16) / 116
    x, y, z = np.where(share > 216 / 24389, np.cbrt(share), small)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """Return the difference of two colours (CIEDE2000)."""
    chroma = (np.hypot(*first[1:]) + np.hypot(*second[1:])) / 2
    grey = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25**7))
    c1, c2 = (np.hypot(one[1] * grey, one[2]) for one in (first, second))
    h1, h2 = (np.degrees(np.arctan2(one[2], one[1] * grey)) % 360 for one in (first, second))
    turn = (h2 - h1 + 180) % 360 - 180
    dl, dc = second[0] - first[0], c2 - c1
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    light, middle, hue = (first[0] + second[0]) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    waves = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    t = 1 + sum(a * np.cos(np.radians(n * hue + shift)) for a, n, shift in waves)
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * middle, 1 + 0.015 * middle * t
    blue = 30 * np.exp(-(((hue - 275) / 25) ** 2))
    rt = -2 * np.sqrt(middle**7 / (middle**7 + 25**7)) * np.sin(np.radians(2 * blue))
    return float(np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * dc / sc * dh / sh))


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours (WCAG 2)."""
    both = [float(np.array([0.2126, 0.7152, 0.0722]) @ linear(one)) for one in (first, second)]
    return (max(both) + 0.05) / (min(both) + 0.05)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ],
)
def test_the_measure_is_the_published_one(
    first: tuple[float, ...], second: tuple[float, ...], wanted: float
) -> None:
    """Pairs of Sharma, Wu and Dalal 2005."""
    assert apart(np.array(first), np.array(second)) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("eyes", EYES)
def test_any_two_curves_can_be_told_apart(eyes: str) -> None:
    seen = {colour: lab(EYES[eyes] @ linear(colour)) for colour in CURVES}
    pairs = {pair: apart(seen[pair[0]], seen[pair[1]]) for pair in combinations(CURVES, 2)}
    assert {pair: found for pair, found in pairs.items() if found < 10} == {}


@pytest.mark.parametrize("ground", GROUNDS)
def test_each_curve_stands_out(ground: str) -> None:
    assert [colour for colour in CURVES if contrast(colour, GROUNDS[ground]) < 3] == []
