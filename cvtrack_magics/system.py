"""``os`` and ``time`` as they were at import, whatever code has put in their places since.

A test of the user's own patches ``os.open`` or ``time.monotonic`` in an open run; what keeps and
sends its points goes on with what the system does. Who imports from here has modules of the same
names that nobody else knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["exists", "os", "time", "user_name"]

if TYPE_CHECKING:
    import os
    import time
else:
    import os as _os
    import time as _time
    from types import ModuleType

    def _as_it_is(module):
        found = ModuleType(module.__name__, module.__doc__)
        vars(found).update(vars(module))
        return found

    os, time = _as_it_is(_os), _as_it_is(_time)


def exists(path: os.PathLike[str]) -> bool:
    """Whether a file or folder is there."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no handler's time-out
        return False
    return True


def user_name() -> str:
    """Return who runs this process; its number where that has no name, as in some containers."""
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
