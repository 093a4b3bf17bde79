"""A grid of predictions under a cell: the viewer, a plain picture, and words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.display.page import cell_html, page_html
from cvtrack_magics.display.viewer.build import Sheet


@dataclass(frozen=True, slots=True)
class Grid:
    """Shown by a notebook as the viewer, by GitHub as a picture, by a terminal as words.

    Attributes
    ----------
    sheet : Sheet
        What the viewer is given.
    picture : bytes
        A WebP of some samples, or empty.
    text : str
        What there is to see, in words.
    height : int
        Of the viewer, in pixels.
    tell : bool
        Whether a line says how the viewer runs in a notebook that is not trusted.
    """

    sheet: Sheet
    picture: bytes
    text: str
    height: int = 640
    tell: bool = False

    def page(self) -> str:
        """Return the viewer as a page that needs neither a kernel nor a network."""
        return page_html(self.sheet.document, self.sheet.packs, picture=self.picture or None)

    def save(self, path: str | Path) -> Path:
        """Write the page to a file; return its path."""
        target = Path(path).expanduser()
        target.write_text(self.page(), encoding="utf-8")
        return target

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        html = cell_html(
            self.page(), self.picture, "image/webp", self.text, self.height, tell=self.tell
        )
        return {"text/plain": self.text, "text/html": html}
