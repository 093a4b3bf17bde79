"""Gathers what the store knows of a candidate into the facts that ``release`` judges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from cvtrack_magics.artifacts.codec import read, read_from
from cvtrack_magics.artifacts.evaluation import Measured, SampleTable
from cvtrack_magics.artifacts.paths import (
    CONFIGS,
    DATASETS,
    EVALUATION,
    EVIDENCE,
    EXPORTS,
    SERVING,
    is_metrics,
    is_samples,
    is_slices,
    metrics_path,
    samples_path,
)
from cvtrack_magics.artifacts.slices import Slice, Slices
from cvtrack_magics.errors import UnreadableArtifact, UsageProblem
from cvtrack_magics.release.facts import Candidate, DataFact, EvaluationFacts, Point
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import Found, find
from cvtrack_magics.store.asking import asking
from cvtrack_magics.store.evidence import altered_evidence
from cvtrack_magics.store.recorded_files import changed_files, is_held
from cvtrack_magics.store.registry import Version
from cvtrack_magics.store.run_reader import StoredRun, read_run
from cvtrack_magics.store.uris import absolute

SMALL = 4_000_000  # bytes of a text that is read
TABLES = 200_000_000  # bytes of a table of per-sample scores
PAGES = 60_000_000  # bytes of a page, or of code, that is read for its digest: MLflow's 50 MiB
_FOLDERS = ("environment", CONFIGS, DATASETS, "governance", "latency", *EXPORTS)
_NAMES = ("MLmodel", SERVING, EVIDENCE)
_ENDINGS = (".json", ".yaml", ".yml", ".md", ".txt", ".toml", ".tsv")
_READ = (*_ENDINGS, *_NAMES)
"""How texts end that are judged; others are read for their digest alone."""


def candidate_of(reference: str, *, version: str = "", run: str = "") -> Candidate:
    """Return the facts of a run or a version; see :func:`references.find`."""
    return gather(find(reference, version=version, run=run))


def gather(found: Found) -> Candidate:
    """Read a run, and put its version beside it."""
    version = found.version
    if version is not None and not found.run_id:
        raise UsageProblem(
            f"Version {version.version} of {version.name!r} does not say which run it was made "
            "of, and nothing else speaks of it.",
            "Register it with the run_id of its training.",
        )
    with asking(f"read run {found.run_id[:8]}"):
        return gathered(found)


def gathered(found: Found) -> Candidate:
    """Read a run as :func:`gather` does; what the store raises comes through as it is."""
    session = get_session()
    uri = absolute(session.tracking.uri)
    stored = read_run(uri, found.run_id, _wanted)
    candidate = candidate_from(stored, session.tracking.place, found.version)
    texts = {path: text for path, text in candidate.texts.items() if path.endswith(_READ)}
    return replace(candidate, texts=texts)


def candidate_from(stored: StoredRun, place: str = "", version: Version | None = None) -> Candidate:
    """Return what was read of a run as the facts that are judged; see :class:`Candidate`."""
    scores = Scores(stored.texts)
    return Candidate(
        run_id=stored.run_id,
        run_name=stored.name,
        experiment=stored.experiment,
        status=stored.status,
        started=stored.started,
        ended=stored.ended,
        user=stored.user,
        metrics={key: Point(*seen) for key, seen in stored.metrics.items()},
        params=stored.params,
        tags=stored.tags,
        datasets=tuple(
            DataFact(item.name, item.context, item.digest, item.source, item.samples)
            for item in stored.inputs
        ),
        files=stored.files,
        texts={path: text for path, text in stored.texts.items() if not is_samples(path)},
        evaluations=dict(evaluations_of(stored.texts, scores)),
        slices=dict(slices_of(stored.texts, scores)),
        version=version,
        store=place,
        altered=altered_evidence(stored.texts, stored.files, stored.tags),
        changed=changed_files(stored.texts, stored.tags),
        is_deleted=stored.is_deleted,
    )


def _wanted(path: str, size: int) -> bool:
    folder = path.split("/", 1)[0]
    if path.rsplit("/", 1)[-1] in _NAMES:
        return size <= SMALL
    if folder == EVALUATION:
        return path.endswith(".json") and size <= TABLES
    if is_held(path):
        return size <= PAGES
    return folder in _FOLDERS and path.endswith(_ENDINGS) and size <= SMALL


class Scores:
    """The scores of each sample in a run's evaluations; a table, which can be large, is read once.

    Parameters
    ----------
    texts : mapping of str to str
        The run's texts by path.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._read: dict[str, dict[str, list[Any]]] = {}

    def of(self, folder: str) -> dict[str, list[Any]]:
        """Return them by column; none where there is no table, or none that can be read."""
        if folder not in self._read:
            table = None
            with suppress(UnreadableArtifact):
                table = read_from(self._texts, SampleTable, samples_path(folder))
            self._read[folder] = {} if table is None else table.by_column()
        return self._read[folder]


def evaluations_of(
    texts: Mapping[str, str], scores: Scores | None = None
) -> Iterator[tuple[str, EvaluationFacts]]:
    """Yield what each evaluation found, by its prefix."""
    scores = Scores(texts) if scores is None else scores
    for path, text in texts.items():
        if not is_metrics(path):
            continue
        folder = path.split("/")[1]
        measured, problem = Measured(), ""
        try:
            measured = read(Measured, path, text)
        except UnreadableArtifact as error:
            problem = error.problem
        prefix = measured.prefix or folder
        drawn = tuple(math.nan if value is None else value for value in measured.replicates)
        yield (
            prefix,
            EvaluationFacts(prefix, measured, scores.of(folder), drawn, problem),
        )


def slices_of(
    texts: Mapping[str, str], scores: Scores | None = None
) -> Iterator[tuple[str, EvaluationFacts]]:
    """Yield what was found of parts of the samples, by what stands before their metrics' names.

    Parts of an evaluation that was made anew since are none.
    """
    scores = Scores(texts) if scores is None else scores
    for path, text in texts.items():
        if not is_slices(path):
            continue
        folder = path.split("/")[1]
        with suppress(UnreadableArtifact):
            whole = read_from(texts, Measured, metrics_path(folder))
            file = read(Slices, path, text)
            if whole is None or not _are_of(file, whole):
                continue
            table = scores.of(folder)
            for one in file.slices:
                prefix = one.measured.prefix or ""
                yield prefix, _part(prefix, one, table)


def _are_of(file: Slices, whole: Measured) -> bool:
    value = whole.metrics.get(whole.headline)
    return (whole.data_sha256, value) == (file.data_sha256, file.value)


def _part(prefix: str, one: Slice, table: Mapping[str, list[Any]]) -> EvaluationFacts:
    rows = [row for row in one.rows if 0 <= row < min(map(len, table.values()), default=0)]
    columns = {name: [values[row] for row in rows] for name, values in table.items()}
    drawn = tuple(math.nan if value is None else value for value in one.measured.replicates)
    return EvaluationFacts(prefix, one.measured, columns, drawn)
