"""What the site is made of beside its pages: the README as its start, and living plots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cvtrack_magics.display.export import bring_alive

ROOT = Path(__file__).parent.parent
PLACES = (
    ("](docs/", "]("),
    ("](notebooks/", "](tutorials/"),
)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the README, with its links as they are in the site, for the first page."""
    if page.file.src_uri == "index.md":
        markdown = (ROOT / "README.md").read_text(encoding="utf-8")
        for there, here in PLACES:
            markdown = markdown.replace(there, here)
    return re.sub(r"\]\(docs/", "](", markdown)


def on_post_page(output: str, **_: Any) -> str:
    """Let the curves of a tutorial's runs be drawn, without a kernel."""
    return bring_alive(output)
