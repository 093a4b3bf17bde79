"""A configuration file or object: kept whole, and its leaves as parameters."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from cvtrack_magics.artifacts.paths import CONFIGS
from cvtrack_magics.capture.params.configtext import hide_secrets, secret_keys
from cvtrack_magics.capture.params.logged import as_mapping, describe_params
from cvtrack_magics.capture.params.values import HIDDEN, looks_secret, plain_value
from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.limits import NotRegular, Room, TooMuch, file_bytes, yaml_of
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Notice, Record
from cvtrack_magics.redact import in_one_line, kind_and_line
from cvtrack_magics.text import kind_of

MOST_BYTES = 50_000_000
"""Bytes of a file; also the characters of all values with their dotted names."""
MOST_VALUES = 100_000
MOST_LEVELS = 100

_SUFFIXES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
_MARKS = {"json": ",[{", "toml": ",[{=."}
"""What stands at each value of a format; the text of a value may have some too."""
_MOST_NAMED = 20
_MOST_LOOKED_AT = 1000  # names of a folder that may be meant
_TO_DO = (
    f"A configuration has at most {MOST_BYTES // 1_000_000} MB, {MOST_VALUES:,} values and "
    f"{MOST_LEVELS} levels; what is larger is data: log it as a file, or by %mldata."
)


def describe_config(value: object, name: str) -> list[Record]:
    """Describe a configuration.

    Parameters
    ----------
    value : str, Path or object
        A YAML, JSON or TOML file, or an object that `describe_params` can read.
    name : str
        What the object is called; a file keeps its own name.

    Returns
    -------
    list of Artifact, Param and Notice
        The whole as ``configs/<filename>`` (an object as ``configs/<name>.yaml``),
        its leaves as parameters. Leaves whose name looks secret are ``***`` in both,
        and a notice says so.

    Raises
    ------
    UsageProblem
        The file is missing, a folder, a pipe, malformed (with the line), of another kind,
        or holds more than ``MOST_BYTES``, ``MOST_VALUES`` or ``MOST_LEVELS``.
    """
    if isinstance(value, (str, os.PathLike)):
        return _describe_file(Path(value))
    try:
        return _describe_object(value, name or "config")
    except TooMuch as error:
        _refuse(name or "config", error)
    except UsageProblem:
        raise
    except Exception as error:  # attributes that raise, values that YAML has no word for
        raise UsageProblem(
            f"The configuration {name!r} cannot be read: {kind_and_line(error)}.",
            "Give a dict of plain values.",
        ) from None


def _describe_object(value: object, name: str) -> list[Record]:
    mapping = as_mapping(value)
    if mapping is None:
        raise UsageProblem(
            f"A {kind_of(value)} is not a configuration.",
            "Give a YAML, JSON or TOML file, or a dict, dataclass, Namespace or OmegaConf object.",
        )
    import yaml

    plain = nested(mapping)
    hidden = secret_keys(plain)
    text = yaml.safe_dump(_masked(plain), sort_keys=False, allow_unicode=True)
    target = f"{CONFIGS}/{safe_key(name).replace('/', '_')}.yaml"
    return [Artifact(target, content=text), *describe_params(mapping), *_hidden_notice(hidden)]


def _refuse(name: str, error: TooMuch) -> NoReturn:
    raise UsageProblem(f"{name} is not read: {error}.", _TO_DO) from None


def _describe_file(path: Path) -> list[Record]:
    kind = _SUFFIXES.get(path.suffix.lower())
    try:
        path = path.expanduser()
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long a name, no such user
        raise UsageProblem(
            f"{str(path)[:200]!r} cannot be read: {in_one_line(error)}.", "Name a file."
        ) from None
    if is_folder:
        raise UsageProblem(f"{str(path)!r} is a folder.", "Name one YAML, JSON or TOML file.")
    if not is_there:
        try:
            near = did_you_mean(path.name, os.listdir(path.parent or ".")[:_MOST_LOOKED_AT])
        except OSError:
            near = ""
        raise UsageProblem(f"There is no file {str(path)!r}.{near}", f"Looked in {Path.cwd()}.")
    if kind is None:
        raise UsageProblem(
            f"{path.name!r} is not a configuration file that can be read.",
            f"The suffix should be one of {', '.join(_SUFFIXES)}.",
        )
    text = _text_of(path)
    content = parse(text, kind, path.name)
    plain = _nested_within(content, path.name)
    hidden = secret_keys(content)
    kept, whole = hide_secrets(text, content, kind, lambda changed: parse(changed, kind, path.name))
    if not whole:
        kept = json.dumps(_masked(plain), indent=2, ensure_ascii=False) + "\n"
    target = path.name if whole else f"{path.name}.redacted.json"
    stem = safe_key(path.stem)
    leaves = content if isinstance(content, Mapping) else {stem: content}
    records: list[Record] = [Artifact(f"{CONFIGS}/{target}", content=kept)]
    if content not in (None, {}):
        records += describe_params(leaves)
    return [*records, *_hidden_notice(hidden)]


def _text_of(path: Path) -> str:
    try:
        content = file_bytes(path, MOST_BYTES)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageProblem(f"{path.name!r} is not UTF-8 text.", "Save it as UTF-8.") from None
    except NotRegular as error:
        raise UsageProblem(f"{str(path)!r} is not read: {error}.", "Name a file.") from None
    except OSError as error:
        raise UsageProblem(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    if len(content) > MOST_BYTES:
        _refuse(path.name, TooMuch(f"it is larger than {MOST_BYTES // 1_000_000} MB"))
    return text


def _nested_within(content: object, name: str) -> Any:
    """Return plain content; after this it is known that all can be walked."""
    try:
        return nested(content)
    except TooMuch as error:
        _refuse(name, error)


def parse(text: str, kind: str, name: str) -> Any:
    """Parse the text of a configuration file.

    Parameters
    ----------
    text : str
        The file's content.
    kind : {"yaml", "json", "toml"}
        YAML is read with ``safe_load`` only: a file cannot run code.
    name : str
        The file's name, for the message.

    Raises
    ------
    UsageProblem
        With the line number.
    """
    try:
        if kind == "json":
            _demand_few(text, kind)
            return json.loads(text)
        if kind == "toml":
            _demand_few(text, kind)
            return _toml().loads(text)
        return _yaml(text, name)
    except UsageProblem:
        raise
    except TooMuch as error:
        _refuse(name, error)
    except RecursionError:
        _refuse(name, TooMuch("it is nested too deeply"))
    except ValueError as error:  # both JSON and TOML errors are ValueErrors
        line = getattr(error, "lineno", None)
        where = f" in line {line}" if line else ""
        message = str(getattr(error, "msg", "") or error) if line else str(error)
        raise UsageProblem(
            f"{name} is not valid {kind.upper()}{where}: {message}.", "Correct it and run again."
        ) from None


def _demand_few(text: str, kind: str) -> None:
    """Raise ``TooMuch`` for a text that would fill memory, or take hours, while it is parsed."""
    if sum(map(text.count, _MARKS[kind])) > 10 * MOST_VALUES:
        raise TooMuch(f"it has more than {MOST_VALUES:,} values")
    # the time that TOML's parser takes grows with the square of a key's parts
    if kind == "toml" and any(line.count(".") > 10 * MOST_LEVELS for line in text.splitlines()):
        raise TooMuch(f"it has a line with more than {10 * MOST_LEVELS:,} dots")


def _toml() -> Any:
    # Named by text, because the standard library has it only since Python 3.11.
    return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def _yaml(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml_of(text, MOST_VALUES, MOST_LEVELS, MOST_BYTES)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        said = getattr(error, "problem", None) or getattr(error, "context", None) or "unreadable"
        raise UsageProblem(
            f"{name} is not valid YAML{where}: {said}.", "Correct it and run again."
        ) from None
    except (TooMuch, RecursionError):
        raise
    except Exception as error:  # a date, number or flag that only its tag says to be one
        raise UsageProblem(
            f"{name} is not valid YAML: {in_one_line(error)}.", "Correct it and run again."
        ) from None


def nested(value: object, room: Room | None = None, above: int = 0) -> Any:
    """Return a configuration as plain dicts, lists and scalars.

    Parameters
    ----------
    value : object
        What was parsed, or an object that `as_mapping` reads.
    room : Room, optional
        What is left of the limits.
    above : int
        Characters of the dotted name so far.

    Raises
    ------
    TooMuch
        It has over ``MOST_VALUES`` values, ``MOST_LEVELS`` levels or ``MOST_BYTES``
        characters, each counted where it stands: one that holds itself has no end.
    """
    room = room or Room(MOST_VALUES, MOST_LEVELS, MOST_BYTES)
    room.take(1, above)
    with room.below():
        mapping = None if isinstance(value, (str, type)) else as_mapping(value)
        if mapping is not None:
            named = ((str(key), item) for key, item in mapping.items())
            return {key: nested(item, room, above + len(key) + 1) for key, item in named}
        if isinstance(value, (list, tuple, set, frozenset)):
            items = [nested(item, room, above) for item in value]
            return sorted(items, key=str) if isinstance(value, (set, frozenset)) else items
    plain = plain_value(value)
    if isinstance(plain, list):  # an array, of objects perhaps
        return nested(plain, room, above)
    room.take(0, len(plain) if isinstance(plain, str) else 0)
    return plain


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _masked(v, f"{key}.{k}" if key else str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(item, key) for item in value]
    return HIDDEN if looks_secret(key, value) else value


def _hidden_notice(keys: list[str]) -> list[Notice]:
    if not keys:
        return []
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    named = ", ".join(keys[:_MOST_NAMED])
    return [Notice(f"Hidden in the recorded configuration: {named}{more}.")]
