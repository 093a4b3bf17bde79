"""What Tab offers after one of our magics: what fits the word at the cursor, and nothing else."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.line import Line, unquote
from cvtrack_magics.commands.table import commands

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_TYPED = re.compile(r"(?:[\w.,\s]+=\s*(?=%))?\s*%{0,2}(?P<magic>\w+)\s+(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class Asked:
    """A line up to the cursor.

    ``before`` are the words after the magic, ``word`` is the one at the cursor and
    ``symbol`` the part of it that the shell replaces.
    """

    parser: Line
    before: tuple[str, ...]
    word: str
    symbol: str
    names: Mapping[str, Any]

    @property
    def action(self) -> argparse.Action | None:
        """The option whose value is being typed."""
        known = self.parser._option_string_actions
        option, equals, _ = self.word.partition("=")
        found = known.get(option if equals else self.before[-1] if self.before else "")
        return found if found is not None and found.nargs != 0 else None

    @property
    def given(self) -> list[str]:
        """The words before the cursor that are no options and no values of options."""
        known = self.parser._option_string_actions
        found, takes = [], False
        for word in self.before:
            if not takes and not word.startswith("--"):
                found.append(unquote(word))
            takes = word in known and known[word].nargs != 0
        return found

    @property
    def positional(self) -> argparse.Action | None:
        """The argument without a name that comes next."""
        every = [action for action in self.parser._actions if not action.option_strings]
        at = len(self.given)
        if at < len(every):
            return every[at]
        return every[-1] if every and every[-1].nargs in ("+", "*") else None


def answer(shell: Any) -> Callable[[], None]:
    """Let a shell ask us on Tab; return what takes that back.

    IPython before 8.6, which Colab has, can ask nobody: there Tab completes as without us.
    """
    try:
        from IPython.core.completer import context_matcher
    except ImportError:
        return lambda: None
    ours = MagicMatcher(shell)

    # the priority is above those of files, of Python's names and of other magics
    @context_matcher(identifier="cvtrack_magics", priority=1_000)
    def match(context: CompletionContext) -> SimpleMatcherResult:
        return ours.match(context)

    matchers = shell.Completer.custom_matchers
    matchers.insert(0, match)

    def leave() -> None:
        with suppress(ValueError):
            matchers.remove(match)

    return leave


class MagicMatcher:
    """What a shell asks on Tab: with an answer of ours it asks nobody else.

    Parameters
    ----------
    shell : InteractiveShell
        Whose names are offered.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return what fits the word at the cursor."""
        from IPython.core.completer import SimpleCompletion

        asked = self._asked(context.text_until_cursor)
        offers = dict.fromkeys(_offers(asked)) if asked is not None else {}
        symbol = asked.symbol if asked is not None else context.token
        fitting = [offer for offer in offers if offer.startswith(symbol)]
        return {
            "completions": [SimpleCompletion(offer, type="magic") for offer in fitting],
            "matched_fragment": symbol,
            "suppress": True,
            "ordered": True,
        }

    def _asked(self, line: str) -> Asked | None:
        typed = _TYPED.match(line)
        command = commands().get(typed["magic"]) if typed else None
        if typed is None or command is None:
            return None
        rest = typed["rest"]
        words = rest.split()
        word = words.pop() if words and not rest[-1].isspace() else ""
        symbol = self._shell.Completer.splitter.split_line(line, len(line))
        return Asked(command.parser, tuple(words), word, symbol, self._shell.user_ns)


def _offers(asked: Asked) -> Iterator[str]:
    action = asked.action
    if action is not None:
        values = list(_values(action, asked))
        kind = int if action.metavar == "N" else action.type
        yield from values or _NUMBERS.get(kind, ())
        return
    if not asked.word.startswith("-") and asked.positional is not None:
        yield from _values(asked.positional, asked)
    yield from asked.parser.option_names()


_NUMBERS: dict[Any, tuple[str, ...]] = {
    int: ("0", "1", "2", "4", "8", "16", "42", "100"),
    float: ("0.01", "0.05", "0.1", "0.5", "0.9", "0.95", "1.0"),
}
"""What is offered for a number: without an offer of ours the shell asks others for theirs."""


def _values(action: argparse.Action, asked: Asked) -> Iterator[str]:
    yield from (str(choice) for choice in action.choices or ())
    for kind in str(action.metavar or "").split("|"):
        offer = KINDS.get(kind.removesuffix(",…"))
        yield from offer(asked) if offer is not None else ()


def _names(asked: Asked) -> list[str]:
    return [name for name in asked.names if not name.startswith("_")]


def _experiments(_: Asked) -> list[str]:
    from cvtrack_magics.run.offers import experiments

    return experiments()


def _models(asked: Asked) -> list[str]:
    """Return the models; after ``NAME@`` its aliases, after ``NAME/`` versions and stages."""
    from cvtrack_magics.run import offers

    name, at, _ = asked.word.rpartition("@")
    if at:
        return offers.aliases(name)
    name, slash, _ = asked.word.rpartition("/")
    if slash:
        return [f"{name}/{version}" for version in offers.versions(name)]
    return offers.models()


def _versions(asked: Asked) -> list[str]:
    from cvtrack_magics.run.offers import versions

    return [one for name in asked.given[:1] for one in versions(name) if one.isdigit()]


def _runs(asked: Asked) -> list[str]:
    from cvtrack_magics.run.offers import runs

    return _models(asked) if "@" in asked.word else runs()


def _metrics(asked: Asked) -> list[str]:
    from cvtrack_magics.run.offers import metrics

    return metrics(next(iter(asked.given), ""))


def _tags(_: Asked) -> list[str]:
    from cvtrack_magics.capture.data.schema import TAG_SCHEMA

    return [f"{item.key}=" for item in TAG_SCHEMA]


def _tasks(_: Asked) -> list[str]:
    from cvtrack_magics.capture.data.schema import ALIASES, TASK_METRICS

    return [*TASK_METRICS, *ALIASES]


def _which(_: Asked) -> list[str]:
    from cvtrack_magics.tasks.filters import ONLY

    return list(ONLY)


def _fixed(*values: str) -> Callable[[Asked], list[str]]:
    return lambda _: list(values)


KINDS: dict[str, Callable[[Asked], list[str]]] = {
    **dict.fromkeys(("EXPR", "MODEL", "INPUT", "TRANSFORM", "DATASET"), _names),
    "EXPERIMENT": _experiments,
    "K=V": _tags,
    "MAGIC": lambda _: list(commands()),
    "METRIC": _metrics,
    **dict.fromkeys(("NAME", "NAME@ALIAS"), _models),
    "RULE": lambda asked: [*_metrics(asked), "has(", "tag(", "min(", "check("],
    "RUN": _runs,
    "RUNNER": _fixed("eager", "torchscript", "compile", "onnx"),
    "SCORE": _fixed("loss", "confidence", "iou", "f1", "score", "AbsRel"),
    "AXIS": _fixed("batch", "height", "width", "none"),
    "TASK": _tasks,
    "V": _versions,
    "WHICH": _which,
}
"""What Tab offers for each kind of value, by the word that stands for it in the help."""
