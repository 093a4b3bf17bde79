"""Command lines of magics: options with help, one-line errors, Python-aware splitting."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from cvtrack_magics.errors import did_you_mean

BODY_BELOW = "..."
"""Stands for a cell's body, which IPython itself runs after the call of its magic."""
RANKS_BELOW = "... by its ranks"
"""Stands for a cell's body that other processes run."""

OPENING, CLOSING, QUOTES = "([{", ")]}", "'\""


def usage_error(text: str) -> Exception:
    """Return IPython's own error of a line; IPython is imported only where one is typed."""
    from IPython.core.error import UsageError

    error: Exception = UsageError(text)
    return error


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
        raise usage_error(f"A quote ({quote}) is opened and not closed in: {line.strip()}")
    if current:
        words.append(current)
    return [unquote(word) for word in words]


def unquote(word: str) -> str:
    """Take matching quotes off a whole word."""
    if len(word) >= 2 and word[0] in QUOTES and word[-1] == word[0] and word[0] not in word[1:-1]:
        return word[1:-1]
    return word


_OPTION = re.compile(r"--[A-Za-z][\w\-]*(?:=|\Z)")
_GIVEN = {
    "%mlparams": " A param is given as {}=VALUE.",
    "%%mlrun": " A param is given as --params {}=VALUE.",
}
"""How values are given to those commands that people give them as options."""


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
        words = self._joined(split(line))
        for word in words:
            if _OPTION.match(word) and word.split("=")[0] not in self._option_string_actions:
                raise self._unknown(word)
        known, rest = self.parse_known_args(words)
        if rest:
            word = rest[0]
            if word.startswith("-"):
                raise self._unknown(word)
            raise usage_error(f"{self.prog} does not understand {word!r} here.{self._try()}")
        return known

    def _unknown(self, word: str) -> Exception:
        """Return the error for an option that there is not, with the way on."""
        options, name = self.option_names(), word.split("=", maxsplit=1)[0]
        if name in ("-h", "--help"):
            return usage_error(f"{self.prog.replace('%%', '%')}? shows what it takes.")
        hint = did_you_mean(name, options)
        listed = "" if hint else f" It knows {', '.join(options)}."
        given = _GIVEN.get(self.prog, "").format(name.lstrip("-"))
        return usage_error(f"{self.prog} has no option {word!r}.{hint}{listed}{given}")

    def apart(self, line: str) -> tuple[str, str]:
        """Return what is no option, as it was typed but for outer quotes; and the rest."""
        options: list[str] = []
        for name, action in self._option_string_actions.items():
            value = "" if action.nargs == 0 else r"(?:\s+|=)[^\s-]\S*"
            for found in re.findall(rf"(?<=\s){name}{value}(?=\s)", f" {line} "):
                options.append(found)
                line = f" {line} ".replace(found, " ", 1).strip()
        unknown = [word for word in line.split() if word.startswith("--")]
        return unquote(line.strip()), " ".join([*options, *unknown])

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
        raise usage_error(f"{self.prog}: {message}.{self._try()}")

    def _try(self) -> str:
        return f" For example: {self.example}" if self.example else f" See {self.prog}?"

    @property
    def page(self) -> str:
        """What ``%magic?`` shows."""
        return "::\n\n" + "".join(f"  {line}\n" for line in self.format_help().splitlines())


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
            raise usage_error(f"{magic}: {word!r} is not of the form name=value.")
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
        raise usage_error(f"{magic}: there is no {name!r} in this notebook.{hint}") from None
    except SyntaxError:
        raise usage_error(f"{magic}: {expression!r} is not a Python expression.") from None
    except Exception as error:
        raise usage_error(
            f"{magic}: {expression!r} raised {type(error).__name__}: {error}"
        ) from None
