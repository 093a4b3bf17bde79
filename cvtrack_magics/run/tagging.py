"""Tags as people give them, checked against the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvtrack_magics.capture.data.schema import check_tags
from cvtrack_magics.records import Record


def tag_records(tags: Mapping[str, Any]) -> list[Record]:
    """Check tags against the schema; return them with a notice for each near miss."""
    checked, notices = check_tags(tags)
    return [*checked, *notices]
