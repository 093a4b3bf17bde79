"""Runs side by side: in what they differ, which is better, and where their curves part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cvtrack_magics.artifacts.paths import CELL
from cvtrack_magics.comparison import causes, data, texts
from cvtrack_magics.comparison.curves import Curves, partings
from cvtrack_magics.comparison.result import Compared, MetricRow, RunHead, same
from cvtrack_magics.comparison.verdicts import verdicts_of
from cvtrack_magics.release.facts import Candidate


def compare(
    runs: Sequence[Candidate],
    curves: Mapping[str, Curves],
    lists: Sequence[Mapping[str, str]] = (),
    shown: Mapping[str, Mapping[str, float]] | None = None,
) -> Compared:
    """Compare runs.

    Parameters
    ----------
    runs : sequence of Candidate
        Two or more; the first is what the others are compared with.
    curves : mapping of str to mapping
        All points of their metrics, by the run's id and the metric's name.
    lists : sequence of mapping of str to str
        Of each run, the manifests and listings of data that differ.
    shown : mapping of str to mapping, optional
        By the run's id the last values of the metrics that count; otherwise all.
    """
    values = [
        (shown or {}).get(run.run_id) or {name: point.value for name, point in run.metrics.items()}
        for run in runs
    ]
    rows = _rows(values)
    differing = tuple(row for row in rows if not _equal(row.values))
    base, others = runs[0], runs[1:]
    return Compared(
        runs=tuple(map(_head, runs)),
        causes=tuple(
            cause
            for cause in (
                causes.params_of(runs),
                texts.code_of(runs),
                causes.packages_of(runs),
                causes.hardware_of(runs),
                causes.seeds_of(runs),
                data.data_of(runs, lists),
                texts.config_of(runs),
                causes.tags_of(runs),
            )
            if cause
        ),
        metrics=differing,
        equal_metrics=len(rows) - len(differing),
        verdicts=tuple(verdict for run in others for verdict in verdicts_of(run, base)),
        partings=tuple(
            one
            for run in others
            for one in partings(
                run.run_id, base.run_id, curves.get(run.run_id, {}), curves.get(base.run_id, {})
            )
        ),
        recorded=all(CELL in run.texts for run in runs),
        unseeded=causes.unseeded(runs),
    )


def _rows(values: Sequence[Mapping[str, float]]) -> list[MetricRow]:
    names = dict.fromkeys(name for table in values for name in table)
    return [MetricRow(name, tuple(table.get(name) for table in values)) for name in names]


def _equal(values: Sequence[float | None]) -> bool:
    first = values[0]
    if first is None:
        return all(value is None for value in values)
    return all(value is not None and same(first, value) for value in values)


def _head(run: Candidate) -> RunHead:
    return RunHead(run.run_id, run.run_name, run.experiment, run.status)
