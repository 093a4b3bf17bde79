"""The plot's front end as a script of a page that has nothing else."""

from __future__ import annotations

from pathlib import Path

_BUNDLE = Path(__file__).parent / "static" / "plot.js"
CARD = 'class="cvtrack-data"'
"""What a page has where a picture can come alive."""
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
    if CARD not in html or _MARK in html:
        return html
    body, end, rest = html.rpartition("</body>")
    return body + front_end() + end + rest if end else html + front_end()
