"""A text in Markdown, shown as such in a notebook and as it is in a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.display.text import plain

_COMMENT = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


@dataclass(frozen=True)
class Marked:
    """Markdown, and a line about it.

    Attributes
    ----------
    markdown : str
        With or without front matter, which is not shown.
    result : object
        What it was made of.
    where : str
        The line, shown last.
    """

    markdown: str
    result: Any
    where: str = ""

    def __repr__(self) -> str:
        body = _COMMENT.sub("", _FRONT.sub("", self.markdown)).strip()
        return f"{body}\n\n{plain(self.where)}"

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        line = re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", plain(self.where))
        body = _FRONT.sub("", self.markdown).strip()
        return {"text/plain": repr(self), "text/markdown": f"{body}\n\n---\n\n{line}"}
