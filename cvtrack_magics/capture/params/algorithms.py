"""The process's choice of algorithms: what a run's seed changes of it ends with the run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace

from cvtrack_magics.capture.code.loaded import loaded

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@dataclass(frozen=True, slots=True)
class Algorithms:
    """How torch, cuDNN and cuBLAS choose; None of torch's while it is not loaded.

    ``deterministic`` is whether torch takes deterministic algorithms, and whether it only warns
    where there is none.
    """

    deterministic: tuple[bool, bool] | None
    cudnn_deterministic: bool | None
    cudnn_benchmark: bool | None
    cublas: str | None


def algorithms_now() -> Algorithms:
    """Return the choice in force."""
    torch, cublas = loaded("torch"), os.environ.get(CUBLAS)
    if torch is None:
        return Algorithms(None, None, None, cublas)
    cudnn = torch.backends.cudnn
    return Algorithms(
        (
            bool(torch.are_deterministic_algorithms_enabled()),
            bool(torch.is_deterministic_algorithms_warn_only_enabled()),
        ),
        bool(cudnn.deterministic),
        bool(cudnn.benchmark),
        cublas,
    )


def put_back(before: Algorithms, ours: Algorithms) -> None:
    """Choose as before, but for what somebody has chosen otherwise since it was ours."""
    torch, now = loaded("torch"), algorithms_now()
    back = {
        one.name
        for one in fields(Algorithms)
        if getattr(now, one.name) == getattr(ours, one.name) != getattr(before, one.name)
    }
    if "cublas" in back:
        os.environ.pop(CUBLAS, None)
        if before.cublas is not None:
            os.environ[CUBLAS] = before.cublas
    if torch is None:
        return
    # what was not loaded before the run comes with none of them
    if "deterministic" in back:
        on, warn_only = before.deterministic or (False, False)
        torch.use_deterministic_algorithms(on, warn_only=warn_only)
    if "cudnn_deterministic" in back:
        torch.backends.cudnn.deterministic = bool(before.cudnn_deterministic)
    if "cudnn_benchmark" in back:
        torch.backends.cudnn.benchmark = bool(before.cudnn_benchmark)


@dataclass(eq=False)
class Hold:
    """A run's choice: what it is put back to, and what the run made of it."""

    before: Algorithms
    ours: Algorithms


@dataclass
class Holds:
    """The choices of the runs that are open, in the order in which they were made.

    Runs that are open side by side end in any order: what the first was to go back to is then
    what the next goes back to.
    """

    _holds: list[Hold] = field(default_factory=list)

    def begin(self) -> Hold:
        """Note that a run is about to choose."""
        now = algorithms_now()
        hold = Hold(now, now)
        self._holds.append(hold)
        return hold

    def end(self, hold: Hold | None) -> None:
        """End a run's choice."""
        if hold is None or hold not in self._holds:
            return
        at = self._holds.index(hold)
        del self._holds[at]
        if at < len(self._holds):
            self._holds[at].before = hold.before
        else:
            put_back(hold.before, hold.ours)

    def outlive(self, *, deterministic: bool) -> None:
        """Let what a seed for all runs has just chosen stay after those that are open."""
        now = algorithms_now()
        for hold in self._holds:
            hold.before = replace(
                hold.before,
                cudnn_deterministic=now.cudnn_deterministic,
                cudnn_benchmark=now.cudnn_benchmark,
            )
            if deterministic:
                hold.before = replace(
                    hold.before, deterministic=now.deterministic, cublas=now.cublas
                )
