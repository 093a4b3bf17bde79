"""Seeds every random generator of a training run, and says plainly which it could not."""

from __future__ import annotations

import hashlib
import os
import random
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.params.torchseeds import (
    Row,
    apply_torch_seed,
    deterministic_now,
    loader_generator,
    seed_worker,
    set_cublas,
)
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Param, Tag

__all__ = [
    "Row",
    "SeedReport",
    "apply_seed",
    "apply_torch_seed",
    "check_seed",
    "current_seeds",
    "deterministic_now",
    "finish_seed",
    "loader_generator",
    "seed_records",
    "seed_worker",
]

MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class SeedReport:
    """What `apply_seed` did.

    Parameters
    ----------
    seed : int
        The seed, 0 to 2**32 - 1.
    deterministic : bool
        Whether deterministic algorithms were asked for.
    rows : tuple of (str, str, bool)
        Generator, what was done, and whether its numbers now repeat.
    pending : tuple of str
        Packages that are installed but not imported yet, so not seeded yet;
        `finish_seed` seeds them once they are.
    """

    seed: int
    deterministic: bool
    rows: tuple[Row, ...]
    pending: tuple[str, ...] = ()


def check_seed(seed: object) -> int:
    """Return the seed if every generator takes it.

    Raises
    ------
    UsageProblem
        It is not a whole number from 0 to 2**32 - 1 (NumPy's range).
    """
    try:
        number = int(str(seed), 0) if isinstance(seed, str) else seed
    except ValueError:
        number = None
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise UsageProblem(f"{seed!r} is not a seed.", "Give a whole number, as in %mlseed 42.")
    value = int(number)
    if not 0 <= value <= MAX_SEED:
        raise UsageProblem(
            f"Seed {value} is out of range.", f"NumPy takes 0 to {MAX_SEED}; for example 42."
        )
    return value


def apply_seed(seed: int, *, deterministic: bool = False, import_torch: bool = False) -> SeedReport:
    """Seed Python, NumPy and torch in this process.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1.
    deterministic : bool, optional
        Also ask torch for deterministic algorithms (it warns where there is none)
        and cuBLAS for a fixed workspace. Slower on a GPU.
    import_torch : bool, optional
        Import torch if it is installed and not imported (about a second), so that
        nothing is left pending.

    Returns
    -------
    SeedReport
        One row for each generator.

    Raises
    ------
    UsageProblem
        The seed is out of range.
    """
    seed = check_seed(seed)
    random.seed(seed)
    rows: list[Row] = [("Python random", f"random.seed({seed})", True), _hash_row()]
    pending: list[str] = []
    if "numpy" in sys.modules or _installed("numpy"):
        rows += _seed_numpy(seed)
    if "torch" in sys.modules or (import_torch and _installed("torch")):
        rows += apply_torch_seed(seed, deterministic=deterministic)
    elif _installed("torch"):
        pending.append("torch")
        set_cublas(deterministic)
        rows.append(("torch", "not imported yet: not seeded yet", False))
    rows += _albumentations_rows(seed)
    return SeedReport(seed, deterministic, tuple(rows), tuple(pending))


def finish_seed(report: SeedReport) -> SeedReport:
    """Seed what has been imported since; return the report brought up to date."""
    if "torch" not in report.pending or "torch" not in sys.modules:
        return report
    done = [row for row in report.rows if row[0] != "torch"]
    done += apply_torch_seed(report.seed, deterministic=report.deterministic)
    pending = tuple(name for name in report.pending if name != "torch")
    return replace(report, rows=tuple(done), pending=pending)


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _hash_row() -> Row:
    current = os.environ.get("PYTHONHASHSEED", "")
    fixed = current.isdigit()
    said = f"{current} since the start" if fixed else "random"
    hint = (
        "" if fixed else "; set it before Python starts if your code depends on the order of sets"
    )
    return ("PYTHONHASHSEED", f"{said}, cannot change in a running process{hint}", fixed)


def _seed_numpy(seed: int) -> list[Row]:
    import numpy as np

    np.random.seed(seed)
    return [
        ("NumPy legacy", f"np.random.seed({seed})", True),
        (
            "NumPy Generator",
            f"np.random.default_rng() does not follow it: write np.random.default_rng({seed})",
            False,
        ),
    ]


def _albumentations_rows(seed: int) -> list[Row]:
    if "albumentations" not in sys.modules:
        return []
    # Each Compose keeps generators of its own since 1.4.19.
    advice = f"each pipeline has its own generator: write A.Compose([...], seed={seed})"
    return [("Albumentations", advice, False)]


def seed_records(report: SeedReport) -> list[Param | Tag]:
    """Return the seed and its flags as parameters ``global_seed`` and ``deterministic``.

    The second is True also where an earlier seed asked torch for deterministic algorithms,
    for that stays so.
    """
    return [
        Param("global_seed", str(report.seed)),
        Param("deterministic", str(report.deterministic or bool(deterministic_now()))),
        Tag("seeded", ", ".join(name for name, _, ok in report.rows if ok)),
    ]


def current_seeds() -> dict[str, str]:
    """Return what can be known of the generators without seeding them.

    Returns
    -------
    dict
        ``PYTHONHASHSEED``; a 16-digit digest of the state of Python's and NumPy's
        legacy generator; torch's ``initial_seed`` when torch is imported. Two runs
        with equal values start from equal generators.
    """
    facts = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "random")}
    facts["python_random_state"] = _digest(repr(random.getstate()).encode())
    numpy = loaded("numpy")
    if numpy is not None:
        name, keys, position, has_gauss, cached = numpy.random.get_state()
        tail = f"{name}{position}{has_gauss}{cached}".encode()
        facts["numpy_legacy_state"] = _digest(keys.tobytes() + tail)
    torch = loaded("torch")
    if torch is not None:
        facts["torch_initial_seed"] = str(torch.initial_seed())
        facts["torch_state"] = _digest(torch.get_rng_state().numpy().tobytes())
    return facts


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
