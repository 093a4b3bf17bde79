"""``mlreport()``: an experiment as one page to send around."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.mlcompare import comparison_of
from cvtrack_magics.commands.mlruns import mlruns
from cvtrack_magics.commands.mlshow import shown_metrics
from cvtrack_magics.display.comparison_view import Comparison
from cvtrack_magics.display.experiment_report import ExperimentReport
from cvtrack_magics.display.groups import direction_of
from cvtrack_magics.display.text import number
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.described import primary_metric
from cvtrack_magics.run.unsent import send_what_ended
from cvtrack_magics.secrets.stored import stored_part
from cvtrack_magics.store.listing import experiment_tags
from cvtrack_magics.store.notes import NOTE, PRIMARY, PRIMARY_DIRECTION
from cvtrack_magics.store.resuming import StoredSoFar
from cvtrack_magics.store.uris import absolute

BEFORE = 20.0  # seconds that runs of this session may take on their way to the store


@command(file=Arg("FILE"), filter=Arg("FILTER"), best=Arg("N"))
def mlreport(file: str | Path = "", *, filter: str = "", best: int = 3) -> ExperimentReport:
    """Write the current experiment as one page: its runs, and why the best of them differ.

    The page loads nothing and needs no kernel: the table of ``%mlruns``, sorted by the metric
    that the experiment is about (``%mlexperiment --metric``), and below it the best runs as
    ``%mlcompare`` shows them.

    Parameters
    ----------
    file : str or path, optional
        Where to write it; otherwise ``<experiment>.html`` in the working folder.
    filter : str
        Which runs, in MLflow's language.
    best : int
        How many of the best finished runs are compared; 0 or 1 for none.

    Returns
    -------
    ExperimentReport
        Shows itself; ``page()`` is the page.

    Raises
    ------
    UsageProblem
        The experiment has no run that fits, or the file cannot be written.
    StoreUnavailable
        The store does not answer.

    Examples
    --------
    In a notebook::

        %mlreport shapes.html --best 4

    >>> mlreport("shapes.html")  # doctest: +SKIP
    """
    session = get_session()
    send_what_ended(session, BEFORE)
    tracking = session.tracking
    experiment_id, name = tracking.experiment_here()
    runs = mlruns(filter, all=True).runs
    if not runs:
        raise UsageProblem(f"Experiment {name!r} has no run to report.", "%mlruns lists them.")
    tags = experiment_tags(tracking.uri, experiment_id)
    metric, more = _primary(tags, runs)
    ranked = _ranked(runs, metric, more=more)
    whole = mlruns(filter, sort=metric if ranked else "", all=True)
    table = replace(whole, every_column=False, is_dated=True, again=None)
    compared, why_not = _compared(absolute(tracking.uri), ranked[: max(0, best)])
    where = Path(file or f"{stored_part(name)}.html").expanduser()
    lines = (_counted(runs), *_named(ranked, metric, more=more), *([why_not] if why_not else []))
    made = ExperimentReport(name, tags.get(NOTE, ""), lines, table, compared, where)
    try:
        where.write_text(made.page(), encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageProblem(f"{where} cannot be written: {error.strerror}.") from None
    return made


def _primary(tags: Mapping[str, str], runs: Sequence[StoredSoFar]) -> tuple[str, bool]:
    """Return the metric that an experiment is about, and whether more of it is better."""
    known = {name: None for run in runs for name in run.metrics}
    said = tags.get(PRIMARY, "")
    if said in known:
        return said, tags.get(PRIMARY_DIRECTION, "").lower() == "true"
    found = primary_metric(list(known))
    return found, direction_of(found) == "max"


def _ranked(runs: Sequence[StoredSoFar], metric: str, *, more: bool) -> list[StoredSoFar]:
    """Return the finished runs that have a finite value of a metric, the best first."""
    values = {run.run_id: shown_metrics(run).get(metric, math.nan) for run in runs}
    fit = [r for r in runs if r.status == "FINISHED" and math.isfinite(values[r.run_id])]
    return sorted(fit, key=lambda run: values[run.run_id], reverse=more)


def _compared(uri: str, runs: Sequence[StoredSoFar]) -> tuple[Comparison | None, str]:
    """Return the best runs beside each other, or why there is no such picture."""
    if len(runs) < 2:
        return None, ""
    try:
        return comparison_of([(uri, run.run_id) for run in runs]), ""
    except CvtrackError as error:
        return None, f"The best runs are not compared: {error.problem}"


def _counted(runs: Sequence[StoredSoFar]) -> str:
    by_status = Counter(run.status.lower() for run in runs)
    ordered = sorted(by_status.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{count:,} {status}" for status, count in ordered)
    return f"{len(runs):,} run{'s' if len(runs) != 1 else ''}: {said}."


def _named(ranked: Sequence[StoredSoFar], metric: str, *, more: bool) -> tuple[str, ...]:
    if not ranked:
        return ()
    best, digits = ranked[0], get_session().config.digits
    value = number(best.metrics[metric][0], digits)
    which = "highest" if more else "lowest"
    of = f"of {len(ranked)} finished run{'s' if len(ranked) != 1 else ''} that have it"
    return (f"The {which} {metric} is {value}, of run {best.name!r} ({of}).",)
