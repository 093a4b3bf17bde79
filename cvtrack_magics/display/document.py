"""One HTML document of what is shown under cells: it loads nothing, and needs no kernel."""

from __future__ import annotations

from cvtrack_magics.display.front_end import bring_alive
from cvtrack_magics.display.text import html_text, shorten

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_STYLE = """
:root { color-scheme: light dark; --jp-ui-font-color2: #616161; --jp-success-color1: #1a7f37;
  --jp-error-color1: #cf222e; --jp-brand-color1: #1f6fb5; --jp-border-color2: #d0d0d0; }
@media (prefers-color-scheme: dark) { :root { --jp-ui-font-color2: #b0b0b0;
  --jp-success-color1: #4ac26b; --jp-error-color1: #ff7b72; --jp-brand-color1: #6cb6ff;
  --jp-border-color2: #444; } }
body { margin: 24px; font: 14px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }
"""


def document(title: str, body: str) -> str:
    """Return HTML that is shown under a cell as a page of its own.

    Parameters
    ----------
    title : str
        Any text.
    body : str
        HTML, in which all that came from outside is escaped already.
    """
    return bring_alive(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html_text(shorten(title, 120))}</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )
