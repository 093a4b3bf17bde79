"""What runs differ in that can be said by name: params, packages, hardware, seeds, tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.environment import Environment
from cvtrack_magics.artifacts.paths import ENVIRONMENT
from cvtrack_magics.comparison.result import Cause, Difference
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.release.facts import Candidate

SEED = "global_seed"
_SEEDS = (SEED, "deterministic")
_SEED_TAGS = ("seeded", "reseeded")
_SOFTWARE = {
    "python_version": "Python",
    "pytorch_version": "torch",
    "torchvision_version": "torchvision",
    "cuda_version": "CUDA",
    "cudnn_version": "cuDNN",
}
_MACHINE = {"gpu_model": "GPU", "num_gpus": "GPUs"}
_CODE_TAGS = ("git_commit", "git_dirty", "code.edited_after_import", "code.replaced_in_memory")
_DATA = re.compile(r".+_dataset_sha256$")
_OURS = re.compile(r"(mlflow|cvtrack|error|mark|stretch|code|git)[._]|^(dataset|hardware|env)$")


Values = Mapping[str, str]


def differing(tables: Sequence[Values]) -> tuple[Difference, ...]:
    """Return the names whose values are not the same in all tables, in order."""
    names = dict.fromkeys(name for table in tables for name in table)
    rows = (Difference(name, tuple(table.get(name) for table in tables)) for name in sorted(names))
    return tuple(row for row in rows if len(set(row.values)) > 1)


def params_of(runs: Sequence[Candidate]) -> Cause:
    """Compare what was set: params, but for those that say seeds, data or machine."""
    known = {*_SEEDS, *_SOFTWARE, *_MACHINE}
    return Cause(
        "params",
        differing(
            [_some(run.params, lambda k: k not in known and not _DATA.match(k)) for run in runs]
        ),
    )


def packages_of(runs: Sequence[Candidate]) -> Cause:
    """Compare what was installed; a run without a list is compared by its params."""
    listed = [_packages(run) for run in runs]
    if not all(listed):
        return Cause("packages", differing([_renamed(run.params, _SOFTWARE) for run in runs]))
    return Cause("packages", differing(listed))


def _packages(run: Candidate) -> dict[str, str]:
    whole = _environment(run)
    found = _some(whole.software, lambda key: key in ("Python", "OS", "CUDA", "cuDNN"))
    return {**found, **whole.packages} if whole.packages else {}


def _environment(run: Candidate) -> Environment:
    """Return what a run ran with; nothing of a file that cannot be read."""
    try:
        return read_from(run.texts, Environment, ENVIRONMENT) or Environment()
    except UnreadableArtifact:
        return Environment()


def hardware_of(runs: Sequence[Candidate]) -> Cause:
    """Compare what the runs ran on."""
    tables = []
    for run in runs:
        tables.append({**_renamed(run.params, _MACHINE), **_environment(run).hardware})
    return Cause("hardware", differing(tables))


def seeds_of(runs: Sequence[Candidate]) -> Cause:
    """Compare seeds, and which generators were seeded."""
    tables = [
        {
            **_some(run.params, lambda key: key in _SEEDS),
            **_some(run.tags, lambda key: key in _SEED_TAGS),
        }
        for run in runs
    ]
    return Cause("seeds", differing(tables))


def tags_of(runs: Sequence[Candidate]) -> Cause:
    """Compare the tags that a person gave."""
    own = (_some(run.tags, lambda k: k not in _SEED_TAGS and not _OURS.search(k)) for run in runs)
    return Cause("tags", differing(list(own)))


def versions_of_code(runs: Sequence[Candidate]) -> tuple[Difference, ...]:
    """Compare what git and the modules' loaders said of the code."""
    return differing([_some(run.tags, lambda key: key in _CODE_TAGS) for run in runs])


def unseeded(runs: Iterable[Candidate]) -> bool:
    """Whether a run has no seed: its figures may change from one time to the next."""
    return any(SEED not in run.params for run in runs)


def _some(table: Values, wanted: Callable[[str], bool]) -> dict[str, str]:
    return {key: value for key, value in table.items() if wanted(key)}


def _renamed(table: Values, names: Values) -> dict[str, str]:
    return {said: table[key] for key, said in names.items() if key in table}
