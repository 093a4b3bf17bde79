"""``mlconfig()``: a configuration, whole, and its leaves as params."""

from __future__ import annotations

from typing import Any

from cvtrack_magics.capture.params.configfile import describe_config
from cvtrack_magics.commands.definition import Arg, Typed, command
from cvtrack_magics.commands.typed import file_or_value, identifier
from cvtrack_magics.records import Artifact
from cvtrack_magics.run.message import Said, recorded


def _perform(typed: Typed) -> Said:
    named = {"name": identifier(typed.words["value"], "config")}
    return mlconfig(**{**named, **typed.values})


@command(perform=_perform, value=Arg("FILE|EXPR", file_or_value))
def mlconfig(value: Any, *, name: str = "config") -> Said:
    """Record a configuration whole under ``configs/``, and its leaves as params.

    Parameters
    ----------
    value : str, Path or object
        A YAML, JSON or TOML file, or a dict, dataclass … to be written as YAML.
    name : str
        The file's name in the run, for an object.

    Examples
    --------
    ::

        %mlconfig configs/train.yaml
    """
    records = describe_config(value, name)
    files = ", ".join(item.path for item in records if isinstance(item, Artifact))
    return recorded(records, f"{files} and ")
