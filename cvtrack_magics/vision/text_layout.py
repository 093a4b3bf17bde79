"""Text in pictures: a font that is always there, and words cut to the room they have."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any


def clean(text: str) -> str:
    """Return a text in one line without control, joining or direction marks."""
    text = unicodedata.normalize("NFC", " ".join(str(text)[:500].split()))
    return "".join(c for c in text if unicodedata.category(c)[0] != "C")


@lru_cache(maxsize=8)
def font_of(size: int) -> Any:
    """Return Pillow's own font in a size of pixels."""
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except (TypeError, OSError):  # before Pillow 10.1 there is one size; or no FreeType
        return ImageFont.load_default()


def _length(text: str, font: Any) -> float:
    try:
        return float(font.getlength(text))
    except UnicodeEncodeError:
        return float(font.getlength("?" * len(text)))


def shortened(text: str, tail: str, room: int, font: Any) -> str:
    """Return a text cut so that it and the tail fit into so many pixels."""
    text = _sayable(clean(text), font)
    if _length(text + tail, font) <= room:
        return text + tail
    while text and _length(f"{text}...{tail}", font) > room:
        text = text[:-1]
    return f"{text}...{tail}"


def _sayable(text: str, font: Any) -> str:
    """Replace what Pillow's own bitmap font cannot take."""
    if hasattr(font, "getname"):
        return text
    return text.encode("latin-1", "replace").decode("latin-1")


def wrapped(text: str, room: int, font: Any) -> list[str]:
    """Return the lines of a text, each of at most so many pixels."""
    lines = [""]
    for word in _sayable(clean(text), font).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _length(longer, font) > room:
            lines.append(shortened(word, "", room, font))
        else:
            lines[-1] = shortened(longer, "", room, font)
    return lines
