"""What ranks print, as the cell shows it: each rank but the first with its number in front."""

from __future__ import annotations

import codecs
import socket
import sys

from cvtrack_magics.capture.output.tee import collapse
from cvtrack_magics.run.printed_metrics import OF_RANKS


class Output:
    """One stream of one rank.

    Parameters
    ----------
    connection : socket
        On which it comes.
    rank : int
        Whose it is.
    kind : str
        ``"stdout"`` or ``"stderr"``.
    """

    def __init__(self, connection: socket.socket, rank: int, kind: str) -> None:
        self.connection = connection
        self._prefix = f"{OF_RANKS}{rank}] " if rank else ""
        self._name = "stderr" if kind == "stderr" else "stdout"
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def read(self) -> bool:
        """Show what has come; whether more may come."""
        try:
            read = self.connection.recv(1 << 16)
        except OSError:
            read = b""
        if read:
            self.write(read)
        else:
            self.close()
        return bool(read)

    def write(self, read: bytes) -> None:
        """Show some of it."""
        text = self._decoder.decode(read)
        if not self._prefix:
            self._show(text)
            return
        *lines, self._line = (self._line + text).split("\n")
        self._show("".join(f"{self._prefix}{collapse(line)}\n" for line in lines))

    def close(self) -> None:
        """Show what has no end of line yet; nothing more comes."""
        if self._line:
            self._show(f"{self._prefix}{collapse(self._line)}\n")
            self._line = ""
        self.connection.close()

    def _show(self, text: str) -> None:
        if text:
            stream = getattr(sys, self._name)
            stream.write(text)
            stream.flush()
