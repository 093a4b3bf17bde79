"""Command lines of magics: options with help, one-line errors, Python-aware splitting."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from IPython.core.error import UsageError

from cvtrack_magics.errors import did_you_mean

F = TypeVar("F", bound=Callable[..., Any])

BODY_BELOW = "..."
"""Stands for a cell's body, which IPython itself runs after the call of its magic."""

OPENING, CLOSING, QUOTES = "([{", ")]}", "'\""


def split(line: str) -> list[str]:
    """Split a line at white space, but not inside brackets or quotes.

    Quotes around a whole word are taken off; quotes inside a Python expression stay,
    so ``dict(name="a b") --prefix "my x"`` gives three words.
    """
    words: list[str] = []
    current, depth, quote = "", 0, ""
    escaped = False
    for char in line.strip():
        if quote:
            if char == quote and not escaped:
                quote = ""
        elif char in QUOTES:
            quote = char
        elif char in OPENING:
            depth += 1
        elif char in CLOSING:
            depth = max(0, depth - 1)
        elif char.isspace() and depth == 0:
            if current:
                words.append(current)
            current = ""
            continue
        escaped = char == "\\" and not escaped
        current += char
    if quote:
        raise UsageError(f"A quote ({quote}) is opened and not closed in: {line.strip()}")
    if current:
        words.append(current)
    return [unquote(word) for word in words]


def unquote(word: str) -> str:
    """Take matching quotes off a whole word."""
    if len(word) >= 2 and word[0] in QUOTES and word[-1] == word[0] and word[0] not in word[1:-1]:
        return word[1:-1]
    return word


class Line(argparse.ArgumentParser):
    """The parser of one magic; an error is one line, with the nearest option named."""

    def __init__(self, magic: str, description: str, example: str = "") -> None:
        super().__init__(
            prog=magic,
            description=description,
            epilog=f"Example: {example}" if example else None,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.example = example

    def option(self, *names: str, **settings: Any) -> Line:
        """Add an argument and return the parser, for chaining."""
        self.add_argument(*names, **settings)
        return self

    def read(self, line: str) -> argparse.Namespace:
        """Parse a line; :class:`UsageError` when it does not fit."""
        known, rest = self.parse_known_args(self._joined(split(line)))
        if rest:
            word = rest[0]
            if word.startswith("-"):
                options = self.option_names()
                hint = did_you_mean(word.split("=")[0], options)
                listed = "" if hint else f" It knows {', '.join(options)}."
                raise UsageError(f"{self.prog} has no option {word!r}.{hint}{listed}")
            raise UsageError(f"{self.prog} does not understand {word!r} here.{self._try()}")
        return known

    def _joined(self, words: list[str]) -> list[str]:
        """Let ``--sort -loss`` be ``--sort=-loss``, which argparse takes for two options."""
        found: list[str] = []
        for word in words:
            action = self._option_string_actions.get(found[-1]) if found else None
            if action is not None and action.nargs != 0 and re.match(r"-[^-\s]", word):
                found[-1] += f"={word}"
            else:
                found.append(word)
        return found

    def option_names(self) -> list[str]:
        """Return the long options, for Tab and for error messages."""
        return [
            name
            for action in self._actions
            for name in action.option_strings
            if name.startswith("--")
        ]

    def error(self, message: str) -> NoReturn:
        """Raise one line instead of leaving the interpreter."""
        raise UsageError(f"{self.prog}: {message}.{self._try()}")

    def _try(self) -> str:
        return f" For example: {self.example}" if self.example else f" See {self.prog}?"

    def document(self, function: F) -> F:
        """Put the options into the docstring that ``%magic?`` shows."""
        function.__doc__ = "::\n\n" + "".join(
            f"  {line}\n" for line in self.format_help().splitlines()
        )
        return function


_PAIR = re.compile(r"^(?P<key>[^=\s]+?)=(?P<value>.*)$", re.DOTALL)


def pairs(words: list[str], magic: str) -> dict[str, str]:
    """Read ``K=V`` words.

    Raises
    ------
    UsageError
        When a word has no ``=``, no name or no value.
    """
    found: dict[str, str] = {}
    for word in words:
        match = _PAIR.match(word)
        value = unquote(match["value"]) if match else ""
        if match is None or not value:
            raise UsageError(f"{magic}: {word!r} is not of the form name=value.")
        found[match["key"]] = value
    return found


def evaluate(expression: str, namespace: Mapping[str, Any], magic: str) -> Any:
    """Evaluate a Python expression in the notebook's namespace.

    Raises
    ------
    UsageError
        In one line: the name that is not there (and the nearest that is), or the
        error of the expression.
    """
    try:
        return eval(compile(expression, f"<{magic}>", "eval"), dict(namespace))  # noqa: S307 (the user's own line)
    except NameError as error:
        name = getattr(error, "name", None) or expression
        visible = [key for key in namespace if not key.startswith("_")]
        hint = did_you_mean(name, visible) or " Run the cell that defines it first."
        raise UsageError(f"{magic}: there is no {name!r} in this notebook.{hint}") from None
    except SyntaxError:
        raise UsageError(f"{magic}: {expression!r} is not a Python expression.") from None
    except Exception as error:
        raise UsageError(
            f"{magic}: {expression!r} raised {type(error).__name__}: {error}"
        ) from None
