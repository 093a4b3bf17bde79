"""``mlshow()``: a run's card, curves and buttons once more, from here or from the store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.json_answer import document
from cvtrack_magics.commands.typed import joined
from cvtrack_magics.delivery.channel import UNSEEN
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Param, Record, RunSummary, Status, Tag
from cvtrack_magics.redact import redact
from cvtrack_magics.run.context import RESOURCES, known_as
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.resume import curves_of, marks_of
from cvtrack_magics.run.summary_metrics import is_summary
from cvtrack_magics.store.looking import Looked, look
from cvtrack_magics.store.resuming import StoredSoFar, histories
from cvtrack_magics.store.uris import absolute

if TYPE_CHECKING:
    from cvtrack_magics.delivery.series import Series
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session
    from cvtrack_magics.store.tracking import OpenRun

MOST_CURVES = 40  # metrics whose points are read
_MLFLOWS = "mlflow."
POINTS = 2_000  # that are kept of each, every high and low among them
ENDED: Mapping[str, Status] = {"FINISHED": "FINISHED", "FAILED": "FAILED", "KILLED": "KILLED"}


@dataclass(frozen=True, slots=True)
class Card:
    """A run's card; shows itself."""

    summary: RunSummary
    bundle: Mapping[str, str]
    params: Mapping[str, str]
    tags: Mapping[str, str]

    def __repr__(self) -> str:
        return self.bundle["text/plain"]

    def to_json(self) -> str:
        """Return what the card says, and the params and tags, as JSON."""
        own = {key: value for key, value in self.tags.items() if not key.startswith(_MLFLOWS)}
        return document({**asdict(self.summary), "params": self.params, "tags": own})

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return dict(self.bundle)


@command(run=Arg("RUN", joined, many="*"))
def mlshow(run: str = "") -> Card | None:
    """Show a run's card and curves once more; of an open run the live plot and its buttons.

    As after the page was loaded again. Without a run: the open one, or the last.

    Parameters
    ----------
    run : str
        Its name in the current experiment, its id (of this session's runs the first
        characters do), or ``MODEL@ALIAS``. Otherwise the open run, the last one that ended
        here, or the experiment's newest.

    Returns
    -------
    Card or None
        The card; None of an open run, which is shown at once.

    Raises
    ------
    UsageProblem
        There is no run to show.
    StoreUnavailable
        There is no such run, or the store does not answer.

    Examples
    --------
    ::

        %mlshow resnet18-baseline
    """
    session = get_session()
    scope = open_here(session, run)
    if scope is not None:
        scope.view.show_again()
        return None
    found = session.tracking.run_of(_reference(session, run))
    return card_of(found)


def card_of(found: OpenRun) -> Card:
    """Return the card of a run as the store has it now."""
    looked = look(found.uri, found.run_id, found.experiment_id)
    return _card(found, looked, get_session().config.digits)


def facts_of_run(run: str) -> tuple[RunSummary, StoredSoFar]:
    """Return what the card of a run would say, and what the store has of it; nothing is drawn."""
    found = get_session().tracking.run_of(run)
    looked = look(found.uri, found.run_id, found.experiment_id)
    return _summary(found, looked, []), looked.run


def open_here(session: Session, run: str) -> RunScope | None:
    """Return a run that is open in this process, by name or id; without either the innermost."""
    for scope in reversed(session.scopes):
        if not run or run == scope.name or _begins(scope.run_id, run):
            return scope
    return None


def _reference(session: Session, run: str) -> str:
    here = redact(absolute(session.tracking.uri))
    ended = [
        known.run_id
        for known in reversed(session.ended)
        if known.run_id and known.note is not None and known.note.uri == here
    ]
    if run:
        return next((run_id for run_id in ended if _begins(run_id, run)), run)
    if ended:
        return ended[0]
    newest = session.tracking.run_names(1)
    if not newest:
        raise UsageProblem("The current experiment has no run to show.", "%mlshow RUN names one.")
    return newest[0]


def _begins(run_id: str, run: str) -> bool:
    return len(run) >= 6 and run_id.startswith(run)


def _card(found: OpenRun, looked: Looked, digits: int) -> Card:
    from cvtrack_magics.display.annotations import Mark
    from cvtrack_magics.display.card import summary_bundle
    from cvtrack_magics.display.picture import curves_png

    run = looked.run
    names = list(shown_metrics(run))
    read = names[:MOST_CURVES]
    curves: dict[str, Series] = {
        name: series.decimated(POINTS)
        for name, series in curves_of(histories(found.uri, run.run_id, read)).items()
        if len(series)
    }
    notices = []
    if run.status not in ENDED:
        notices.append(
            f"The run goes on: this is what the store had at {time.strftime('%Y-%m-%d %H:%M:%S')}."
        )
    if len(names) > MOST_CURVES:
        notices.append(f"Of {len(names)} metrics the first {MOST_CURVES} are drawn.")
    summary = _summary(found, looked, notices)
    marks = [Mark(step, text, run.started / 1000) for step, text in marks_of(run.tags)]
    picture = curves_png(curves, marks=marks) if curves else None
    bundle = summary_bundle(summary, picture, curves, digits, marks=marks)
    return Card(summary, bundle, run.params, run.tags)


def _summary(found: OpenRun, looked: Looked, notices: list[str]) -> RunSummary:
    run, place = looked.run, get_session().tracking.place
    own = _row(run, found.experiment, place)
    said = run.tags.get("error.message", "").strip().split("\n", 1)[0]
    children = tuple(_row(child, found.experiment, place) for child in looked.children)
    recorded = known_as(_records(looked))
    if children:
        recorded += (f"{len(children)} child run{'s' if len(children) > 1 else ''}",)
    return replace(
        own,
        url=found.url,
        error=": ".join(filter(None, (own.error, said))),
        params=len(run.params),
        recorded=recorded,
        notices=tuple(notices),
        children=children,
    )


def _row(run: StoredSoFar, experiment: str, store: str) -> RunSummary:
    return RunSummary(
        name=run.name,
        run_id=run.run_id,
        experiment=experiment,
        status=ENDED.get(run.status, "RUNNING"),
        duration=lasted(run),
        store=store,
        error=run.tags.get("error.type", ""),
        metrics=shown_metrics(run),
    )


def shown_metrics(run: StoredSoFar) -> dict[str, float]:
    """Return a run's last values, but for those of its cost and those that sum it up."""
    return {
        name: value
        for name, (value, _, _) in sorted(run.metrics.items())
        if not name.startswith((UNSEEN, RESOURCES)) and not is_summary(name)
    }


def lasted(run: StoredSoFar) -> float:
    """Return seconds by the wall; a run that goes on has lasted until now."""
    return max(0.0, (run.ended or time.time() * 1000) - run.started) / 1000


def _records(looked: Looked) -> list[Record]:
    """Return as much of the run's records as the words for what was recorded need."""
    run = looked.run
    records: list[Record] = [Artifact(path, "") for path in looked.paths]
    records += [Tag(key, value) for key, value in run.tags.items()]
    records += [Param(key, value) for key, value in run.params.items()]
    return records
