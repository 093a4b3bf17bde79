"""``mlruns()``: the runs of the current experiment side by side, in what they differ."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from cvtrack_magics.commands.definition import Arg, Typed, command
from cvtrack_magics.commands.following import follow
from cvtrack_magics.commands.mlshow import ENDED, lasted, shown_metrics
from cvtrack_magics.commands.typed import comma_separated, joined
from cvtrack_magics.display.groups import direction_of
from cvtrack_magics.display.runs_table import Group, RunLine, RunsTable
from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.run.current import get_session
from cvtrack_magics.store.calls import PARENT
from cvtrack_magics.store.listing import runs_in
from cvtrack_magics.store.resuming import StoredSoFar
from cvtrack_magics.store.run_cache import Listed, key_of, state_of

NEWEST = 50
"""Runs that are shown where not all are asked for."""
ALL = 10_000
LIVE = 200
"""Runs of a table that is kept up to date while one of them goes on."""
WORTH_IT = 100
"""Runs from which on a list is kept on disk: of fewer the store is asked as soon."""
CONFIDENCE = 0.95
TOOK = "took"


def _present(table: RunsTable) -> None:
    """Show a table; while a run of it goes on, its row in place."""
    again = table.again or (lambda: table)
    follow("runs", table, again, _sign, soon=table.is_remembered)


def _perform(typed: Typed) -> RunsTable:
    """Return the table; in a page as it was the last time, for it is then brought up to date."""
    session = get_session()
    if (
        session.host.interactive_display
        and session.host.has_page
        and not typed.values.get("delete")
    ):
        asked = _asked(**{k: v for k, v in typed.values.items() if k in _WORDS})
        remembered = _remembered(asked)
        if remembered is not None:
            return remembered
    found: RunsTable = mlruns(**typed.values)
    return found


_WORDS = ("filter", "by", "sort", "all")


def _sign(table: RunsTable) -> object:
    if len(table.lines) > LIVE or not any(line.status == "RUNNING" for line in table.lines):
        return None
    return [(line.run_id, line.status, dict(line.metrics)) for line in table.lines]


# MLflow's language has quotes and blanks of its own
@command(
    verbatim="filter",
    filter=Arg("FILTER", joined, many="*"),
    by=Arg("PARAM"),
    sort=Arg("NAME"),
    delete=Arg("RUN,…", comma_separated),
    present=_present,
    perform=_perform,
)
def mlruns(
    filter: str = "",
    *,
    by: str = "",
    sort: str = "",
    all: bool = False,
    delete: Sequence[str] = (),
    yes: bool = False,
) -> RunsTable:
    """Show the runs of the current experiment side by side, nested ones below their parents.

    Of params only those are shown in which the runs differ; the best value of each metric is
    marked, where its name says whether more or less is better. While a run goes on, its row is
    kept up to date under the cell.

    Parameters
    ----------
    filter : str
        Which runs, in MLflow's language: ``metrics.`val/loss` < 0.5 and params.lr = '0.1'``.
    by : str
        A param. Finished runs that have the same value of it are one line: how many they are,
        and of each metric the mean with its 95 % interval (Student's t).
    sort : str
        A metric, the best first where its name says which way that is, else the largest; a param,
        the smallest first; or ``took``. Otherwise the newest first.
    all : bool
        All runs, every param and metric; otherwise the newest 50 and what is worth a column.
    delete : sequence of str
        Names or ids of runs to delete first, which is asked about. A run that goes on, or that a
        registered version was made of, is not deleted.
    yes : bool
        Delete without asking.

    Returns
    -------
    RunsTable
        Shows itself; ``runs`` are what the store has of each, the newest first.

    Raises
    ------
    UsageProblem
        The filter is none, no run has the param or the metric, or one is not to be deleted.
    StoreUnavailable
        The store does not answer.

    Examples
    --------
    In a notebook::

        %mlruns params.backbone = 'resnet18' --by lr

    >>> mlruns("params.backbone = 'resnet18'", by="lr")  # doctest: +SKIP
    """
    if not delete:
        return _table(_asked(filter, by, sort, all))
    from cvtrack_magics.commands.deleting import delete as deleted

    said = deleted(delete, yes=yes)
    table = _table(_asked(filter, by, sort, all))
    return replace(table, notes=(said, *table.notes))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which runs of which experiment are shown, and how; the same when they are read again."""

    uri: str
    experiment_id: str
    experiment: str
    place: str
    filter: str
    by: str
    sort: str
    all: bool
    digits: int

    @property
    def most(self) -> int:
        """How many runs are shown."""
        return ALL if self.all or self.by else NEWEST


def _asked(filter: str = "", by: str = "", sort: str = "", all: bool = False) -> _Asked:
    tracking = get_session().tracking
    experiment_id, experiment = tracking.experiment_here()
    place = (tracking.uri, experiment_id, experiment, tracking.place)
    return _Asked(*place, filter, by, sort, all, get_session().config.digits)


def _table(asked: _Asked) -> RunsTable:
    """Return the table as the store has it now."""
    cache = get_session().run_cache
    state = state_of(asked.uri)  # first: what is written while it is read is read again
    made = cache.made.get(asked)
    if made is not None and state and made[0] == state:
        table: RunsTable = made[1]
        return table
    key = key_of(asked.uri, asked.experiment_id, asked.filter, asked.most)
    listed = cache.load(key) if state else None
    if listed is None or listed.state != state:
        found = runs_in(asked.uri, [asked.experiment_id], asked.filter, asked.most + 1)
        listed = Listed(state, time.time(), tuple(found))
        if len(found) >= WORTH_IT:
            cache.save(key, listed)
    table = _table_of(asked, listed.runs)
    cache.remember(asked, state, table)
    return table


def _remembered(asked: _Asked) -> RunsTable | None:
    """Return the table as it was the last time, where the store may have changed since."""
    cache = get_session().run_cache
    if state_of(asked.uri):
        return None  # whether it has is known
    key = key_of(asked.uri, asked.experiment_id, asked.filter, asked.most)
    listed = cache.load(key)
    if listed is None:
        return None
    made = cache.made.get(asked)
    table = made[1] if made is not None else _table_of(asked, listed.runs)
    then = time.strftime("%H:%M:%S", time.localtime(listed.read))
    note = f"As it was at {then}; the store is being asked."
    return replace(table, notes=(note, *table.notes), is_remembered=True)


def _table_of(asked: _Asked, found: Sequence[StoredSoFar]) -> RunsTable:
    filter, by, sort, most = asked.filter, asked.by, asked.sort, asked.most
    runs, more = found[:most], len(found) > most
    title = f"{len(runs):,} run{'s' if len(runs) != 1 else ''} of experiment {asked.experiment!r}"
    notes = [f"The newest {most:,}; %mlruns --all shows more."] if more else []
    if not runs:
        notes = ["None fits the filter." if filter else "%%mlrun NAME on top of a cell makes one."]
    groups = _groups(runs, by, sort) if by else ()
    if by and runs and not groups:
        known = {name for run in runs for name in run.params}
        raise UsageProblem(f"No finished run has a param {by!r}.{did_you_mean(by, known)}")
    lines = list(map(_line, runs)) if sort else _tree(runs)
    return RunsTable(
        title=title,
        place=asked.place,
        runs=tuple(runs),
        lines=tuple(_sorted(lines, sort) if sort and not by else lines),
        by=by,
        sort=sort,
        groups=groups,
        headlines={name for run in runs for name in run.metrics if _is_headline(run, name)},
        every_column=asked.all,
        notes=tuple(notes),
        digits=asked.digits,
        again=lambda: _table(asked),
    )


def _is_headline(run: StoredSoFar, name: str) -> bool:
    """Whether an evaluation gave a metric an interval, which it does to one of each task."""
    return f"{name}/ci_low" in run.metrics


def _tree(runs: Sequence[StoredSoFar]) -> list[RunLine]:
    """Return the runs, each behind its parent; nested ones in the order in which they began."""
    ids = {run.run_id for run in runs}
    below: dict[str, list[StoredSoFar]] = {}
    for run in runs:
        parent = run.tags.get(PARENT, "")
        below.setdefault(parent if parent in ids else "", []).append(run)
    lines: list[RunLine] = []
    ahead = [(run, 0) for run in reversed(below.pop("", []))]
    while ahead:
        run, depth = ahead.pop()
        lines.append(_line(run, depth))
        # of those below the last that began lies deepest in the stack: the first comes next
        ahead += [(child, depth + 1) for child in below.pop(run.run_id, [])]
    rest = [run for several in below.values() for run in several]  # each other's parents
    return [*lines, *(_line(run, 0) for run in rest)]


def _line(run: StoredSoFar, depth: int = 0) -> RunLine:
    return RunLine(
        name=run.name,
        run_id=run.run_id,
        depth=depth,
        status=ENDED.get(run.status, "RUNNING"),
        started=run.started / 1000,
        duration=lasted(run),
        params=run.params,
        metrics=shown_metrics(run),
    )


@dataclass(frozen=True)
class _Values:
    values: list[float]

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def half_width(self) -> float:
        """Half of the interval of the mean; NaN of one value."""
        count = len(self.values)
        if count < 2 or not all(map(math.isfinite, self.values)):
            return math.nan
        from scipy import stats  # comes with MLflow

        spread = math.fsum((value - self.mean) ** 2 for value in self.values) / (count - 1)
        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
        return quantile * math.sqrt(spread / count)


def _groups(runs: Sequence[StoredSoFar], by: str, sort: str) -> tuple[Group, ...]:
    """Return the finished runs by their value of a param, in the values' order or the means'."""
    members: dict[str, list[StoredSoFar]] = {}
    for run in runs:
        if by in run.params and run.status == "FINISHED":
            members.setdefault(run.params[by], []).append(run)
    groups = []
    for value, some in sorted(members.items(), key=lambda item: _order(item[0])):
        metrics: dict[str, list[float]] = {}
        for run in some:
            for name, number in shown_metrics(run).items():
                metrics.setdefault(name, []).append(number)
        found = {name: _Values(numbers) for name, numbers in metrics.items()}
        means = {name: (one.mean, one.half_width, len(one.values)) for name, one in found.items()}
        groups.append(Group(value, len(some), means))
    if sort and not any(sort in one.metrics for one in groups):
        raise _nothing_to_sort_by(sort, {name for one in groups for name in one.metrics})
    if sort:
        groups.sort(key=lambda one: _rank(sort, one.metrics.get(sort, (None,))[0]))
    return tuple(groups)


def _sorted(lines: Sequence[RunLine], by: str) -> list[RunLine]:
    """Sort runs by a metric, a param or how long they took; those without it come last.

    Raises
    ------
    UsageProblem
        No run has it.
    """
    if by == TOOK:
        return sorted(lines, key=lambda line: -line.duration)
    if any(by in line.metrics for line in lines):
        return sorted(lines, key=lambda line: _rank(by, line.metrics.get(by)))
    if any(by in line.params for line in lines):
        return sorted(lines, key=lambda line: _order(line.params.get(by, "")))
    raise _nothing_to_sort_by(by, {name for x in lines for name in (*x.metrics, *x.params)})


def _rank(metric: str, value: float | None) -> tuple[bool, float]:
    """Return what sorts the best value first, and none and NaN last."""
    if value is None or math.isnan(value):
        return True, 0.0
    return False, value if direction_of(metric) == "min" else -value


def _nothing_to_sort_by(name: str, known: Set[str]) -> UsageProblem:
    return UsageProblem(f"No run shown has a metric or param {name!r}.{did_you_mean(name, known)}")


def _order(value: str) -> tuple[int, float, str]:
    """Order numbers by their size, before words; what is missing comes last."""
    try:
        return 0, float(value), value
    except ValueError:
        return 1 if value else 2, 0.0, value
