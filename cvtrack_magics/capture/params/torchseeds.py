"""Seeds torch: every device, its choice of algorithms, and DataLoader workers."""

from __future__ import annotations

import os
import random
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.params.algorithms import CUBLAS

Row = tuple[str, str, bool]
"""Generator, what was done, and whether its numbers now repeat."""


def apply_torch_seed(seed: int, *, deterministic: bool = False) -> tuple[Row, ...]:
    """Seed torch on every device, and fix cuDNN's choice of algorithms.

    Imports torch if it is not imported. See `apply_seed` for the parameters.
    """
    import torch

    torch.manual_seed(seed)
    rows: list[Row] = [("torch CPU", f"torch.manual_seed({seed})", True)]
    for name in ("cuda", "mps", "xpu"):
        row = _device_row(torch, name, seed)
        if row:
            rows.append(row)
    cudnn = torch.backends.cudnn
    cudnn.deterministic = True
    cudnn.benchmark = False
    rows.append(("cuDNN", "deterministic = True, benchmark = False", True))
    if deterministic:
        rows.append(set_cublas(True, late=torch.cuda.is_initialized()))
        torch.use_deterministic_algorithms(True, warn_only=True)
        rows.append(("torch algorithms", "deterministic, a warning where there is none", True))
    elif torch.are_deterministic_algorithms_enabled():
        rows.append(("torch algorithms", "deterministic, set before", True))
    rows.append(
        (
            "DataLoader",
            "shuffling and torch numbers in workers follow the seed; "
            "worker_init_fn=seed_worker also seeds NumPy and random there",
            True,
        )
    )
    return tuple(rows)


def deterministic_now() -> bool | None:
    """Whether torch's algorithms are deterministic ones now; None while torch is not loaded."""
    torch = loaded("torch")
    return None if torch is None else bool(torch.are_deterministic_algorithms_enabled())


def _device_row(torch: Any, name: str, seed: int) -> Row | None:
    module = getattr(torch, name, None)
    if module is None:
        return None
    available = torch.backends.mps.is_available() if name == "mps" else module.is_available()
    if not available:
        return None
    if name == "mps":
        module.manual_seed(seed)
    else:
        module.manual_seed_all(seed)
    return (f"torch {name.upper()}", "seeded on every device", True)


def set_cublas(wanted: bool, late: bool = False) -> Row:
    """Fix cuBLAS's workspace, which it reads when CUDA starts (``late``: it has)."""
    if wanted:
        os.environ.setdefault(CUBLAS, ":4096:8")
    value = os.environ.get(CUBLAS, "unset")
    note = "; CUDA is already running, restart the kernel if results differ" if late else ""
    return ("cuBLAS", f"{CUBLAS}={value}{note}", not late)


def seed_worker(worker_id: int) -> None:  # noqa: ARG001
    """Seed NumPy and Python in one DataLoader worker: ``worker_init_fn=seed_worker``.

    torch gives each worker its own seed, drawn from the loader's generator; the
    other two would be the same in every worker without this.
    """
    import numpy as np
    import torch

    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)
    random.seed(seed)


def loader_generator(seed: int) -> Any:
    """Return a seeded ``torch.Generator`` for ``DataLoader(generator=...)``."""
    import torch

    return torch.Generator().manual_seed(seed)
