"""Text of other people's objects, which may raise when they are asked for it."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from cvtrack_magics.plainjson import loads

COMMANDS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Control characters (a terminal's colours and commands begin with one) and marks that reorder
text, as a class of a pattern; line break and tab are none of them."""
_COMMANDS = re.compile(f"[{COMMANDS}]+")


def visible(text: str) -> str:
    """Return a text that tells a terminal nothing but what to show.

    Parameters
    ----------
    text : str
        Of a server, a file or a user; may have several lines.

    Returns
    -------
    str
        Control characters and marks that reorder text are one space.
    """
    return _COMMANDS.sub(" ", text)


def utf8(text: str) -> bytes:
    """Return the bytes of any text, for a digest: a lone surrogate has three of its own."""
    return text.encode("utf-8", "surrogatepass")


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


def json_of(text: str | bytes | None) -> Any:
    """Return what a JSON text of a server, a file or a tag says; ``None`` where it is none.

    One that is nested too deeply to be read is none.
    """
    try:
        return None if text is None else loads(text)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None  # bytes that are no text are a ValueError, and what is neither has no text


def json_object(text: str | bytes | None) -> dict[str, Any]:
    """Return the object that a JSON text says; an empty one where it is anything else."""
    found = json_of(text)
    return found if isinstance(found, dict) else {}


bases_of = vars(type)["__mro__"].__get__
"""A class and its bases, as Python has them: a metaclass may say otherwise, or raise."""
parents_of = vars(type)["__bases__"].__get__
"""A class's own bases, as Python has them."""
name_of = vars(type)["__name__"].__get__
"""A class's name, as Python has it."""
cause_of = vars(BaseException)["__cause__"].__get__
"""What an exception was raised from, whatever its class says."""
context_of = vars(BaseException)["__context__"].__get__
"""What was handled when an exception was raised, whatever its class says."""
trace_of = vars(BaseException)["__traceback__"].__get__
"""Where an exception has come through, whatever its class says."""
dict_of = vars(type)["__dict__"].__get__
"""What a class has, as Python has it."""
qualname_of = vars(type)["__qualname__"].__get__
"""A class's name with those it was made in, as Python has it."""


def module_of(kind: type) -> str:
    """Return where a class was made, whatever its metaclass says."""
    found = dict_of(kind).get("__module__")
    return "".join((found,)) if is_a(found, str) else ""


def kind_of(thing: Any) -> str:
    """Return the name of an object's class, whatever object and class say of it."""
    return "".join((name_of(type(thing)),))


def is_a(thing: Any, *classes: type) -> bool:
    """Whether an object is of some classes; unlike ``isinstance`` it asks the object nothing."""
    return issubclass(type(thing), classes)


def is_class(thing: Any) -> TypeGuard[type]:
    """Whether an object is a class; unlike ``isinstance`` it asks the object nothing."""
    return issubclass(type(thing), type)
