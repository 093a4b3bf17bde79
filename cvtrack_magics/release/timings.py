"""Whether a figure of latency is the version's, and of the last measurement."""

from __future__ import annotations

import math
import re

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.latency import Latency, Network
from cvtrack_magics.artifacts.paths import LATENCY
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.weights import another_network
from cvtrack_magics.store.model_files import WEIGHTS_TAG

_FIGURE = re.compile(r"(p50_latency_ms|p95_latency_ms|p99_latency_ms|throughput_imgs_per_sec)")
_OF_A_CELL = re.compile(rf"latency/(.+)/b[0-9]+/{_FIGURE.pattern}")
_FILE = "of an ONNX file that is no proved export of this network"
_AGAIN = "%mlbench measures the version's own network by its name"


def timing_doubt(candidate: Candidate, name: str) -> str:
    """Say why a figure of ``%mlbench`` does not count, or ``""``.

    A figure that somebody measured otherwise, in a run without ``latency.json``, is theirs.

    Parameters
    ----------
    candidate : Candidate
        A version counts as its own network only.
    name : str
        Of a metric; any other than the figures of ``%mlbench`` is not doubted here.
    """
    cell = _OF_A_CELL.fullmatch(name)
    if cell is None and not _FIGURE.fullmatch(name):
        return ""
    try:
        found = read_from(candidate.texts, Latency, LATENCY)
    except UnreadableArtifact as error:
        return error.problem
    if found is None:
        return ""
    runner = cell[1] if cell is not None else found.headline.rpartition("@")[0]
    other = _another(candidate, found.networks.get(runner), runner)
    return f"it was measured {other}; {_AGAIN}" if other else _not_the_last(candidate, found, name)


def _not_the_last(candidate: Candidate, found: Latency, name: str) -> str:
    """Say that a figure is not of the last measurement, or nothing."""
    measured, logged = found.metrics.get(name), candidate.metrics[name].value
    if not found.metrics:
        return ""
    if measured is None:
        return "it is of an earlier %mlbench: the last one found no value for it; more --seconds"
    if not math.isclose(measured, logged, rel_tol=1e-9, abs_tol=1e-12):
        return f"the metric says {logged:.6g}, the last %mlbench {measured:.6g}"
    return ""


def other_networks(candidate: Candidate) -> dict[str, str]:
    """Return what is said of the runners that ran another network than the version's."""
    try:
        found = read_from(candidate.texts, Latency, LATENCY) or Latency()
    except UnreadableArtifact:
        return {}
    said = {
        runner: _another(candidate, network, runner) for runner, network in found.networks.items()
    }
    return {runner: why for runner, why in said.items() if why}


def _another(candidate: Candidate, network: Network | None, runner: str) -> str:
    """Say of what else was measured; ``""`` where it is the version's, or nothing is known."""
    version = candidate.version
    if network is None or version is None:
        return ""
    if runner == "onnx" and network == Network() and version.tags.get(WEIGHTS_TAG):
        return _FILE
    return another_network(version, network).removeprefix("is ")
