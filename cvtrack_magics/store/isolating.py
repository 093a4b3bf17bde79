"""Finds what a store will never take, so that the rest goes on.

A batch that a store refuses is halved until the one point, tag or file is found. What the
store says of that one is believed; where it may as well be the store's own state, what fails
has to fail alone, time and again, while what lies beside it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from cvtrack_magics import forks
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.records import Refused
from cvtrack_magics.store import error_kinds as refusals
from cvtrack_magics.store.answers import NotTheStore

T = TypeVar("T")

TRIES = 5
"""How often something has to fail alone before it is set aside."""
SAMPLES = 10
"""How many single items are tried to see whether the store takes any at all."""


class RunNotThere(StoreUnavailable):
    """The store answered: it does not have the run, or not as one that can be written to."""

    answered = True


def require_open(client: Any, run_id: str) -> None:
    """Raise :class:`RunNotThere` unless the store has the run, and has not deleted it."""
    try:
        run = client.get_run(run_id)
    except Exception as error:
        if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
            raise
        if not refusals.is_the_stores(error):
            raise
        raise RunNotThere(
            f"The store has no run {run_id} (any more): what was recorded stays on disk.",
            "Bring the run back, then type %mlsync.",
        ) from error
    if run.info.run_id != run_id:
        raise NotTheStore(f"The store was asked for run {run_id}, and the answer is another's.")
    if run.info.lifecycle_stage != "active":
        raise RunNotThere(
            f"Run {run_id} was deleted in the store: what was recorded stays on disk.",
            f"Restore it, MlflowClient().restore_run({run_id!r}), then type %mlsync.",
        )


class Doubts:
    """Remembers between tries what failed alone, and what was taken last of each kind."""

    def __init__(self) -> None:
        self._lock = forks.rlock()
        self._fails: dict[tuple[str, str], int] = {}
        self._taken: dict[tuple[str, str], Any] = {}

    def failed(self, run_id: str, item: str) -> int:
        """Count a failure; return how many there were."""
        with self._lock:
            count = self._fails.get((run_id, item), 0) + 1
            self._fails[run_id, item] = count
            return count

    def taken(self, run_id: str, kind: str, item: Any) -> None:
        """Remember the last item of a kind that the store took."""
        self._taken[run_id, kind] = item

    def last_taken(self, run_id: str, kind: str) -> Any:
        """Return the last item of a kind that the store took, or None."""
        return self._taken.get((run_id, kind))

    def forget(self, run_id: str) -> None:
        """Let go of what is known of a run."""
        with self._lock:
            self._fails = {key: n for key, n in self._fails.items() if key[0] != run_id}
            self._taken = {key: v for key, v in self._taken.items() if key[0] != run_id}


class Sieve(Generic[T]):
    """Writes items of one kind to one run.

    Parameters
    ----------
    client : mlflow.MlflowClient
        The client of the run's store.
    run_id : str
        The run.
    kind : str
        What the items are, for the user: ``"point"``, ``"tag"`` and so on.
    send : callable
        Sends items; sending one again changes nothing.
    describe : callable
        Returns name and content of an item.
    doubts : Doubts
        What is remembered between tries.
    """

    def __init__(
        self,
        client: Any,
        run_id: str,
        kind: str,
        *,
        send: Callable[[Sequence[T]], object],
        describe: Callable[[T], tuple[str, dict[str, object]]],
        doubts: Doubts,
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._kind = kind
        self._send = send
        self._describe = describe
        self._doubts = doubts
        self._passed = False
        self._refused: list[Refused] = []
        self._doubtful: list[tuple[T, Exception]] = []

    def write(self, items: Sequence[T]) -> list[Refused]:
        """Write items; return those that the store will never take.

        Raises
        ------
        Exception
            What the store, or the way to it, raised where it says nothing of the items.
        """
        self._passed, self._refused, self._doubtful = False, [], []
        try:
            self._send(items)
        except Exception as error:
            self._look_into(items, error)
        else:
            self._doubts.taken(self._run_id, self._kind, items[-1])
        self._weigh()
        return self._refused

    def _look_into(self, items: Sequence[T], error: Exception) -> None:
        if not can_be_the_items(error):
            raise error
        if not refusals.is_too_large(error):
            require_open(self._client, self._run_id)
            if not _is_final(error) and not self._takes_any(items):
                raise error
        self._part(items, error)

    def _part(self, items: Sequence[T], error: Exception) -> None:
        if len(items) > 1:
            middle = len(items) // 2
            self._try(items[:middle])
            self._try(items[middle:])
        elif _is_final(error) or refusals.is_too_large(error):
            self._set_aside(items[0], error)
        else:
            self._doubtful.append((items[0], error))

    def _try(self, items: Sequence[T]) -> None:
        try:
            self._send(items)
        except Exception as error:
            if not can_be_the_items(error):
                raise
            self._part(items, error)
        else:
            self._passed = True
            self._doubts.taken(self._run_id, self._kind, items[-1])

    def _takes_any(self, items: Sequence[T]) -> bool:
        """Whether the store takes anything of this kind at this moment."""
        last = self._doubts.last_taken(self._run_id, self._kind)
        by_name = {self._describe(item)[0]: item for item in items}
        samples = list(by_name.values())[:SAMPLES] if len(items) > 1 else []
        for item in [*samples, *([] if last is None else [last])]:
            try:
                self._send([item])
            except Exception as error:
                if not can_be_the_items(error):
                    raise
            else:
                self._passed = True
                return True
        return False

    def _weigh(self) -> None:
        """Set aside what failed alone often enough; have the others tried again."""
        again: Exception | None = None
        for item, error in self._doubtful:
            count = self._doubts.failed(self._run_id, f"{self._kind} {self._describe(item)}")
            if self._passed and count >= TRIES:
                self._set_aside(item, error)
            else:
                again = again or error
        if again is not None:
            raise again

    def _set_aside(self, item: T, error: Exception) -> None:
        name, content = self._describe(item)
        self._refused.append(Refused.make(self._kind, name, content, refusals.reason(error)))


def can_be_the_items(error: Exception) -> bool:
    """Whether what was sent may be what the store does not take."""
    return (
        refusals.is_refusal(error)
        or refusals.is_doubtful(error)
        or refusals.is_too_large(error)
        or refusals.is_unknown_call(error)
    )


def _is_final(error: Exception) -> bool:
    return refusals.is_definite(error) or refusals.is_unknown_call(error)
