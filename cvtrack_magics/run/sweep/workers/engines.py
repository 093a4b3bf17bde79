"""Which engine a sweep asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.run.sweep.spec import EngineSpec
from cvtrack_magics.run.sweep.workers.messages import Engine
from cvtrack_magics.run.sweep.workers.packing import Body, packed
from cvtrack_magics.run.sweep.workers.processes import Processes

KINDS = ("optuna", "ray")


def checked_engine(engine: str, jobs: int | None, address: str, gpus: float) -> EngineSpec:
    """Return what was asked for; :class:`UsageProblem` where it makes no sense."""
    if engine not in KINDS:
        hint = did_you_mean(engine, KINDS)
        raise UsageProblem(f"There is no engine {engine!r}.{hint}", f"One of {', '.join(KINDS)}.")
    if jobs is not None and jobs < 1:
        raise UsageProblem(f"--jobs {jobs} runs no trial.", "--jobs 4 runs four at once.")
    if engine != "ray" and (address or gpus):
        option = "--address" if address else "--trial-gpus"
        raise UsageProblem(f"{option} is about a Ray cluster.", "Say --engine ray, too.")
    if gpus < 0:
        raise UsageProblem(
            f"--trial-gpus {gpus:g} is no share.", "--trial-gpus 0.5 lets two share."
        )
    return EngineSpec(engine, jobs or 0, address, gpus)


def engine_of(
    spec: EngineSpec, body: Body, tell: Callable[[str], None]
) -> tuple[Engine, Any] | None:
    """Return an engine, and the body as it sends it; None where trials run in this process.

    Raises
    ------
    UsageProblem
        The body cannot be sent, Ray is not there, or its cluster does not answer.
    """
    if spec.kind == "ray":
        from cvtrack_magics.run.sweep.workers.cluster import Cluster, found_ray

        ray = found_ray()
        data = packed(body)
        cluster = Cluster(ray, spec, tell)
        return cluster, cluster.put(data)
    if spec.jobs > 1:
        return Processes(spec.jobs), packed(body)
    return None
