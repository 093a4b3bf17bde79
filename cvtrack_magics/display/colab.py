"""Google Colab: its page draws a widget only where a display hook has said how."""

from __future__ import annotations

import sys
from contextlib import suppress


def let_draw() -> None:
    """Let Colab draw widgets that are displayed by this thread, as the user's own are.

    The hook belongs to the thread that asks for it first, and nobody after it gets another:
    our plot is made by a thread of ours, and every widget of the notebook would be without.
    """
    output = sys.modules.get("google.colab.output")
    if output is not None:
        with suppress(Exception):
            output.enable_custom_widget_manager()
