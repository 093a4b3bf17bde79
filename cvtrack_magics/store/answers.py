"""What a server answered to our own calls, and whether it was the tracking server's answer.

MLflow repeats a request inside the call that makes it, waits there for as long as a
``Retry-After`` says, and takes an empty page for success. For our calls none of that holds:
one request, one answer, looked at. When to ask again is the delivery's affair, and no other
store waits for it.
"""

from __future__ import annotations

import contextlib
import email.utils
import inspect
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from cvtrack_magics import forks
from cvtrack_magics.errors import StoreUnavailable, chain_of
from cvtrack_magics.store import credentials
from cvtrack_magics.text import json_of

LONGEST_PAUSE = 60.0  # seconds that a Retry-After is honoured at most
_EXPECTED: dict[str, frozenset[str]] = {
    "runs/create": frozenset({"run"}),
    "runs/get": frozenset({"run"}),
    "runs/update": frozenset({"run_info"}),
    "runs/search": frozenset({"runs", "next_page_token"}),
    "experiments/get": frozenset({"experiment"}),
    "experiments/get-by-name": frozenset({"experiment"}),
    "experiments/create": frozenset({"experiment_id"}),
    **dict.fromkeys(
        (
            *("runs/log-batch", "runs/log-metric", "runs/log-parameter", "runs/set-tag"),
            *("runs/delete-tag", "runs/log-inputs", "runs/outputs", "runs/delete"),
        ),
        frozenset(),
    ),
}
"""What a tracking server's answers have in them; those to most writes are empty objects."""
_REQUIRED = frozenset({"run", "run_info", "experiment", "experiment_id"})
"""Of those, what is never left out: JSON leaves out what is empty, such as a list of no runs."""
_UPLOAD = "/mlflow-artifacts/artifacts/"


class NotTheStore(StoreUnavailable):
    """Something between here and the store answered in its place, with a ``status``."""

    status = 200


class AskedToWait(StoreUnavailable):
    """The server asks to be left alone for ``seconds``."""

    def __init__(self, host: str, status: int, seconds: float) -> None:
        super().__init__(f"{host} asks to wait (HTTP {status}); asked again in {seconds:.0f} s.")
        self.seconds = seconds


_thread = threading.local()


def begin() -> None:
    """Forget what was answered in this thread before."""
    _thread.problem = None


def were_uploads() -> bool:
    """Whether this thread gave files to a server since this was asked last."""
    found, _thread.uploads = getattr(_thread, "uploads", False), False
    return found


def problem() -> StoreUnavailable | None:
    """Return what was wrong with the last answer in this thread, if anything was."""
    found: StoreUnavailable | None = getattr(_thread, "problem", None)
    return found


def seconds_to_wait(error: BaseException | None) -> float:
    """Return how long a server asked to be left alone, in seconds; 0 when it did not."""
    asked = (one.seconds for one in chain_of(error) if isinstance(one, AskedToWait))
    return next(asked, 0.0)


def watched(request: Callable[..., Any], is_ours: Callable[[], bool]) -> Callable[..., Any]:
    """Return MLflow's function that makes HTTP requests, made to look at our answers.

    Parameters
    ----------
    request : callable
        Takes ``method`` and ``url``, and what MLflow says of retries.
    is_ours : callable
        Whether the call under way in this thread is one of this package.
    """
    signature = inspect.signature(request)

    def ask(*args: Any, **options: Any) -> Any:
        if not is_ours():
            return request(*args, **options)
        _thread.problem = None
        call = signature.bind(*args, **options)
        known = {"raise_on_status": False, "respect_retry_after_header": False}
        call.arguments.update({k: v for k, v in known.items() if k in signature.parameters})
        method, url = str(call.arguments["method"]), str(call.arguments["url"])
        headers = call.arguments.get("kwargs", {}).get("headers")
        if isinstance(headers, dict) and not credentials.are_meant_for(url):
            headers.pop("Authorization", None)
        with forks.not_waiting():  # for a server
            answer = request(*call.args, **call.kwargs)
        _thread.problem = _judged(method, url, answer)
        if _thread.problem is not None:
            raise _thread.problem
        return answer

    return ask


def _judged(method: str, url: str, answer: Any) -> StoreUnavailable | None:
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    status = int(answer.status_code)
    if status in (408, 425, 429, 500, 502, 503, 504):
        seconds = _retry_after(answer)
        if seconds is not None:
            return AskedToWait(host, status, min(seconds, LONGEST_PAUSE))
    if status >= 400:
        return (
            None
            if _is_said_by_mlflow(answer) or status in (401, 403, 413)
            else _of_files(host, status)
            if status >= 500 and _UPLOAD in parts.path
            else _alien(host, status, answer)
        )
    if 300 <= status < 400 or not _is_expected(method, parts.path, answer):
        return _alien(host, status, answer)
    return None


def _retry_after(answer: Any) -> float | None:
    said = str(answer.headers.get("Retry-After", "")).strip()
    if not said:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(said))
    with contextlib.suppress(ValueError, TypeError, OverflowError, OSError):
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    return None


def _is_said_by_mlflow(answer: Any) -> bool:
    said = _json(answer)
    return isinstance(said, dict) and isinstance(said.get("error_code"), str)


def _is_expected(method: str, path: str, answer: Any) -> bool:
    if _UPLOAD in path:
        _thread.uploads = getattr(_thread, "uploads", False) or method.upper() == "PUT"
        return method.upper() == "GET" or not answer.content or _json(answer) == {}
    _, found, call = path.partition("/api/2.0/mlflow/")
    if not found:
        return True
    said = _json(answer)
    expected = _EXPECTED.get(call)
    if not isinstance(said, dict) or expected is None:
        return isinstance(said, dict)
    return set(said) <= expected and all(said.get(key) for key in expected & _REQUIRED)


def _json(answer: Any) -> Any:
    return json_of(answer.content)


def _of_files(host: str, status: int) -> NotTheStore:
    return NotTheStore(
        f"{host} answers with error {status} to a file: the store of files behind it is away, "
        "full, or does not take the server's key.",
        "The server's log says why; what waits is sent when it is mended.",
    )


def _alien(host: str, status: int, answer: Any) -> NotTheStore:
    kind = str(answer.headers.get("Content-Type", "")).partition(";")[0].strip()
    what = "nothing" if not answer.content else (kind or "no page of MLflow's")
    error = NotTheStore(
        f"{host} answers with HTTP {status} and {what}, which is not a tracking server's answer "
        "(a proxy or a login page may stand before it).",
        "Log in, or set another tracking URI, then type %mlsync.",
    )
    error.status = status
    return error
