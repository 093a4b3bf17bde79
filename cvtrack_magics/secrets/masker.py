"""The one function that masks a text, with what it has learned of this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import Literal

from cvtrack_magics.secrets import views
from cvtrack_magics.secrets.assigned import find_assigned
from cvtrack_magics.secrets.clients import find_in_manifests
from cvtrack_magics.secrets.columns import find_columns
from cvtrack_magics.secrets.escape import printable
from cvtrack_magics.secrets.headers import find_in_headers
from cvtrack_magics.secrets.hints import hinted
from cvtrack_magics.secrets.html_tables import find_in_html
from cvtrack_magics.secrets.inserted import find_inserted
from cvtrack_magics.secrets.joined import find_over_seams
from cvtrack_magics.secrets.keys import find_private_keys
from cvtrack_magics.secrets.names import looks_secret, strength
from cvtrack_magics.secrets.network import find_in_networks
from cvtrack_magics.secrets.pgpass import find_in_pgpass
from cvtrack_magics.secrets.placeholders import is_mixed, is_placeholder
from cvtrack_magics.secrets.programs import find_in_command_lines
from cvtrack_magics.secrets.spans import Span, disjoint, replaced
from cvtrack_magics.secrets.tokens import find_tokens
from cvtrack_magics.secrets.urls import find_remote_secrets, find_url_secrets
from cvtrack_magics.variables import variables

Mode = Literal["on", "strict", "off"]
SHORTEST = 8  # characters of a value that is looked for wherever it stands
_MOST_LEARNED = 500
_LONG = 200_000
_LONG_ONES = 4


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without its secrets; ``found`` counts them by the name of their rule."""

    text: str
    found: Counter[str] = field(default_factory=Counter)


class Masker:
    """Masks the secrets of texts, and remembers the values that their names gave away.

    Parameters
    ----------
    mode : {"on", "strict", "off"}
        ``strict`` also masks values under secret names that are short or plain words.
    allowed : sequence of str
        Patterns (``*`` and ``?``) of values or names of rules that are left as they are.
    alone : bool
        Know nothing but the text: neither other texts nor the environment.

    Notes
    -----
    The time is linear in the text: every search is for a literal text, and every pattern
    is matched only there, with limits on all its repetitions.
    """

    def __init__(
        self, mode: Mode = "on", allowed: Sequence[str] = (), *, alone: bool = False
    ) -> None:
        self.configure(mode, allowed)
        self._alone = alone
        self._learned: dict[str, str] = {}
        self._last_long: dict[str, tuple[object, Masked]] = {}

    def configure(self, mode: Mode, allowed: Sequence[str] = ()) -> None:
        """Take up other settings."""
        self.mode = mode
        self.allowed = tuple(allowed)

    def mask(self, text: str, *, settings: bool = False) -> Masked:
        """Return a text without its secrets, and lone surrogates as escapes.

        ``settings`` says that it is a file of settings, where all behind ``=`` are values.
        """
        text = printable(text)
        if self.mode == "off" or len(text) < 4:
            return Masked(text)
        return self._masked(text, settings) if len(text) < _LONG else self._long(text, settings)

    def _long(self, text: str, settings: bool) -> Masked:
        """Mask a long text; each of many runs has the same lock file, which takes a second."""
        knows = (settings, self.mode, self.allowed, len(self._learned), *secrets_of_environment())
        before = self._last_long.get(text)
        if before is not None and before[0] == knows:
            return before[1]
        masked = self._masked(text, settings)
        if len(self._last_long) >= _LONG_ONES:
            self._last_long.clear()
        self._last_long[text] = knows, masked
        return masked

    def _masked(self, text: str, settings: bool) -> Masked:
        found = [*self._spans(text, settings), *self._seen(text)]
        spans = [span for span in found if not self._is_allowed(text, span)]
        if not spans:
            return Masked(text)
        spans = disjoint([*spans, *self._again(text, disjoint(spans))])
        return Masked(replaced(text, spans), Counter(span.label for span in spans))

    def _seen(self, text: str) -> Iterator[Span]:
        """Yield what is found once colours and HTML's signs are read as they are shown."""
        view = views.seen(text)
        if view is not None:
            yield from view.in_text(self._spans(view.text, False))

    def _spans(self, text: str, settings: bool) -> Iterator[Span]:
        yield from find_tokens(text)
        yield from find_private_keys(text)
        yield from find_url_secrets(text)
        yield from find_remote_secrets(text)
        hints, strict = hinted(text), self.mode == "strict"
        yield from find_assigned(text, hints, strict=strict, certain=settings)
        yield from find_columns(text, hints, strict=strict)
        yield from find_in_headers(text)
        yield from find_in_command_lines(text)
        yield from find_inserted(text)
        yield from find_in_html(text)
        yield from find_over_seams(text)
        yield from find_in_manifests(text)
        yield from find_in_pgpass(text)
        yield from find_in_networks(text)
        if self._alone:
            return
        for value, label in {**self._learned, **secrets_of_environment()}.items():
            yield from _occurrences(text, value, label)

    def _is_allowed(self, text: str, span: Span) -> bool:
        value = text[span.start : span.end]
        return any(fnmatchcase(value, p) or fnmatchcase(span.label, p) for p in self.allowed)

    def _again(self, text: str, spans: Sequence[Span]) -> Iterator[Span]:
        """Yield values that only their place gave away where the text has them bare, too."""
        found = {text[span.start : span.end]: span.label for span in spans}
        for value, label in islice(found.items(), _MOST_LEARNED):
            self.learn(value, label)
            if _stands_alone(value):
                yield from _occurrences(text, value, label)

    def learn(self, value: str, label: str) -> None:
        """Remember a value that only its name gave away: it may be printed bare."""
        if len(self._learned) < _MOST_LEARNED and _stands_alone(value):
            self._learned.setdefault(value, label)


def _stands_alone(value: str) -> bool:
    """Say whether a value is distinct enough to be looked for in any text."""
    fit = SHORTEST <= len(value) <= 512 and "\n" not in value and "***" not in value
    return fit and is_mixed(value) and not is_placeholder(value)


def secrets_of_environment() -> dict[str, str]:
    """Return the secret values of this process's environment, with what stands for each."""
    return {
        value: f"env:{name}"
        for name, value in variables().items()
        if strength(name) and looks_secret(name, value) and _stands_alone(value)
    }


def _occurrences(text: str, value: str, label: str) -> Iterator[Span]:
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        yield Span(at, end, label)
        at = text.find(value, end)
