"""Gathers the records of what surrounds a run, from the capture layer."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

from cvtrack_magics.artifacts.paths import (
    CELL,
    CONFIGS,
    DIFF,
    HARDWARE,
    NOTEBOOK,
    OUTPUT,
    PICTURES,
    REQUIREMENTS,
    SCRIPTS,
    SESSION,
    TRACEBACK,
    manifest_path,
    metrics_path,
)
from cvtrack_magics.capture.code.git import describe_git, git_records
from cvtrack_magics.capture.code.modules import user_modules
from cvtrack_magics.capture.code.packed import packed_records
from cvtrack_magics.capture.code.session import Cell, session_notebook, session_script
from cvtrack_magics.capture.code.stale import (
    loaded_since,
    loads,
    loose_modules,
    stale_records,
)
from cvtrack_magics.capture.machine import packages, project_files
from cvtrack_magics.capture.machine.environment import environment_records
from cvtrack_magics.capture.machine.hardware import hardware_facts, hardware_tag
from cvtrack_magics.capture.machine.meter import ResourceUse
from cvtrack_magics.records import Artifact, Metric, Notice, Param, Record, Tag
from cvtrack_magics.redact import in_one_line, kind_and_line
from cvtrack_magics.run.host import CellFacts
from cvtrack_magics.secrets.diffs import GIT_DIFF_TAG
from cvtrack_magics.text import is_a, kind_of, text_of, trace_of

RESOURCES = "resources/"
"""Metrics under this prefix describe the run's cost, not its model."""


_MLFLOW_GIT = (
    ("git_commit", "mlflow.source.git.commit"),
    ("git_branch", "mlflow.source.git.branch"),
    ("git_remote", "mlflow.source.git.repoURL"),
    ("git_dirty", "mlflow.source.git.dirty"),
)


def cell_tags(cell: CellFacts, notebook: str) -> dict[str, str]:
    """Return the tags that are known before the run is opened."""
    tags = {}
    if notebook:
        tags["mlflow.source.name"] = notebook
        suffix = Path(notebook).suffix
        tags["mlflow.source.type"] = "NOTEBOOK" if suffix == ".ipynb" else "LOCAL"
    if cell.cell_id:
        tags["cvtrack.cell_id"] = cell.cell_id
    if cell.execution_count:
        tags["cvtrack.execution_count"] = str(cell.execution_count)
    return tags


def machine_records() -> list[Record]:
    """Return environment and hardware, the same for every run of a process."""
    import json

    facts = hardware_facts()
    return [
        *environment_records(),
        Tag("hardware", hardware_tag()),
        Tag("env", os.environ.get("CVTRACK_ENV", "development")),
        Artifact(HARDWARE, json.dumps(facts, indent=2)),
    ]


def cell_records(cell: CellFacts) -> list[Record]:
    """Return the cell's source."""
    return [Artifact(CELL, cell.source)] if cell.source else []


def project_file_records(notebook: str) -> list[Record]:
    """Return the locks and requirements of the notebook's project."""
    return list(project_files.project_file_records(_folder(notebook)))


def repository_records(notebook: str, modules: Sequence[Path]) -> list[Record]:
    """Return the git state and the user's own modules."""
    records: list[Record] = []
    git = git_records(describe_git(_folder(notebook), modules))
    found = {item.key: item.value for item in git if isinstance(item, Tag)}
    records += git
    records += [Tag(theirs, found[ours]) for ours, theirs in _MLFLOW_GIT if found.get(ours)]
    diffs = [item.content for item in git if isinstance(item, Artifact) and item.path == DIFF]
    records += [Tag(GIT_DIFF_TAG, str(diff)) for diff in diffs]
    stale = safely(  # what is loaded may be anything; git's part does not depend on it
        "modules that changed since their import",
        lambda: stale_records(modules, {**sys.modules, **_loose()}),
    )
    ran = {item.path for item in stale if isinstance(item, Artifact)}
    return [i for i in records if not (isinstance(i, Artifact) and i.path in ran)] + stale


def late_code_records(
    notebook: str,
    modules: Sequence[Path],
    seen: Sequence[Path],
    written: set[str],
    patience: float | None = None,
) -> list[Record]:
    """Return the files of the user's modules that the cell itself imported.

    The git state stays the one at the start of the run; only files that it does not
    hold are added; with little ``patience`` for git, all that it does not say it holds.
    """
    fresh = [path for path in modules if path not in set(seen)]
    if not fresh:
        return []
    return [
        item
        for item in git_records(describe_git(_folder(notebook), fresh, patience=patience))
        if isinstance(item, Artifact) and item.path not in written
    ]


def loaded_key() -> object:
    """Return what changes when a module is imported, or loaded from a file without that."""
    names = list(sys.modules)  # at once: another thread may be importing
    return len(names), names[-1], loads()


def loads_so_far() -> int:
    """Return how many times an own file has been loaded; see `own_modules_since`."""
    return loads()


def own_modules_since(modules: Sequence[Path], count: int) -> list[Path]:
    """Return own modules and, behind them, the files loaded since that are no modules any more."""
    return list(dict.fromkeys([*modules, *loaded_since(count)]))


def packed_module_records() -> list[Record]:
    """Return the sources of own modules that are in no file, such as those of a zip file."""
    return packed_records(dict(sys.modules))


def installed_key() -> object:
    """Return what changes with the packages on disk; see `packages.installed_key`."""
    return packages.installed_key()


def own_modules() -> list[Path]:
    """Return the source files of the user's own imported modules."""
    return user_modules({**sys.modules, **_loose()})


def _loose() -> dict[str, ModuleType]:
    return {f"{name} (loose)": module for name, module in loose_modules().items()}


def _folder(notebook: str) -> Path:
    folder = Path(notebook).parent
    return folder if notebook and folder.is_dir() else Path.cwd()


def session_records(cells: Sequence[Cell]) -> list[Record]:
    """Return every cell executed so far, as a script and as a notebook with outputs."""
    if not cells:
        return []
    return [
        Artifact(SESSION, session_script(cells)),
        Artifact(NOTEBOOK, session_notebook(cells)),
    ]


def resource_records(use: ResourceUse, now: int) -> list[Metric]:
    """Return wall time, CPU time and peak memory as metrics."""
    values = {
        "wall_time_s": use.wall_s,
        "cpu_time_s": use.cpu_s,
        "peak_memory_mb": use.peak_rss_bytes / 1e6,
    }
    if use.gpu_peak_bytes is not None:
        values["gpu_peak_memory_mb"] = use.gpu_peak_bytes / 1e6
    return [Metric(RESOURCES + key, round(value, 6), 0, now) for key, value in values.items()]


_PICTURE_ENDS = (".png", ".svg", ".jpg", ".pdf")
"""The kinds of figures; what else lies beside them says something of them."""

_MOST_ERRORS = 1_000
"""How many exceptions a traceback may have; a group may say that it holds itself."""
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def error_records(error: BaseException) -> list[Record]:
    """Return an exception as tags and a traceback artifact."""
    try:
        if _is_endless(error):
            raise ValueError(f"it holds more than {_MOST_ERRORS:,} exceptions")
        text = "".join(traceback.format_exception(type(error), error, trace_of(error)))
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # such as an exception whose attributes raise
        text = f"{kind_and_line(error)}\n(no traceback: {kind_and_line(problem)})\n"
    return [
        Tag("error.type", kind_of(error)),
        Tag("error.message", _ANSI.sub("", text_of(error))[:1000]),
        Artifact(TRACEBACK, _ANSI.sub("", text)),
    ]


def _is_endless(error: BaseException) -> bool:
    """Whether there is too much to follow, as Python would, of what an exception holds."""
    left, seen = deque([error]), 0
    while left:
        one, seen = left.popleft(), seen + 1
        if seen > _MOST_ERRORS:
            return True
        left += [
            each for each in getattr(one, "exceptions", None) or () if is_a(each, BaseException)
        ]
    return False


def figure_records(figures: Sequence[bytes]) -> list[Record]:
    """Return shown figures as artifacts, in the format they were shown in."""
    return [
        Artifact(f"{PICTURES}/figure-{number:02d}.{_suffix(figure)}", figure)
        for number, figure in enumerate(figures, 1)
    ]


def _suffix(figure: bytes) -> str:
    heads = ((b"\xff\xd8", "jpg"), (b"%PDF", "pdf"), (b"<", "svg"))
    return next((word for head, word in heads if figure.lstrip().startswith(head)), "png")


def safely(what: str, describe: Callable[[], Sequence[Record]]) -> list[Record]:
    """Return records, or one notice when describing them fails."""
    try:
        return list(describe())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also what an object of the user's raises when it is looked at
        return [Notice(f"Not recorded: {what} ({in_one_line(error)}).")]


def known_as(records: Sequence[Record]) -> tuple[str, ...]:
    """Say in a few words what a run's records hold."""
    words = {
        CELL: "code",
        NOTEBOOK: "session",
        REQUIREMENTS: "environment",
        OUTPUT: "output",
    }
    paths = [item.path for item in records if isinstance(item, Artifact)]
    tags = {item.key for item in records if isinstance(item, Tag)}
    said = [word for path, word in words.items() if path in paths]
    if "git_commit" in tags:
        said.insert(1, "git state")
    if any(isinstance(item, Param) and item.key == "global_seed" for item in records):
        said.append("seeds")
    pictures = [path for path in paths if path.endswith(_PICTURE_ENDS)]
    for pattern, word, of in (
        (f"{SCRIPTS}/*", "script", paths),
        (f"{CONFIGS}/*", "config", paths),
        (manifest_path("*"), "data manifest", paths),
        (f"{PICTURES}/*", "figure", pictures),
        (f"{PICTURES}/*.html", "prediction page", paths),
        (metrics_path("*"), "evaluation", paths),
    ):
        count = sum(fnmatchcase(path, pattern) for path in of)
        if count:
            said.append(f"{count} {word}{'s' if count > 1 else ''}")
    return tuple(said)
