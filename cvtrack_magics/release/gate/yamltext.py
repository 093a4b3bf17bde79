"""YAML read event by event, so that no text is deep enough to do harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def shallow_events(text: str, deepest: int) -> Iterator[Any]:
    """Yield the events of a YAML text.

    Raises
    ------
    yaml.YAMLError
        It is no YAML, or has more than ``deepest`` levels.
    """
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > deepest:
            mark: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem="it is too deep", problem_mark=mark)
        yield event
