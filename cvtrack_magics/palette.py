"""The colours of what is drawn, of `palette.json`, which the front end reads, too."""

from __future__ import annotations

import json
from pathlib import Path

_READ = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

CURVES: tuple[str, ...] = tuple(_READ["curves"])
"""Of metrics over steps: told apart on white and dark, without seeing red or green."""

OVERLAYS: tuple[int, ...] = tuple(_READ["overlays"])
"""Which of the curves' colours those of other runs have, in turn."""

CLASSES: tuple[str, ...] = tuple(_READ["classes"])
"""The first seven are Okabe and Ito's (2008), told apart by colour-blind readers."""

FIGURES: tuple[str, ...] = tuple(_READ["figures"])
"""Okabe and Ito's for every kind of colour vision, without the yellow."""

BOXES: tuple[tuple[int, int, int], ...] = tuple(
    (int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16)) for c in _READ["boxes"]
)
"""Okabe and Ito's, red, green and blue from 0 to 255; black is left out."""
