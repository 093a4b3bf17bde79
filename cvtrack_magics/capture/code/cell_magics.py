"""A cell without its magics: the Python that is left, and what the magics say of names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from keyword import iskeyword

from cvtrack_magics.syntax import tree_of

_CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w+)(?P<line>[^\n]*)(?:\n|$)")
_LINE_MAGIC = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?P<target>[\w.,\s]+?)[ \t]*=[ \t]*)?"
    r"(?P<sign>%{1,2}|!{1,2})(?P<rest>.*)$"
)
_WORD = re.compile(r"(?<![\w.'\"-])[A-Za-z_]\w*")
_PYTHON = {"mlrun", "mlsweep", "mlskip", "time", "timeit", "capture", "prun"}
_CODE = {"time", "timeit", "prun"}
_OF_NAMES = {"mlparams", "mldata", "mleval", "mlgrid", "mlmodel", "mlcam", "mlaugment"}
"""Magics whose words are names of the notebook."""
_EFFECT = {"writefile", "file", "bash", "sh", "script", "run_cell"}
_STATE = {
    *("load_ext", "reload_ext", "autoreload", "run", "cd", "env", "set_env", "matplotlib"),
    *("config", "mlseed", "mlautolog", "mltags", "pylab", "precision"),
}
_DEFINES_NOTHING = {
    *("time", "timeit", "config", "cd", "env", "set_env", "matplotlib", "autoreload", "precision"),
    *("load_ext", "reload_ext", "unload_ext", "pip", "conda", "who", "whos", "pwd", "ls", "who_ls"),
    *("html", "markdown", "latex", "svg", "javascript", "js", "writefile", "file", "capture"),
}


@dataclass
class Plain:
    """A cell's text as Python alone.

    Attributes
    ----------
    text : str
        Of as many lines as below its cell magic; in a magic's place stands what reads its names.
    reads, mentions : set of str
        Words in the lines of magics.
    always, opaque : bool
        As :class:`~cvtrack_magics.capture.code.cell_names.CellNames` has them.
    certain : bool
        Whether words that need not be names are left out.
    """

    text: str = ""
    reads: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)
    always: bool = False
    opaque: bool = False
    certain: bool = False


def without_magics(source: str, *, certain: bool = False) -> Plain:
    """Return a cell as Python alone; empty where it is of another language.

    Parameters
    ----------
    source : str
        As it was typed.
    certain : bool
        Leave out the words in magics' lines that need not be names.
    """
    found = Plain(certain=certain)
    found.text = _python_of(source, found)
    return found


def is_python(source: str) -> bool:
    """Say whether a cell is Python below its cell magic, if it has one."""
    head = _CELL_MAGIC.match(source)
    return head is None or head["name"] in _PYTHON


def _python_of(source: str, found: Plain) -> str:
    head = _CELL_MAGIC.match(source)
    if head:
        found.always = head["name"] in _EFFECT
        found.opaque = not _is_plain(head["name"])
        if head["name"] not in _PYTHON:
            return ""
        if head["name"] == "mlrun":
            found.mentions |= set(_WORD.findall(head["line"]))
            found.reads |= found.mentions
        source = source[head.end() :]
    lines = [_line(line, found) for line in source.split("\n")]
    return "\n".join(lines)


def _line(line: str, found: Plain) -> str:
    magic = _LINE_MAGIC.match(line) if "%" in line or "!" in line else None
    if magic is None:
        return line
    name = re.match(r"\w*", magic["rest"])
    word = name.group() if name else ""
    is_magic = magic["sign"].startswith("%")
    found.always |= is_magic and word in _STATE
    found.opaque |= is_magic and not _is_plain(word)
    read = _WORD.findall(magic["rest"][len(word) :])
    if found.certain:
        read = list(_expressions(word if is_magic else "", magic["rest"][len(word) :], read))
    found.mentions |= set(read)
    target = f"{magic['target']} = " if magic["target"] else ""
    # in its place stands what reads the same names
    return f"{magic['indent']}{target}({_safe(read)})"


def _expressions(magic: str, rest: str, words: Iterable[str]) -> Iterator[str]:
    """Yield the names in the line of a magic that are certainly some: not the values of options."""
    if magic in _CODE:
        yield from words
    before = ""
    for word in rest.split() if magic in _OF_NAMES else ():
        is_value, before = before.startswith("--") and "=" not in before, word
        if not is_value and word[:1].isalpha():
            with suppress(SyntaxError, ValueError):
                parsed = tree_of(word, mode="eval")
                yield from (one.id for one in ast.walk(parsed) if isinstance(one, ast.Name))


def _is_plain(magic: str) -> bool:
    return magic.startswith("ml") or magic in _DEFINES_NOTHING or magic in ("bash", "sh", "script")


def _safe(words: Iterable[str]) -> str:
    return " ".join(f"{one}," for one in dict.fromkeys(words) if not iskeyword(one))
