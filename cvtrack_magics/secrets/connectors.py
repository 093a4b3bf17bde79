"""What may stand between a name that says secret and the text that is one.

Every pattern is matched at one place only, and each of its repetitions has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

GAP = r"[ \t]{0,8}(?:\\?\r?\n[ \t]{0,40}){0,2}"
_CALLS = (
    r"(?:\w{1,30}\.){0,3}(?:SecretStr|SecretBytes|Secret|str|bytes|bytearray|quote_plus|quote|"
    r"[Ff]ield|generate_password_hash|hash_password|sha256|md5|b64encode|b64decode|fromhex|unhexlify|"
    r"MD5|SHA1|SHA2|SHA256|PASSWORD|crypt|decode)\(|[\"'][^\"'\w\n]{0,3}[\"']\.join\("
)
_OPENED = (
    rf"(?P<opened>(?:(?:{_CALLS}|[(\[]|\$(?=[\"'])){GAP}"
    r"(?:default[ \t]{0,4}=[ \t]{0,4})?){0,3})"
)
_PREFIX = r"[rRbBuUfF]{0,2}"
_ESCAPED = r"\\{0,3}"  # as a quote is in JSON that stands in a text of JSON, or of code

_TYPED = (
    r"(?:(?::{1,2}[ \t]{0,4}&?|As[ \t]{1,2})[A-Za-z_][\w.\[\]| ]{0,40}|\{[ \w;]{1,40}\}[ \t]{0,2})"
)
TAIL = re.compile(
    r"(?:[ \t]{0,2}[:=]{1,2}[ \t]{0,2}(?=\\?[\"'][ \t]{0,4},))?"  # print("password:", "…")
    rf"(?P<close>{_ESCAPED}[\"'])?"
    r"[ \t]{0,4}(?:\]{1,2}|\[\d{0,5}\])?[ \t]{0,40}"
    rf"(?P<op>=>|<<<|<{{1,2}}-|{_TYPED}(?::=|[=!]?=(?!=?[ \t]{{0,8}}(?:\r?\n|\Z)))|"
    r"[=!]?=|:=|:(?![:=])|,|in(?![\w])|value=)"
    rf"{GAP}{_OPENED}(?:<<(?=\"))?"
)
"""From a name to a value that is given to it, or compared with it."""
FLAG = re.compile(r"(?:[ \t]{1,3}|=)")
SAID = re.compile(
    r"[ \t]{1,3}(?:is|was|->|provided|supplied|given|received|lautet|ist|est|es|è)[ \t:]{0,3}[ \t]|"
    r"[ \t]{0,4}[|\t][ \t]{0,4}|[ \t]{1,40}"
)
"""From a name to a value in a message or a table."""
DEFAULT = re.compile(r"[^()]{0,200}?\bdefault[ \t]{0,4}=[ \t]{0,4}")
"""From a flag to its default, in the call that declares it."""
OTHERWISE = re.compile(
    r"[ \t]{0,8}(?:lambda[ \w,]{0,30}:[ \t]{0,4}|"
    r"(?:[\w. \t\[\]\"']|\([^()\n]{0,80}\)){1,80}?(?<!\w)(?:or|else)[ \t]{1,4})"
)
"""From an assignment to what stands where nothing else is given."""
RETURNED = re.compile(
    r"\([^()\n]{0,200}\)(?:[ \t]{0,4}->[^:\n]{1,60})?:[ \t]{0,4}(?:#[^\n]{0,120})?"
    r"(?:\r?\n(?![ \t]{0,40}(?:async[ \t])?(?:def|class)[ \t])[^\n]{0,200}){0,6}?"
    r"[ \t:;\n](?:return|yield)[ \t]{1,4}"
)
"""From a function's name to what it returns."""
FUNCTION = re.compile(r"(?:\A|\W)def[ \t]{1,4}\Z")
BRANCH = re.compile(r"(?:\A|\W)(?:case|==|in)[ \t]{0,4}(?:[(\[{][^\n\"']{0,20})?[\"']\Z")
TAKEN = re.compile(
    r"[\"'][)\]}]?[ \t]{0,4}:[ \t]{0,4}(?:#[^\n]{0,120})?(?:\r?\n[ \t]{1,40})?"
    r"(?:return|yield|[\w.]{1,40}[ \t]{0,4}=)[ \t]{1,4}"
)
"""From a quoted name that something is compared with, to what is returned or set then."""
SETTER = re.compile(
    r"(?:(?:setdefault|setenv|putenv|getenv|\.get|\.pop|set_(?:\w{1,20}_)?(?:tag|param|env|secret|key|password|value|config|option|header|item)s?|log_param|putItem|setItem|hset|put)"
    r"\([ \t]{0,4}|[sg]etattr\([^()\n]{1,60},[ \t]{0,4})[\"']\Z"
)
"""Before a quoted name, whose value is the next argument."""
SHELL = re.compile(
    r"(?:(?:^|[\s!;\"'])(?:export|%env|%set_env|ENV|ARG|setx?|-e|--env|--build-arg|env|echo)"
    r"[ \t]{1,4}[\"']?|(?:--set|--set-string|--?var)[ \t=][\"']?(?:[\w\-]{1,30}\.){0,4}|"
    r"--from-literal=)\Z"
)
SOURCE = re.compile(
    r"(?i)(?:host|user|username|user id|userid|uid|login|dbname|database|server|port)="
    r"[^\s;,\"'()]{1,40}[ ;]\Z"
)
"""What stands before a password in the address of a database that is no URL."""
SET_BY_SPACE = re.compile(r"(?:%env|%set_env|setx|configure set|config set)[ \t]{1,4}\Z")
LINE_START = re.compile(r"(?:\A|\n)[ \t]{0,16}(?:- )?\Z")
IN_TEXT = re.compile(r"(?:[\"']|\\n)[ ]{0,8}(?:- )?\Z")
"""Where a line begins in the source of a text of lines: ``"password: …\\n"``."""
LINE_END = re.compile(r"[ \t]{0,8}(?:#[^\n]{0,200}|(?<=[ \t]);[^\n]{0,200})?(?:\r?\n|\Z)")
ENTRY = re.compile(
    r"(?:\A|[\s{,<-])[\"']?(?:[Nn]ame|[Kk]ey|[Vv]ariable)[\"']?[ \t]{0,2}:[ \t]{0,4}[\"']?\Z"
)
ITS_VALUE = re.compile(
    r"[\"']?[ \t]{0,4},?[ \t]{0,4}(?:\r?\n[ \t]{1,40})?[\"']?[Vv]alue"
    r"(?:[\"']?[ \t]{0,2}:[ \t]{1,4}|[\"']:(?=[\"']))"
)
"""Around a name that is itself a value: ``{"name": "DB_PASSWORD", "value": "…"}``."""
DECLARES = re.compile(r"(?:variable|output)[ \t]{1,4}\"\Z")
DECLARED = re.compile(r"\"[ \t]{0,4}\{[^{}]{0,400}?\b(?:default|value)[ \t]{0,40}=[ \t]{0,8}")
"""Around the name of a variable of Terraform, before its default."""
INPUT = re.compile(
    r":[ \t]{0,8}\r?\n(?:[ \t]{1,40}(?!default)[\w\-]{1,40}:[^\n]{0,200}\n){0,4}"
    r"[ \t]{1,40}default:[ \t]{1,8}"
)
"""From the name of a workflow's input to its default."""
DEFAULTED = re.compile(r"\$\{[\w.\-]{1,60}:-?(?=[^\s{}]{4,200}\})")
"""Before what a shell, Compose or Spring takes where a variable is not set."""
TEMPLATE = re.compile(r"[ \t]{0,8}<%=[^\n%]{0,120}?(?:\|\||\bor\b|,|\{)[ \t]{0,4}(?=[\"'])")
"""From an assignment to what stands in a template of Ruby's where nothing else is given."""
HEREDOC = re.compile(r"(?:\$\(cat[ \t]{1,4})?<<[-~]?[\"']?\w{1,20}[\"']?[ \t]{0,8}\r?\n[ \t]{0,40}")
CONTINUED = re.compile(r"[ \t]{0,2}=[ \t]{0,2}\\\r?\n[ \t]{0,40}")
ASSIGNED = re.compile(
    r"(?P<quote>[\"'])(?P<v>[^\"'\n]{1,400})(?P=quote)[ \t]{0,4}->{1,2}[ \t]{0,4}\Z"
)
"""What R assigns to the name behind it."""
REST = re.compile(r"[^\n#;\"'=]{8,200}")
"""The words to the end of a line or to its comment."""
SETTING = re.compile(r"[^\s\"'`(){}\[\]<>]{3,400}[^\s\"'`(){}\[\]<>,;](?=[ \t]{0,8}(?:\r?\n|\Z))")
"""A word that is all of a line of settings behind a name."""
BARE = re.compile(r"[^\s\"'`,;&)(\[\]{}<>|\\]{4,1024}")

_QUOTED = re.compile(
    rf"{_PREFIX}(?P<quote>\"\"\"|'''|{_ESCAPED}[\"'])(?P<v>[^\n\"']{{1,2048}})(?P=quote)"
)
_QUOTED_BOTH = re.compile(
    rf"{_PREFIX}(?P<quote>[\"'])(?P<v>(?:\\.|(?!(?P=quote))[^\n\\]){{1,2048}})(?P=quote)"
)
_QUOTED_THRICE = re.compile(
    rf"{_PREFIX}(?P<quote>\"\"\"|\'\'\')(?:\\?\r?\n)?(?P<v>(?:(?!(?P=quote))[^\n]){{1,2048}})"
    r"(?:\\?\r?\n)?(?P=quote)"
)
_BACKTICKED = re.compile(r"(?P<quote>`)(?P<v>[^`\s]{1,512})`")
_JOINED, _BESIDE, _COMMA = (
    re.compile(p)
    for p in (
        r"[ \t]{0,8}\+[ \t]{0,8}|[ \t]{1,8}",
        rf"{GAP}(?:\+{GAP})?",
        rf"{GAP},{GAP}",
    )
)
_LONG_OF_LUA = re.compile(
    r"\[(?P<mark>={0,4})\[(?:\r?\n)?(?P<v>[^\n\[\]]{4,1024})(?:\r?\n)?\](?P=mark)\]"
)
_RAW = tuple(
    re.compile(p)
    for p in (
        r"(?:u8|[uUL])?R\"(?P<mark>\w{0,16})\((?P<v>[^\n()\"]{4,1024})\)(?P=mark)\"",  # C++
        r"b?r(?P<mark>#{1,4})\"(?P<v>[^\n\"]{4,1024})\"(?P=mark)",  # Rust
        r"(?:@\$?|\$@)\"(?P<v>[^\n\"]{4,1024})\"",  # C#
        r"@(?P<mark>[\"'])[ \t]{0,4}\r?\n(?P<v>[^\n\r]{4,1024})\r?\n(?P=mark)@",
        r"(?:qq?|%[qQ])[ ]?[{(\[<|/!](?P<v>[^\s{}()\[\]<>|/!]{4,512})[})\]>|/!]",  # Perl, Ruby
    )
)
_MOST = 20  # texts of one list that are looked at

_NAME = r"[\w.]{1,60}"
_TARGETS = re.compile(
    rf"[+\- \t]{{0,16}}[(\[]?(?P<names>{_NAME}(?:,[ \t]{{0,4}}{_NAME}){{1,7}})[)\]]?"
    rf"[ \t]{{0,4}}=(?!=)[ \t]{{0,4}}[(\[]?{GAP}"
)
_OTHER = re.compile(r"[\w.\-]{1,60}(?:\([^()\n]{0,60}\)|\[[^\[\]\n]{0,60}\])?")


@dataclass(frozen=True, slots=True)
class Literal:
    """A quoted text, in one part or in several that Python joins."""

    value: str
    places: tuple[tuple[int, int], ...]
    end: int


def literal(text: str, at: int, *, lines: bool = False, commas: bool = False) -> Literal | None:
    """Return the quoted text that begins at a place, with the parts that follow it.

    ``lines`` says whether parts on the next lines belong to it, as between brackets, and
    ``commas`` whether those behind a comma do, as where a list is joined.
    """
    parts: list[re.Match[str]] = []
    gap: int = at
    while len(parts) < _MOST:
        part = _quoted(text, gap)
        if part is None:
            break
        parts.append(part)
        space = _COMMA.match(text, part.end()) if commas else None
        space = space or (_BESIDE if lines else _JOINED).match(text, part.end())
        if space is None or (space.end() == part.end() and not lines):
            break
        gap = space.end()
    if not parts:
        return None
    places = tuple((part.start("v"), part.end("v")) for part in parts)
    return Literal("".join(part["v"] for part in parts), places, parts[-1].end())


def raw(text: str, at: int) -> Literal | None:
    """Return the text at a place in the quotes of another language that take all as it stands."""
    for pattern in _RAW:
        part = pattern.match(text, at)
        if part is not None:
            return Literal(part["v"], (part.span("v"),), part.end())
    return None


def long_of_lua(text: str, at: int) -> Literal | None:
    """Return the text between long brackets of Lua's; Python has lists in lists so."""
    part = _LONG_OF_LUA.match(text, at)
    return Literal(part["v"], (part.span("v"),), part.end()) if part is not None else None


def _quoted(text: str, at: int) -> re.Match[str] | None:
    if text.startswith("`", at):
        return _BACKTICKED.match(text, at)
    part = _QUOTED.match(text, at)
    if part is None:
        return _QUOTED_BOTH.match(text, at) or _QUOTED_THRICE.match(text, at)
    escaped = len(part["v"]) - len(part["v"].rstrip("\\"))
    if escaped % 2 and not part["quote"].startswith("\\"):  # the quote is of the text
        return _QUOTED_BOTH.match(text, at) or part
    return part


def literals(text: str, at: int, *, opened: bool) -> Iterator[Literal]:
    """Yield the quoted text at a place, and behind a bracket those behind its commas."""
    found = literal(text, at, lines=opened)
    for _ in range(_MOST):
        if found is None:
            return
        yield found
        comma = _COMMA.match(text, found.end) if opened else None
        found = literal(text, comma.end(), lines=True) if comma is not None else None


def of_several(text: str, start: int) -> Literal | None:
    """Return the text that one of several names of an assignment gets: ``a, b = "x", "y"``."""
    line = text.rfind("\n", max(0, start - 200), start) + 1
    match = _TARGETS.match(text, line) if line or start < 200 else None
    if match is None or not match.start("names") <= start < match.end("names"):
        return None
    at = match.end()
    for _ in range(text.count(",", match.start("names"), start)):
        item = literal(text, at, lines=True)
        end = item.end if item is not None else _end_of_other(text, at)
        comma = _COMMA.match(text, end)
        if comma is None:
            return None
        at = comma.end()
    return literal(text, at, lines=True)


def _end_of_other(text: str, at: int) -> int:
    match = _OTHER.match(text, at)
    return match.end() if match is not None else at
