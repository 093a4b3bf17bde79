"""A configuration file or object: kept whole, and its leaves as parameters."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.configtext import hide_secrets, secret_keys
from cvtrack_magics.capture.params import as_mapping, describe_params
from cvtrack_magics.capture.values import HIDDEN, looks_secret, plain_value
from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Notice, Record

_SUFFIXES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}


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
        The file is missing, a folder, malformed (with the line), or of another kind.
    """
    if isinstance(value, (str, os.PathLike)):
        return _describe_file(Path(value).expanduser())
    mapping = as_mapping(value)
    if mapping is None:
        raise UsageProblem(
            f"A {type(value).__name__} is not a configuration.",
            "Give a YAML, JSON or TOML file, or a dict, dataclass, Namespace or OmegaConf object.",
        )
    import yaml

    plain = nested(mapping)
    hidden = secret_keys(plain)
    text = yaml.safe_dump(_masked(plain), sort_keys=False, allow_unicode=True)
    target = f"configs/{safe_key(name or 'config').replace('/', '_')}.yaml"
    return [Artifact(target, content=text), *describe_params(mapping), *_hidden_notice(hidden)]


def _describe_file(path: Path) -> list[Record]:
    kind = _SUFFIXES.get(path.suffix.lower())
    if path.is_dir():
        raise UsageProblem(f"{str(path)!r} is a folder.", "Name one YAML, JSON or TOML file.")
    if not path.exists():
        try:
            near = did_you_mean(path.name, os.listdir(path.parent or "."))
        except OSError:
            near = ""
        raise UsageProblem(f"There is no file {str(path)!r}.{near}", f"Looked in {Path.cwd()}.")
    if kind is None:
        raise UsageProblem(
            f"{path.name!r} is not a configuration file that can be read.",
            f"The suffix should be one of {', '.join(_SUFFIXES)}.",
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageProblem(f"{path.name!r} is not UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as error:
        raise UsageProblem(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Check its permissions."
        ) from None
    content = parse(text, kind, path.name)
    hidden = secret_keys(content)
    kept, whole = hide_secrets(text, content, kind, lambda changed: parse(changed, kind, path.name))
    if not whole:
        kept = json.dumps(_masked(nested(content)), indent=2, ensure_ascii=False) + "\n"
    target = path.name if whole else f"{path.name}.redacted.json"
    stem = safe_key(path.stem)
    leaves = content if isinstance(content, Mapping) else {stem: content}
    records: list[Record] = [Artifact(f"configs/{target}", content=kept)]
    if content not in (None, {}):
        records += describe_params(leaves)
    return [*records, *_hidden_notice(hidden)]


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
            return json.loads(text)
        if kind == "toml":
            return _toml().loads(text)
        return _yaml(text, name)
    except UsageProblem:
        raise
    except (ValueError, RecursionError) as error:  # both JSON and TOML errors are ValueErrors
        line = getattr(error, "lineno", None)
        where = f" in line {line}" if line else ""
        message = str(getattr(error, "msg", "") or error) if line else str(error)
        raise UsageProblem(
            f"{name} is not valid {kind.upper()}{where}: {message}.", "Correct it and run again."
        ) from None


def _toml() -> Any:
    # Named by text, because the standard library has it only since Python 3.11.
    return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def _yaml(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        said = getattr(error, "problem", None) or getattr(error, "context", None) or "unreadable"
        raise UsageProblem(
            f"{name} is not valid YAML{where}: {said}.", "Correct it and run again."
        ) from None


def nested(value: object) -> Any:
    """Return a configuration as plain dicts, lists and scalars."""
    mapping = None if isinstance(value, (str, type)) else as_mapping(value)
    if mapping is not None:
        return {str(key): nested(item) for key, item in mapping.items()}
    if isinstance(value, (list, tuple)):
        return [nested(item) for item in value]
    return plain_value(value)


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _masked(v, f"{key}.{k}" if key else str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked(item, key) for item in value]
    return HIDDEN if looks_secret(key, value) else value


def _hidden_notice(keys: list[str]) -> list[Notice]:
    if not keys:
        return []
    return [Notice(f"Hidden in the recorded configuration: {', '.join(keys)}.")]
