"""The process of one worker of this machine.

It speaks over its standard input and output; when its driver is gone, so is it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from cvtrack_magics import forks
from cvtrack_magics.run.sweep.workers.frames import read_frame, write_frame
from cvtrack_magics.run.sweep.workers.messages import Link, Mailbox, Message
from cvtrack_magics.run.sweep.workers.serve import serve
from cvtrack_magics.threads import started


def main() -> None:
    """Serve until the driver ends it."""
    into = os.fdopen(os.dup(0), "rb")
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)  # what the body prints is no message
    pid, lock = os.getpid(), forks.rlock()

    def put(message: Message) -> None:
        if os.getpid() == pid:  # a child that the body forked has nothing to say
            with lock:
                write_frame(out, message)

    inbox = Mailbox()
    link = Link(put)
    started(_listen, into, inbox, link, name="cvtrack-driver")
    with tempfile.TemporaryDirectory(prefix="cvtrack-trial-") as scratch:
        serve(inbox, link, Path(scratch))
    sys.stderr.flush()
    os._exit(0)


def _listen(into: BinaryIO, inbox: Mailbox, link: Link) -> None:
    while True:
        message = read_frame(into)
        if message is None:
            os._exit(0)  # the driver is gone
        if message.kind == "answer":
            link.answered(message)
        else:
            inbox.put(message)


if __name__ == "__main__":
    main()
