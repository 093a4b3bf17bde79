"""Text of other people's objects, which may raise when they are asked for it."""

from __future__ import annotations

from typing import Any


def text_of(thing: Any) -> str:
    """Return ``str(thing)`` whatever its class does; never raises but for an interrupt.

    Parameters
    ----------
    thing : object
        Often an exception, whose ``__str__`` may raise or return no text.

    Returns
    -------
    str
        A plain string that can be encoded: lone surrogates are written as escapes.
    """
    try:
        text = "".join((str(thing),))  # a plain string, also of a subclass of str
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"<{kind_of(thing)} without text: its __str__ raised {kind_of(error)}>"


def kind_of(thing: Any) -> str:
    """Return the name of an object's class, whatever the object says of its class."""
    try:
        return "".join((type(thing).__name__,))
    except Exception:  # a metaclass can do that
        return "object"


def is_a(thing: Any, *classes: type) -> bool:
    """Whether an object is of some classes; unlike ``isinstance`` it asks the object nothing."""
    return issubclass(type(thing), classes)
