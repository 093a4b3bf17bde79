"""What is known of a candidate: its run, its evaluations and its version in the registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cvtrack_magics.artifacts.evaluation import Measured
from cvtrack_magics.names import safe_key
from cvtrack_magics.store.registry import Version

_KERNEL = "ipykernel_launcher.py"  # what MLflow takes for the script of a notebook


@dataclass(frozen=True, slots=True)
class Point:
    """The last value of a metric; ``timestamp`` is Unix time in milliseconds."""

    value: float
    step: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class DataFact:
    """A data set that the run has as an input; ``digest`` is the full SHA-256 where known.

    ``samples`` is the SHA-256 of the same samples in any order; ``""`` where there is none.
    """

    name: str
    context: str
    digest: str
    source: str = ""
    samples: str = ""


@dataclass(frozen=True)
class EvaluationFacts:
    """What ``%mleval`` recorded under ``evaluation/<prefix>/``.

    Attributes
    ----------
    prefix : str
        ``val``, ``test`` …: what stands before the names of its metrics.
    measured : Measured
        The content of ``metrics.json``.
    table : mapping of str to list
        The columns of ``samples.json``, ``id`` first.
    replicates : tuple of float
        The headline's value in each bootstrap resample, in canonical draws; may be empty.
    problem : str
        Why ``metrics.json`` could not be read; ``measured`` is empty then.
    """

    prefix: str
    measured: Measured
    table: Mapping[str, list[Any]] = field(default_factory=dict)
    replicates: tuple[float, ...] = ()
    problem: str = ""

    @property
    def start(self) -> str:
        """What stands before the names of its metrics, as it is logged: ``val/`` or nothing."""
        said = self.measured.prefix
        prefix = self.prefix if said is None else said
        return f"{safe_key(prefix)}/" if prefix else ""

    @property
    def data_sha256(self) -> str:
        """Which samples were measured against which truth."""
        return self.measured.data_sha256

    @property
    def headline(self) -> str:
        """The metric that stands for the task, without prefix."""
        return self.measured.headline


@dataclass(frozen=True)
class Candidate:
    """A run, and the version that was made of it where there is one.

    Attributes
    ----------
    files : mapping of str to int
        Paths of the run's artifacts, and their sizes in bytes.
    texts : mapping of str to str
        Content of the small JSON, YAML, text and Markdown artifacts that a release reads.
    slices : mapping of str to EvaluationFacts
        What was measured of parts of the samples, by what stands before their metrics' names:
        ``val/slices/camera/A``.
    altered : str
        What is wrong with the version's files, where they were compared with its digest.
    changed : mapping of str to str
        What is wrong with files that surround the run (code, environment, pages, card), by
        path: who speaks of such a file does not believe it.
    is_deleted : bool
        Whether the run lies in the trash.
    started, ended : int
        Unix milliseconds; 0 of a run that has not ended.
    """

    run_id: str
    run_name: str
    experiment: str
    status: str
    started: int
    ended: int
    user: str = ""
    metrics: Mapping[str, Point] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: tuple[DataFact, ...] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    evaluations: Mapping[str, EvaluationFacts] = field(default_factory=dict)
    slices: Mapping[str, EvaluationFacts] = field(default_factory=dict)
    version: Version | None = None
    store: str = ""
    altered: str = ""
    changed: Mapping[str, str] = field(default_factory=dict)
    is_deleted: bool = False

    @property
    def source(self) -> str:
        """The file name of the script or notebook; empty where only the kernel is known.

        The folder it lies in is one of somebody's machine.
        """
        name = re.split(r"[/\\]", self.tags.get("mlflow.source.name", ""))[-1]
        return "" if name == _KERNEL else name

    @cached_property
    def label(self) -> str:
        """``NAME version 3 (run 1a2b3c4d)``, or the run's name."""
        short = f"run {self.run_id[:8]}"
        if self.version is None:
            return f"{self.run_name} ({short})"
        return f"{self.version.name} version {self.version.version} ({short})"
