"""Text that no file and no store takes: lone surrogates, kept as escapes."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return a text that can be encoded as UTF-8.

    Parameters
    ----------
    text : str
        Any text; ``os.listdir`` gives lone surrogates for a name that is not UTF-8.

    Returns
    -------
    str
        ``"a\ud800b"`` becomes the eight characters ``a\\ud800b``; all else stays.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
