"""``mlcompare()``: why runs differ, and whether one is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.artifacts.paths import ENVIRONMENT, is_metrics, is_samples
from cvtrack_magics.commands.candidate_loader import TABLES, candidate_from
from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.typed import listed
from cvtrack_magics.comparison.data import wanted_texts
from cvtrack_magics.comparison.result import Compared
from cvtrack_magics.comparison.sentences import labels_of
from cvtrack_magics.comparison.texts import as_replayed
from cvtrack_magics.delivery.channel import UNSEEN
from cvtrack_magics.display.comparison_view import Comparison, Overlaid
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.facts import Candidate, EvaluationFacts
from cvtrack_magics.run.context import RESOURCES
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import find
from cvtrack_magics.run.resume import curves_of
from cvtrack_magics.run.summary_metrics import is_summary
from cvtrack_magics.run.unsent import send_what_ended
from cvtrack_magics.store.many_runs import read_curves, read_runs, read_texts
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.store.writer import Point

if TYPE_CHECKING:
    from cvtrack_magics.delivery.series import Series

MOST = 20
"""Runs that are compared at a time."""
MOST_CURVES = 40
"""Metrics whose points are read."""
POINTS = 2_000  # that are kept of each to be drawn, every high and low among them
TEXT = 4_000_000  # bytes of a text that is read
SYSTEM = "system/"
BEFORE = 20.0  # seconds that runs of this session may take on their way to the store
_ENDS = (".py", ".ipy", ".json", ".yaml", ".yml", ".toml", ".txt", ".cfg", ".ini")
_FOLDERS = ("code", "configs")

Points = Mapping[str, Mapping[str, Sequence[Point]]]


@command(runs=Arg("RUN", listed, many="*"), html=Arg("FILE"))
def mlcompare(*runs: str, html: str | Path = "") -> Comparison:
    """Show why runs differ, and whether one is better than the first.

    What differs is shown, grouped by what it is: params, code, packages, hardware, seeds, data,
    config. A run is called better or worse only where both were evaluated on the same data
    (``%mleval``), by an interval of the difference over pairs of the same samples.

    Parameters
    ----------
    *runs : str
        Two or more: names or ids of runs, or ``MODEL@ALIAS``. The first is what the others
        are compared with.
    html : str or path, optional
        Write it to this file, as one page that loads nothing.

    Returns
    -------
    Comparison
        Shows itself; ``found`` has the facts, ``to_json()`` writes them.

    Raises
    ------
    UsageProblem
        Fewer than two runs are named, one of them twice, or a name is that of no run.
    StoreUnavailable
        The store does not answer.

    Examples
    --------
    In a notebook::

        %mlcompare baseline wider --html why.html

    >>> mlcompare("baseline", "wider")  # doctest: +SKIP
    """
    session = get_session()
    send_what_ended(session, BEFORE)
    uri = absolute(session.tracking.uri)
    made = comparison_of([(uri, run_id) for run_id in ids_of(runs)])
    if html:
        Path(html).expanduser().write_text(made.page(), encoding="utf-8", errors="replace")
    return made


def comparison_of(which: Sequence[tuple[str, str]], *, replayed: bool = False) -> Comparison:
    """Compare runs, each by its store and id; see :func:`mlcompare`.

    With ``replayed`` the second one is the first one, run again.
    """
    facts = facts_of(which, replayed=replayed)
    session = get_session()
    curves = _overlaid(labels_of(facts.found.runs), facts.points)
    notes = _notes(facts.runs)
    return Comparison(facts.found, session.tracking.place, curves, session.config.digits, notes)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read of runs that are compared, and what was found; nothing is drawn yet."""

    found: Compared
    runs: Sequence[Candidate]
    points: Points


def facts_of(which: Sequence[tuple[str, str]], *, replayed: bool = False) -> Facts:
    """Read and compare runs, each by its store and id; see :func:`mlcompare`."""
    from cvtrack_magics.comparison.compare import compare

    by_store: dict[str, list[str]] = {}
    for uri, run_id in which:
        by_store.setdefault(uri, []).append(run_id)
    place = get_session().tracking.place
    found: dict[str, Candidate] = {}
    points: dict[str, Mapping[str, Sequence[Point]]] = {}
    for uri, ids in by_store.items():
        some = [candidate_from(run, place) for run in read_runs(uri, ids, wanted_file)]
        found |= {run.run_id: run for run in some}
        points |= read_curves(uri, {run.run_id: _curves(run) for run in some})
    runs = [found[run_id] for _, run_id in which]
    if replayed:
        runs[0] = as_replayed(runs[0], runs[1])
    wanted, texts = wanted_texts(runs), dict[tuple[str, str], str]()
    for uri, ids in by_store.items():
        texts |= read_texts(uri, [pair for pair in wanted if pair[0] in ids])
    lists = [{p: text for (of, p), text in texts.items() if of == run.run_id} for run in runs]
    values = {run.run_id: shown_values(run) for run in runs}
    return Facts(compare(runs, points, lists, values), runs, points)


def ids_of(runs: Sequence[str]) -> list[str]:
    """Return the runs' ids.

    Raises
    ------
    UsageProblem
        There are too few or too many, or one is named twice.
    """
    example = "%mlcompare baseline wider"
    if len(runs) < 2:
        raise UsageProblem("A comparison takes two runs or more.", f"For example: {example}")
    if len(runs) > MOST:
        raise UsageProblem(f"{len(runs)} runs are too many to compare.", f"{MOST} are the most.")
    ids = [find(run).run_id for run in runs]
    for at, run_id in enumerate(ids):
        if run_id in ids[:at]:
            raise UsageProblem(
                f"{runs[ids.index(run_id)]!r} and {runs[at]!r} are the same run.",
                "Of runs of one name the newest is meant; an id names another one.",
            )
    return ids


def wanted_file(path: str, size: int) -> bool:
    """Say whether a file of a run is read to be compared."""
    if path == ENVIRONMENT:
        return size <= TEXT
    if is_metrics(path) or is_samples(path):
        return size <= TABLES
    folder = path.split("/", 1)[0]
    return folder in _FOLDERS and path.endswith(_ENDS) and size <= TEXT


def shown_values(run: Candidate) -> dict[str, float]:
    """Return a run's last values, but for those of its cost and those that sum it up."""
    return {
        name: point.value
        for name, point in sorted(run.metrics.items())
        if not name.startswith((UNSEEN, RESOURCES, SYSTEM)) and not is_summary(name)
    }


def _curves(run: Candidate) -> list[str]:
    """Return the metrics that may have more than one point, those of all steps first."""
    names = sorted(shown_values(run), key=lambda name: (-run.metrics[name].step, name))
    once = {
        f"{evaluation.prefix}/{name}"
        for evaluation in run.evaluations.values()
        for name in (*evaluation.measured.metrics, *_ends(evaluation))
        if name != evaluation.headline
    }
    return [name for name in names if name not in once][:MOST_CURVES]


def _ends(evaluation: EvaluationFacts) -> Iterable[str]:
    return (f"{evaluation.headline}/ci_low", f"{evaluation.headline}/ci_high")


def _notes(runs: Sequence[Candidate]) -> tuple[str, ...]:
    going = [run.run_name for run in runs if run.status not in ("FINISHED", "FAILED", "KILLED")]
    return tuple(f"{name} goes on: this is what the store has of it now." for name in going)


def _overlaid(labels: Mapping[str, str], points: Points) -> Overlaid:
    from cvtrack_magics.display.picture import curves_png

    drawn: dict[str, dict[str, Series]] = {}
    for run_id, label in labels.items():
        curves = curves_of(points.get(run_id, {}))
        drawn[label] = {
            name: series.decimated(POINTS) for name, series in curves.items() if len(series) > 1
        }
    base, *others = drawn.values()
    beside = dict(zip(list(labels.values())[1:], others, strict=True))
    return Overlaid(curves_png(base, overlays=beside), base, beside)
