"""One definition a command: a function's signature and docstring are its magic, help and Tab.

A function that is decorated with :func:`command` is what ``%name`` calls and ``cvtrack name``
uses: positional parameters are words, keyword-only ones are options, and what the help says of
each is what the docstring says. :class:`Arg` tells only what a signature cannot: what stands for
the value in the help, and how what was typed becomes the value.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cvtrack_magics.commands.line import Line

F = TypeVar("F", bound=Callable[..., Any])
UNSET: Any = object()
WIDTH = 88  # of a page of help
NUMBERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "int": (int, "N"),
    "float": (float, "X"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """The progress line of a parameter that is told how far the work is."""

    what: str
    unit: str
    scale: float = 1


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that was typed: the magic, its words, and the names of the notebook."""

    magic: str
    names: Mapping[str, Any]
    words: Mapping[str, Any]
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arg:
    """How a parameter is typed on a line; the rest is read off the signature.

    Attributes
    ----------
    metavar : str
        What stands for the value in the help; Tab offers what fits it.
    read : callable, optional
        Returns the value of what was typed (a str, or a list of them where there are many).
    flag : str
        The option, where it is not the parameter's own name.
    const : object
        The value that the bare option stands for.
    many : str
        ``+`` or ``*`` words; ``append`` for an option that may be repeated.
    help : str
        Of a word that the function does not have.
    bar : Bar, optional
        The parameter is told the progress, and is not typed.
    hidden : bool
        The parameter is for Python only.
    """

    metavar: str = ""
    read: Callable[[Any, Typed], Any] | None = None
    flag: str = ""
    const: Any = UNSET
    many: str = ""
    help: str = ""
    bar: Bar | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Documented:
    """What a numpy docstring says."""

    text: str
    parameters: Mapping[str, str]
    examples: str


@dataclass(frozen=True)
class Command:
    """A function as a magic."""

    function: Callable[..., Any]
    args: Mapping[str, Arg]
    extras: Mapping[str, Arg]
    perform: Callable[[Typed], Any] | None
    present: Callable[[Any], None] | None
    returns: bool
    cell: bool
    verbatim: str

    @property
    def name(self) -> str:
        """Without per cent signs."""
        return self.function.__name__

    @property
    def magic(self) -> str:
        """As it is typed."""
        return f"{'%%' if self.cell else '%'}{self.name}"

    @cached_property
    def doc(self) -> Documented:
        """The docstring, in parts."""
        return documented(self.function)

    @cached_property
    def summary(self) -> str:
        """The first sentence."""
        return re.split(r"[.:](?:\s|$)", self.doc.text, maxsplit=1)[0].strip()

    @cached_property
    def example(self) -> str:
        """The line that the docstring shows."""
        found = re.search(rf"^\s*((?:\w+ = )?%{{1,2}}{self.name}\b.*)$", self.doc.examples, re.M)
        return found[1] if found else ""

    @cached_property
    def parser(self) -> Line:
        """The parser of a line, which shows itself as the help."""
        from cvtrack_magics.commands.line import Line

        paragraphs = [textwrap.fill(text, WIDTH) for text in self.doc.text.split("\n")]
        line = Line(self.magic, "\n".join(paragraphs), self.example)
        self.fill(line)
        return line

    @property
    def needs_names(self) -> bool:
        """Whether words are Python, so that the shell must not fill in braces."""
        return any(arg.read is not None for arg in [*self.args.values(), *self.extras.values()])

    @property
    def words(self) -> Iterator[tuple[str, Arg, inspect.Parameter | None]]:
        """The parameters that can be typed, in order."""
        for name, parameter in inspect.signature(self.function).parameters.items():
            arg = self.args.get(name, Arg())
            if not arg.hidden and arg.bar is None:
                yield name, arg, parameter
        for name, arg in self.extras.items():
            yield name, arg, None

    def fill(self, parser: argparse.ArgumentParser, without: frozenset[str] = frozenset()) -> None:
        """Add the words and options to a parser, of a magic or of a shell command."""
        for name, arg, parameter in self.words:
            if name not in without:
                said = arg.help or self.doc.parameters.get(name, "")
                flags, settings = _argument(name, arg, parameter)
                if flags[0].startswith("--no-"):  # the docstring says what it does not do
                    said = f"Do not {said[:1].lower()}{said[1:]}"
                parser.add_argument(*flags, help=said.replace("%", "%%"), **settings)

    def read(self, line: str, names: Mapping[str, Any]) -> Typed:
        """Return a line with the values of its words; what was not typed is not there."""
        text, line = self.parser.apart(line) if self.verbatim else ("", line)
        words = vars(self.parser.read(line))
        return self.understood({**words, self.verbatim: text} if text else words, names)

    def understood(self, words: Mapping[str, Any], names: Mapping[str, Any]) -> Typed:
        """Return words with their values."""
        typed = Typed(self.magic, names, words)
        for name, arg, _ in self.words:
            if name in words:
                word = words[name]
                typed.values[name] = word if arg.read is None else arg.read(word, typed)
        return typed

    def with_defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values, and the defaults of what is not among them."""
        parameters = inspect.signature(self.function).parameters.items()
        usual = {name: p.default for name, p in parameters if p.default is not p.empty}
        return {**usual, **values}

    def call(self, values: Mapping[str, Any]) -> Any:
        """Call the function by name, and by place what it takes by place alone."""
        given = dict(values)
        args: list[Any] = []
        for name, parameter in inspect.signature(self.function).parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                args = list(given.pop(name, ()))
            elif parameter.kind is parameter.VAR_KEYWORD:
                given.update(given.pop(name, {}))
        return self.function(*args, **given)


COMMANDS: dict[str, Command] = {}
"""Those of the modules that were imported; see :mod:`cvtrack_magics.commands.table`."""


def command(
    *,
    cell: bool = False,
    returns: bool = False,
    verbatim: str = "",
    perform: Callable[[Typed], Any] | None = None,
    present: Callable[[Any], None] | None = None,
    extras: Mapping[str, Arg] | None = None,
    **args: Arg,
) -> Callable[[F], F]:
    """Make a function a command.

    Parameters
    ----------
    cell : bool
        It stands on top of cells.
    returns : bool
        Its magic gives the result back instead of showing it.
    verbatim : str
        The parameter that has all that is no option, as it was typed.
    perform : callable, optional
        Called with the line in place of the function, where a line says more than values.
    present : callable, optional
        Shows the result where it does not show itself.
    extras : mapping, optional
        Words of the magic that the function does not have.
    **args
        How the parameters of these names are typed.
    """

    def register(function: F) -> F:
        unknown = set(args) - set(inspect.signature(function).parameters)
        if unknown:
            raise TypeError(f"{function.__name__} has no parameter {', '.join(sorted(unknown))}")
        made = Command(function, args, extras or {}, perform, present, returns, cell, verbatim)
        COMMANDS[made.name] = made
        return function

    return register


def _argument(
    name: str, arg: Arg, parameter: inspect.Parameter | None
) -> tuple[list[str], dict[str, Any]]:
    """Return how argparse is told of a parameter: the flags, and the settings."""
    annotation = "" if parameter is None else str(parameter.annotation)
    required = parameter is not None and parameter.default is inspect.Parameter.empty
    settings: dict[str, Any] = {"default": argparse.SUPPRESS}
    if annotation.startswith("Literal"):
        settings["choices"] = ast.literal_eval(re.sub(r"^Literal|\s*\|\s*None$", "", annotation))
    kind, metavar = NUMBERS.get(re.sub(r"\s*\|\s*None$", "", annotation), (str, ""))
    settings |= {"type": kind, "metavar": arg.metavar or metavar or None}
    if parameter is not None and parameter.kind is not parameter.KEYWORD_ONLY and not arg.flag:
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        many = arg.many or ("*" if variable else "" if required else "?")
        return [name], settings | ({"nargs": many} if many else {})
    flags = [arg.flag or f"--{name.replace('_', '-')}"]
    settings["dest"] = name
    const = arg.const
    if const is UNSET and annotation == "bool":
        const = not (parameter is not None and parameter.default)
        flags = [arg.flag or flags[0].replace("--", "--" if const else "--no-", 1)]
    if const is not UNSET:
        about = {"default": argparse.SUPPRESS, "dest": name, "action": "store_const"}
        return flags, about | {"const": const}
    if arg.many:
        settings["action"] = arg.many
    return flags, settings | {"required": required}


_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
_ENTRY = re.compile(
    r"^(?P<names>[*\w][*\w, ]*?)(?: : .*)?\n(?P<text>(?:(?: .*)?\n)+)", re.MULTILINE
)


def documented(function: Callable[..., Any]) -> Documented:
    """Return what a function's numpy docstring says, without its markup."""
    before, *rest = _SECTION.split(inspect.getdoc(function) or "")
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    found = {
        name.strip().lstrip("*"): _plain(entry["text"])
        for entry in _ENTRY.finditer(f"{sections.get('Parameters', '')}\n")
        for name in entry["names"].split(",")
    }
    text = "\n".join(_plain(paragraph) for paragraph in before.split("\n\n"))
    return Documented(text.strip(), found, sections.get("Examples", ""))


def _plain(text: str) -> str:
    """Return a paragraph as one line, without the marks of reStructuredText."""
    text = re.sub(r":func:`(ml\w+)`", r"%\1", text)
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"\1", text)
    return " ".join(text.replace("``", "").split())
