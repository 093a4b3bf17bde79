"""Writes the README's table of magics from their definitions; ``--check`` only compares."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cvtrack_magics.commands.definition import Command
from cvtrack_magics.commands.table import commands

README = Path(__file__).resolve().parent.parent / "README.md"
ROW = re.compile(r"^\| `%{1,2}(ml[a-z]+)\b.*\n", re.MULTILINE)


def usage(command: Command) -> str:
    """Return a line with what must be given, and what comes first."""
    words = [command.magic]
    for action in command.parser._actions:
        name = " or ".join(action.choices or ()) or str(action.metavar or action.dest.upper())
        if not action.option_strings:
            many = " …" if action.nargs in ("+", "*") else ""
            words.append(f"{name}{many}" if action.required else f"[{name}{many}]")
        elif action.required:
            words.append(f"{action.option_strings[0]} {name}")
    return " ".join(words)


def row(command: Command) -> str:
    """Return a command's row."""
    return f"| `{usage(command).replace('|', ' or ')}` | {command.summary} |\n"


def renewed(text: str) -> str:
    """Return a README with the rows as they should be, in the order they have."""
    names = list(dict.fromkeys(ROW.findall(text)))
    names += [name for name in commands() if name not in names]
    first, last = [found.span() for found in ROW.finditer(text)][:: len(ROW.findall(text)) - 1]
    rows = "".join(row(commands()[name]) for name in names)
    return text[: first[0]] + rows + text[last[1] :]


if __name__ == "__main__":
    before = README.read_text(encoding="utf-8")
    after = renewed(before)
    if "--check" not in sys.argv:
        README.write_text(after, encoding="utf-8")
    elif after != before:
        sys.exit("README.md is not as the commands are: python docs/readme_rows.py")
