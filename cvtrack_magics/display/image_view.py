"""One picture under a cell, with a line of words and notes."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.display.text import html_text, plain


def png(picture: Any) -> bytes:
    """Return a uint8 array H × W × 3 as a PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Shown:
    """A PNG, what it is, and what should be known about it."""

    picture: bytes
    text: str
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([plain(self.text), *(f"  {plain(note)}" for note in self.notes)])

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        notes = "".join(f"<div>⚠ {html_text(note)}</div>" for note in self.notes)
        data = base64.b64encode(self.picture).decode("ascii")
        html = (
            f'<div class="cvtrack-shown"><div>{html_text(self.text)}</div>{notes}'
            f'<img alt="{html_text(self.text)}" style="max-width:100%; height:auto" '
            f'src="data:image/png;base64,{data}"></div>'
        )
        return {"text/plain": repr(self), "text/html": html}
