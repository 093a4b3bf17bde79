"""Tells an address of the user's what is wrong with a run: never awaited by a loop, and bounded."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cvtrack_magics import forks
from cvtrack_magics.threads import started

TIMEOUT = 5.0  # seconds of one try
MOST = 16  # lines that wait at a time, and that are sent for one run
STEP = 0.02


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An address that is a secret is told to nobody else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follow none."""


def is_address(url: str) -> bool:
    """Whether a webhook can be told at an address: of a server, over HTTP."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class Webhook:
    """Sends lines to an address, by a thread that lives while there are some.

    Parameters
    ----------
    url : str
        It is a secret, and in no line of ours.
    timeout : float
        Seconds of one try; there is one for each line.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        self._url = url
        self._timeout = timeout
        self._lock = forks.rlock()
        self._waiting: deque[bytes] = deque()
        self._works = False
        self._taken = 0
        self._failed = 0
        self._why = ""

    def send(self, said: Mapping[str, object]) -> None:
        """Send soon what can be written as JSON; returns at once, and never raises."""
        with self._lock:
            self._taken += 1
            if self._taken > MOST:
                return
            self._waiting.append(json.dumps(said, default=str).encode())
            if self._works:
                return
            self._works = True
        if started(self._work, name="cvtrack-webhook") is None:
            with self._lock:
                self._works, self._why = False, "no thread could be started"
                self._failed += len(self._waiting)
                self._waiting.clear()

    def settle(self, timeout: float) -> str:
        """Wait for what is under way; return in one line what was not taken, empty if nothing."""
        until = time.monotonic() + timeout
        while self._works and time.monotonic() < until:
            time.sleep(STEP)
        with self._lock:
            waiting = len(self._waiting) + self._works
            count = self._failed + waiting
            self._waiting.clear()  # the run is over: a line that comes much later misleads
            if not count:
                return ""
            why = self._why or "it did not answer in time"
        lines = "a line" if count == 1 else f"{count} lines"
        return f"The webhook at {urlsplit(self._url).hostname} did not take {lines}: {why}."

    def _work(self) -> None:
        opener = urllib.request.build_opener(_NoRedirects)
        while True:
            with self._lock:
                if not self._waiting:
                    self._works = False
                    return
                body = self._waiting.popleft()
            why = self._tried(opener, body)
            if why:
                with self._lock:
                    self._failed += 1
                    self._why = why

    def _tried(self, opener: urllib.request.OpenerDirector, body: bytes) -> str:
        """Send one; return why it was not taken, in words that have no part of the address."""
        headers = {"Content-Type": "application/json", "User-Agent": "cvtrack_magics"}
        try:
            request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310
            opener.open(request, timeout=self._timeout).close()
        except urllib.error.HTTPError as answer:
            return f"it answers with {answer.code}"
        except Exception as error:  # of a server that speaks something else, or does not resolve
            reason = getattr(error, "reason", error)
            return f"{type(reason).__name__}"
        return ""
