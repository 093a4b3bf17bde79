"""All that a store has of a kind, which it gives page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def pages(ask: Callable[..., Any], size: int) -> Iterator[Any]:
    """Go through what a search of MLflow's client finds.

    Parameters
    ----------
    ask : callable
        Takes ``max_results`` and ``page_token``, and returns a page.
    size : int
        How many are asked for at a time.
    """
    token: str | None = None
    while True:
        page = ask(max_results=size, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
