"""The rows of tables that a training loop displays as HTML."""

from __future__ import annotations

from html.parser import HTMLParser

LARGEST = 300_000  # characters of HTML that are read
MOST_ROWS = 5_000
HEAD = 20_000  # characters in which the heads of a table's columns stand


def may_head_epochs(html: str) -> bool:
    """Say in little time whether some HTML may have a table of epochs or steps."""
    head = html[:HEAD].lower()
    return "<table" in head and ("epoch" in head or "step" in head or "iter" in head)


def rows_of(html: str) -> list[list[list[str]]]:
    """Return the tables in some HTML, each as rows of the texts of its cells.

    Parameters
    ----------
    html : str
        As a library displays it; what is no table is passed over, and so is one within another.
    """
    if len(html) > LARGEST or "<table" not in html.lower():
        return []
    parser = _Tables()
    parser.feed(html)
    parser.close()
    return parser.tables


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._depth = 0
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "table":
            self._depth += 1
            if self._depth == 1:
                self.tables.append([])
        if self._depth != 1 or len(self.tables[-1]) > MOST_ROWS:
            return
        if tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables[-1]:
            self.tables[-1][-1].append("")
        self._in_cell = tag in ("td", "th") or (self._in_cell and tag != "tr")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._depth = max(0, self._depth - 1)
        if tag in ("td", "th", "tr", "table"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._depth == 1 and self._in_cell and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data.strip()
