"""``mlparams()``: hyper-parameters, as they are held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cvtrack_magics.capture.params.logged import describe_params
from cvtrack_magics.commands.definition import Arg, Typed, command
from cvtrack_magics.commands.show_lines import Table
from cvtrack_magics.commands.typed import named_values
from cvtrack_magics.console import say
from cvtrack_magics.records import Param, Record
from cvtrack_magics.run.message import Said, recorded


def _perform(typed: Typed) -> Table | Said:
    names, values = zip(*typed.values["values"], strict=True)
    said = mlparams(*values, prefix=typed.values.get("prefix", ""), names=names)
    if "show" not in typed.values:
        return said
    say(said)
    rows = [(item.key, item.value) for item in said.records if isinstance(item, Param)]
    return Table(("param", "value"), rows)


@command(
    perform=_perform,
    values=Arg("EXPR", named_values, many="+"),
    names=Arg(hidden=True),
    extras={"show": Arg(const=True, help="Show the params as a table.")},
)
def mlparams(*values: Any, prefix: str = "", names: Iterable[str] = ()) -> Said:
    """Record hyper-parameters, read off dicts, configs and torch objects.

    Dicts (nested ones get dots), dataclasses, namespaces, pydantic models and OmegaConf configs;
    and what torch objects imply: optimizers, schedulers, data loaders, transforms, models and
    gradient scalers.

    Parameters
    ----------
    *values
        Names, expressions, or name=value.
    prefix : str
        Put in front of each name, with a dot.
    names : iterable of str
        What each value is called, for messages.

    Examples
    --------
    ::

        %mlparams config optimizer scheduler train_loader model warmup=5
    """
    labels = [*names, *[""] * len(values)]
    records: list[Record] = []
    for value, label in zip(values, labels, strict=False):
        records += describe_params(value, prefix=prefix, name=label)
    return recorded(records, "")
