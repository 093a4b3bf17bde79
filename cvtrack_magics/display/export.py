"""Exported pages whose plots come alive with no kernel, no Jupyter and no network.

A finished run's card holds a picture, and its points as text. Where our front end runs it puts
an interactive plot in the picture's place. Here the front end is written into the page, once:

- ``jupyter nbconvert --to cvtrack notebook.ipynb`` writes such a page (and JupyterLab lists
  it under *Save and Export Notebook As*);
- ``Alive`` is the preprocessor behind it, for other exporters and for plain
  ``--to html``: ``--HTMLExporter.preprocessors=cvtrack_magics.display.export.Alive``, or the
  same in ``jupyter_nbconvert_config.py``;
- ``bring_alive`` does it to a page that was exported already.
"""

from __future__ import annotations

from typing import Any

from nbconvert.exporters.html import HTMLExporter
from nbconvert.preprocessors.base import Preprocessor

from cvtrack_magics.display.front_end import CARD, bring_alive, front_end

__all__ = ["Alive", "LiveHTMLExporter", "bring_alive", "front_end"]


class Alive(Preprocessor):  # type: ignore[misc, unused-ignore]
    """Adds the front end to the first card of a notebook; the notebook's file is not changed."""

    enabled = True

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook with the front end in one of its outputs, if it has a card."""
        for cell in nb.cells:
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                html = _text(data.get("text/html", ""))
                if CARD in html:
                    data["text/html"] = html + front_end()
                    return nb, resources
        return nb, resources


class LiveHTMLExporter(HTMLExporter):  # type: ignore[misc, unused-ignore]
    """HTML in which the plots of finished runs can be zoomed, hovered and smoothed."""

    export_from_notebook = "HTML with live plots"

    def _init_preprocessors(self) -> None:
        super()._init_preprocessors()  # type: ignore[no-untyped-call, unused-ignore]
        self.register_preprocessor(Alive, enabled=True)  # type: ignore[no-untyped-call, unused-ignore]


def _text(html: str | list[str]) -> str:
    return html if isinstance(html, str) else "".join(html)
