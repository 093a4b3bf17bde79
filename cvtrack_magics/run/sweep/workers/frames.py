"""Messages in a pipe: two lengths, the head, the bytes.

Lines of JSON, which the pipes and sockets beside it have (`delivery/lines.py`), would hold the
bytes of a checkpoint as text: a third more of them.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from cvtrack_magics.run.sweep.workers.messages import Message

_LENGTHS = struct.Struct("!IQ")


def write_frame(out: BinaryIO, message: Message) -> None:
    """Write one message."""
    head = message.head()
    out.write(_LENGTHS.pack(len(head), len(message.blob)) + head)
    out.write(message.blob)
    out.flush()


def read_frame(into: BinaryIO) -> Message | None:
    """Read one message; None where the other side is gone."""
    lengths = into.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    first, second = _LENGTHS.unpack(lengths)
    head, blob = into.read(first), into.read(second)
    if len(head) < first or len(blob) < second:
        return None
    return Message.of(head, blob)
