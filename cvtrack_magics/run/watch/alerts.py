"""What is said of one run's curves while it is open: when they are looked at, and who is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.progress import Bar
from cvtrack_magics.records import Tag
from cvtrack_magics.run.watch.monitor import Monitor
from cvtrack_magics.run.watch.webhook import Webhook, is_address

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session

T = TypeVar("T")


class Alerts:
    """Watches the curves until that fails, which must cost neither points nor the loop.

    Parameters
    ----------
    scope : RunScope
        The run; its plot, its notices, its tags and the user's webhook are told.
    """

    def __init__(self, scope: RunScope) -> None:
        spec = scope.spec
        self._scope = scope
        self._works = True
        self._monitor = Monitor(self._warn, watch=spec.watch, begun=not spec.resume)
        self._webhook = _webhook(scope.session) if spec.watch else None

    def items(self, iterable: Iterable[T], desc: str) -> Iterator[T]:
        """Go through the items of a loop, and take the time that it waits for each."""
        return self._monitor.items(iterable, desc)

    def take(self, fresh: Mapping[str, Series]) -> None:
        """Look at new points."""
        self._look(lambda: self._monitor.take(fresh))

    def tick(self, bars: Sequence[Bar]) -> None:
        """Look at the time, and at how far the loops have come."""
        done, paused = [bar.done for bar in bars], any(bar.paused for bar in bars)
        self._look(lambda: self._monitor.tick(time.time(), done, paused=paused))

    def finish(self, patience: float) -> str:
        """Look for the last time; return what the webhook did not take in some seconds."""
        self._monitor.finish()
        return "" if self._webhook is None else self._webhook.settle(patience)

    def _look(self, at: Callable[[], None]) -> None:
        if self._works:
            self._works = False
            with self._scope.attempt("watch the curves"):
                at()
                self._works = True

    def _warn(self, kind: str, line: str, step: int) -> None:
        """Say what is wrong with the curves: in the plot, in the card, and by a tag."""
        scope = self._scope
        scope.notices.append(line)
        scope.add([Tag(f"watch.{kind}", line)])
        scope.view.warn(step, line)
        if self._webhook is not None:
            mask = scope.session.masking
            said = mask().text(f"{scope.name}: {line}")
            about = {"run": mask().text(scope.name), "run_id": scope.run_id}
            self._webhook.send({"text": said, "kind": kind, "step": step, **about})


def _webhook(session: Session) -> Webhook | None:
    """Return what tells the user's address of one run; None where there is none."""
    url = session.config.watch_webhook
    if not url:
        return None
    if not is_address(url):
        session.host.say("cvtrack: watch_webhook is no http(s) address: nobody is told.")
        return None
    for part in (url, urlsplit(url).path, *urlsplit(url).path.split("/")):
        session.masker.learn(part, "webhook")
    return Webhook(url)
