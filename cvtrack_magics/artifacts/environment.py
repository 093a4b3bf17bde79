"""``environment/environment.json``: software, hardware and packages of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Environment:
    """What a run ran with.

    Attributes
    ----------
    software : mapping of str to str
        Label to text: ``Python``, ``OS``, ``torch``, ``CUDA`` …
    hardware : mapping of str to str
        Label to text: ``CPU``, ``GPU``, ``memory`` …
    packages : mapping of str to str
        The version of each package that was installed, by its name on the index; where one was
        imported before another was installed, the one that ran.
    installed_after_import : mapping of str to str
        The version on disk of packages that were installed after their import.
    """

    SCHEMA: ClassVar[int] = 1
    KEYS: ClassVar[Mapping[str, str]] = {"installed_after_import": "installed after their import"}

    software: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    installed_after_import: Mapping[str, str] = field(default_factory=dict)
