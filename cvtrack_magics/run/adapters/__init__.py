"""Libraries with records of their own: what they are told is told to the open run, too.

Each is followed once it is imported, and none is imported for it.
"""

from __future__ import annotations

from cvtrack_magics.run.adapters import tensorboard


def follow() -> None:
    """Follow the libraries that are imported, and those that will be."""
    tensorboard.follow()


def leave() -> None:
    """Give them back as they were."""
    tensorboard.leave()
