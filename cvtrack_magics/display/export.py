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

from pathlib import Path
from typing import Any

from nbconvert.exporters.html import HTMLExporter
from nbconvert.preprocessors.base import Preprocessor

_BUNDLE = Path(__file__).parent / "static" / "plot.js"
_CARD = 'class="cvtrack-data"'
_MARK = 'data-cvtrack="front-end"'


def front_end() -> str:
    """Return the front end as a script element, or ``""`` when it was not built."""
    if not _BUNDLE.exists():
        return ""
    # Only these three can end or change the reading of a script inside HTML.
    code = _BUNDLE.read_text(encoding="utf-8")
    for word in ("</script", "</SCRIPT", "<!--"):
        code = code.replace(word, f"\\x3c{word[1:]}")
    return f'<script type="module" {_MARK}>{code}</script>'


def bring_alive(html: str) -> str:
    """Put the front end into an exported page, once; a page without a card stays as it is.

    Parameters
    ----------
    html : str
        A page that ``jupyter nbconvert --to html`` wrote.

    Returns
    -------
    str
        The page with the front end at the end of its body.
    """
    if _CARD not in html or _MARK in html:
        return html
    body, end, rest = html.rpartition("</body>")
    return body + front_end() + end + rest if end else html + front_end()


class Alive(Preprocessor):  # type: ignore[misc, unused-ignore]
    """Adds the front end to the first card of a notebook; the notebook's file is not changed."""

    enabled = True

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook with the front end in one of its outputs, if it has a card."""
        for cell in nb.cells:
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                html = _text(data.get("text/html", ""))
                if _CARD in html:
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
