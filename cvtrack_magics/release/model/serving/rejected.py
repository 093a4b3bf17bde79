"""What is said of something that cannot be served."""

from __future__ import annotations


class Rejected(ValueError):
    """An input or a stored model that cannot be used; the message is one line."""
