"""How long a model takes: percentiles over enough calls, runners side by side."""

from __future__ import annotations

from cvtrack_magics.release.latency.facts import Bench, Row
from cvtrack_magics.release.latency.figure import figure
from cvtrack_magics.release.latency.measuring import bench
from cvtrack_magics.release.latency.runner import Absent, Runner
from cvtrack_magics.release.latency.runners import KINDS, runners_of

__all__ = ["KINDS", "Absent", "Bench", "Row", "Runner", "bench", "figure", "runners_of"]
