"""``%mlsync``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from IPython.core.magic import Magics, line_magic, magics_class

from cvtrack_magics.commands.line import Line
from cvtrack_magics.console import say
from cvtrack_magics.display.work_bar import WorkBar
from cvtrack_magics.lazy import Lazy

if TYPE_CHECKING:
    from cvtrack_magics.commands import mlsync as sync
else:
    sync = Lazy("cvtrack_magics.commands.mlsync")

SYNC = (
    Line(
        "%mlsync",
        "Send what waits on disk for the store, and say what became of each run. Runs of\n"
        "kernels that are gone are sent too; one whose kernel still lives is left alone.",
        "%mlsync",
    )
    .option("--show", action="store_true", help="only say what waits")
    .option("--timeout", type=float, default=600.0, metavar="S", help="seconds to wait")
)


@magics_class
class SyncMagics(Magics):
    """What waits."""

    @line_magic
    @SYNC.document
    def mlsync(self, line: str) -> None:
        """See SYNC."""
        options = SYNC.read(line)
        with WorkBar("sending", sys.stderr, "points") as bar:
            report = sync.mlsync(show=options.show, timeout=options.timeout, progress=bar.update)
        say(report)
