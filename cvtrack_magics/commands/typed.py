"""How what was typed on a line becomes a value: Python of the notebook, files, numbers, pairs."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvtrack_magics.commands.definition import Typed
from cvtrack_magics.commands.line import evaluate, pairs, usage_error


def expression(text: str, typed: Typed) -> Any:
    """Return what Python makes of a word; a comma behind it only parts it from the next one."""
    return evaluate(without_comma(text), typed.names, typed.magic)


def without_comma(word: str) -> str:
    """Return a word without the comma that people write behind one of several."""
    return word.removesuffix(",") or word


def key_values(words: list[str], typed: Typed) -> dict[str, str]:
    """Return ``K=V`` words as a dict."""
    return pairs(words, typed.magic)


def comma_separated(text: str, typed: Typed) -> tuple[str, ...]:
    """Return the words between commas."""
    del typed
    return tuple(text.split(","))


def joined(words: list[str] | str, typed: Typed) -> str:
    """Return several words as one."""
    del typed
    return words if isinstance(words, str) else " ".join(words)


def listed(words: list[str], typed: Typed) -> list[str]:
    """Return words that may have commas between them."""
    del typed
    return [without_comma(word) for word in words if word != ","]


def file_or_value(text: str, typed: Typed) -> Any:
    """Return a path when the word looks like one, else the value of the expression."""
    path = Path(text).expanduser()
    if text.isidentifier() and text in typed.names:
        return typed.names[text]
    looks_like_path = "/" in text or path.suffix[1:].isidentifier()
    # ``a.b`` may be an attribute of something in the notebook
    dotted = re.split(r"[.\[]", text, maxsplit=1)[0] in typed.names
    if path.exists() or (looks_like_path and "(" not in text and not dotted):
        return path
    return expression(text, typed)


_GIVEN = re.compile(r"(?P<name>[^\W\d][\w./-]*)=(?!=)(?P<value>.+)", re.DOTALL)
"""``optim.lr=0.1``; a comparison (``a==b``) is none."""


def named_values(words: list[str], typed: Typed) -> list[tuple[str, Any]]:
    """Return what each value of ``%mlparams`` is called, and the value."""
    found = []
    for text in _as_given(words):
        given = _GIVEN.fullmatch(text)
        if given is None:
            found.append((identifier(text.rsplit(".", 1)[-1], ""), expression(text, typed)))
            continue
        name, value = given["name"], expression(given["value"], typed)
        found.append((name, {name: value} if isinstance(value, Mapping) else value))
    return found


def _as_given(words: list[str]) -> list[str]:
    """Return words with what people put spaces around: ``lr = 0.1``, ``lr: 0.1``."""
    found: list[str] = []
    for word in words:
        if found and (word[:1] == "=" != word[1:2] or found[-1].endswith("=")):
            found[-1] += word
        elif found and re.fullmatch(r"[^\W\d][\w./-]*:", found[-1]):
            found[-1] = f"{found[-1][:-1]}={word}"
        elif word != ",":
            found.append(word)
    return [without_comma(word) for word in found]


def identifier(text: str, otherwise: str) -> str:
    """Return a word that can be a name, or the other."""
    return text if text.isidentifier() else otherwise


def predictions(words: list[str], typed: Typed) -> Any:
    """Return what is to be looked at; a model is run over its loader first."""
    values = [expression(text, typed) for text in words]
    if len(values) == 1:
        return values[0]
    if len(values) > 2 or not callable(values[0]):
        raise usage_error(
            f"{typed.magic} takes Predictions, or a model and its loader; here are "
            f"{', '.join(words)}. A tuple goes in brackets: (images, truth, output)."
        )
    from cvtrack_magics.commands.mlgrid import run_over
    from cvtrack_magics.display.work_bar import WorkBar

    with WorkBar(f"running {words[0]} over {words[1]}", sys.stderr, "samples") as bar:
        return run_over(values[0], values[1], typed.words.get("task"), bar.update)
