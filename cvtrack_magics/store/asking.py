"""What a store answers to a person's command, in one line of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from cvtrack_magics.errors import CvtrackError, StoreUnavailable, chain_of
from cvtrack_magics.redact import in_one_line, redact
from cvtrack_magics.store.denials import what_to_set, why_denied
from cvtrack_magics.store.error_kinds import is_denied, is_no
from cvtrack_magics.text import json_object


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Do something with a store; what it raises becomes :class:`StoreUnavailable`.

    Parameters
    ----------
    what : str
        What is done, as the words after "MLflow could not".
    """
    try:
        yield
    except CvtrackError:
        raise
    except Exception as error:
        status = status_of(error)
        denied = is_denied(error) or status in (401, 403)
        problem = StoreUnavailable(
            f"MLflow could not {what}: {said_by(error)}.",
            _hint(error, denied),
        )
        problem.answered = denied or is_no(error) or status == HTTPStatus.NOT_FOUND
        raise problem from error


def _hint(error: BaseException, denied: bool) -> str:
    if not denied:
        return "Try again when it answers."
    return what_to_set(error) or "Who runs the store gives that right."


def status_of(error: BaseException) -> int:
    """Return the HTTP status that a store of files answered; 0 where it did not."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return status if isinstance(status, int) else 0


def said_by(error: BaseException, limit: int = 200) -> str:
    """Return what a store said: of a page of HTTP its status and the reason in it."""
    status = status_of(error)
    ours = next((one for one in chain_of(error) if isinstance(one, StoreUnavailable)), None)
    if ours is not None:  # MLflow put its own words round it
        return ours.problem.rstrip(".")
    if not status:
        no = why_denied(error)
        return f"the store {no}" if no else in_one_line(error, limit).rstrip(".")
    body = json_object(getattr(error.response, "text", ""))  # type: ignore[attr-defined]
    code, message = str(body.get("error_code", "")), str(body.get("message", ""))
    reason = ": ".join(part.split("\n", 1)[0] for part in (code, message) if part)
    word = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    said = f"the store of files answers {status} {word}".rstrip()
    return redact(f"{said}: {reason}"[:limit] if reason else said).rstrip(".")
