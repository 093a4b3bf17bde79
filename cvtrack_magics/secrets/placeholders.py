"""What stands where a secret would: templates, examples and names are none."""

from __future__ import annotations

import math
import re
from collections import Counter

_TEMPLATE = re.compile(
    r"\{[^{}]{0,200}\}|\A(?:[a-z_\-]{0,60}\$[a-z_]{3}|\$\w)[a-z_]{0,60}\Z|\$\{\w|\$[A-Z][A-Z_]{2}|%\(|%[srd](?!\w)|<[^<>]{1,200}>|\[\^|\*\*\*|"
    r"\.\.\.|…|\\[wdsWS][+*]|\(\?"
)
"""A lone ``$`` or ``%`` among other letters is a letter of a password: ``pa$$w0rd``."""
_SAID = re.compile(
    r"(?i)(?:your|enter|insert|put|replace|fill|paste)[-_ ].*|.*[-_ ]here|change[-_]?(?:me|it)|"
    r"placeholder|redacted|hidden|dummy|example|sample|none|null|true|false|auto|default|"
    r"password|passwd|pass|pwd|passphrase|secret|token|key|user|username|login|api[-_]?key|"
    r"access[-_]?(?:token|key)|string|str|int|env|optional|required|anonymous|unknown|basic|"
    r"bearer|x{3,}.*|foo|bar|baz|git|hidden|todo|undefined"
)
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_SHIFTS = re.compile(r"[0-9]+|[a-z]+|[A-Z]+")


def is_placeholder(value: str) -> bool:
    """Say whether a value is a template, an example or a word instead of a secret."""
    value = value.strip()
    if len(set(value)) <= 2:
        return True
    if _SAID.fullmatch(value[:300]) or _TEMPLATE.search(value[:2000]):
        return True
    if value[:1] in "<{$[(":
        return True
    return bool(_CONSTANT.fullmatch(value) and len(value) < 60 and not _many_digits(value))


def _many_digits(value: str) -> bool:
    return sum(c.isdigit() for c in value) > 3


def is_mixed(value: str) -> bool:
    """Say whether a value has digits among its letters, or both cases, as keys have."""
    letters = any(c.isalpha() for c in value)
    digit = any(c.isdigit() for c in value)
    cases = any(c.islower() for c in value) and any(c.isupper() for c in value)
    return letters and (digit or cases)


def is_random(value: str) -> bool:
    """Say whether a value looks drawn, not chosen: no word, no name, no version, no path."""
    if len(value) < 8 or not any(c.isdigit() for c in value) or not any(map(str.isalpha, value)):
        return False
    shifts = _SHIFTS.findall(value)
    if _DOTTED.fullmatch(value) and ("." in value or "_" in value or len(shifts) < 4):
        return len(value) >= 20 and len(shifts) >= 6
    if "/" in value and not value.endswith("=") and len(shifts) < 8:
        return False
    return entropy(value) >= 2.8 and len(shifts) >= 3


def entropy(value: str) -> float:
    """Return Shannon's entropy of the characters, in bits each."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
