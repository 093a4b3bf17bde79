"""``cvtrack move``: what one store has goes to another, such as a team's server."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from typing import Any

from cvtrack_magics.commands.json_answer import document
from cvtrack_magics.console import say
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import kind_and_line, redact
from cvtrack_magics.store.file_store import folder_of
from cvtrack_magics.text import visible

MOVED, LEFT, ERROR = 0, 1, 2
_ALLOWED = "MLFLOW_ALLOW_FILE_STORE"


def add_move(commands: Any) -> None:
    """Add it to the parser's commands."""
    move = commands.add_parser(
        "move",
        help="copy the runs and models of a store to a team's server",
        description="Copy all that a store has of runs (params, points, tags, data sets, files, "
        "models, what is nested in what) and registered versions with their aliases to another "
        "store. Ids are new there, and listed. The store that is read stays as it is. The same "
        "line again goes on after a break and adds what is new; nothing is there twice. "
        "Exit code 0: all is there; 1: something was left, it says what; 2: it could not be.",
    )
    move.add_argument("store", help="the store to be read: sqlite:///mlflow.db, or a folder")
    move.add_argument("--to", default="", metavar="URI", help="else MLFLOW_TRACKING_URI")
    move.add_argument(
        "--experiment",
        action="append",
        default=[],
        metavar="NAME",
        help="move only this one, and versions of its runs; repeatable",
    )
    move.add_argument("--dry-run", action="store_true", help="only say what would be moved")
    move.add_argument("--json", action="store_true", help="say it as JSON, with whole ids")
    move.set_defaults(perform=_move)


def _move(options: argparse.Namespace) -> int:
    from cvtrack_magics.store.moving.move import move

    try:
        target = options.to or os.environ.get("MLFLOW_TRACKING_URI", "")
        if not target:
            raise UsageProblem(
                "No store to move to is named.",
                "Set MLFLOW_TRACKING_URI to the team's server, or name it with --to.",
            )
        if folder_of(options.store) is not None:
            os.environ.setdefault(_ALLOWED, "true")  # MLflow keeps folders up no longer
        if options.to:
            options.session.use_store(options.to, "")
        found = move(
            options.store,
            target,
            options.experiment,
            dry_run=options.dry_run,
            progress=_progress,
        )
    except KeyboardInterrupt:
        say("cvtrack move: broken off; the same line goes on where it was.", sys.stderr)
        return LEFT
    except Exception as error:
        known = isinstance(error, CvtrackError)
        say(f"cvtrack move: {error if known else kind_and_line(error)}", sys.stderr)
        options.answer.give_up(error, ERROR)
        return ERROR
    finally:
        options.session.end()
    why = options.answer.give(_facts(found) if options.json else _in_words(found))
    if why:
        say(f"cvtrack move: the answer could not be printed: {why}", sys.stderr)
    return LEFT if found.left else MOVED


def _progress(done: int, total: int) -> None:
    with suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            sys.stderr.write(f"\rmoving {done}/{total} runs{end}")
            sys.stderr.flush()


def _facts(found: Any) -> str:
    runs = [
        {
            "name": run.name,
            "experiment": run.experiment,
            "from": run.source,
            "to": run.target,
            "status": run.status,
            "points": run.points,
            "files": run.files,
            "was_there": run.was_there,
        }
        for run in found.runs
    ]
    versions = [
        {
            "model": one.model,
            "from": one.source,
            "to": one.target,
            "aliases": list(one.aliases),
            "was_there": one.was_there,
        }
        for one in found.versions
    ]
    said = {"from": found.source, "to": found.target, "dry_run": found.tried}
    return document(
        {**said, "runs": runs, "versions": versions, "left": found.left, "notes": found.notes}
    )


def _in_words(found: Any) -> str:
    verb = "to move" if found.tried else "moved"
    lines = [_of_run(run, verb) for run in found.runs]
    for one in found.versions:
        names = "".join(f" @{alias}" for alias in one.aliases)
        there = f" is version {one.target} there" if one.target else ""
        lines.append(f"{verb:<8} version {one.source} of {one.model!r}{names}{there}")
    lines += [f"{'left':<8} {line}" for line in found.left]
    lines += [f"{'note':<8} {line}" for line in found.notes]
    before = sum(run.was_there for run in found.runs)
    said = [f"{_count(found.runs, 'run')} ({before:,} there before)"]
    if not found.tried:
        said.append(f"{sum(run.points for run in found.runs):,} points")
        said.append(f"{sum(run.files for run in found.runs):,} files")
    said.append(_count(found.versions, "registered version"))
    would = "would be in" if found.tried else "are in"
    lines.append(f"{', '.join(said)} {would} {found.target}")
    return "\n".join(visible(redact(line)) for line in lines)


def _of_run(run: Any, verb: str) -> str:
    what = f"{run.name!r} of {run.experiment!r}"
    if not run.target:
        return f"{verb:<8} {what}, run {run.source[:8]}"
    if run.was_there and not (run.points or run.files):
        return f"{'there':<8} {what}, run {run.source[:8]} is run {run.target[:8]} there"
    much = f"{run.points:,} points, {run.files:,} files"
    return f"{verb:<8} {what} ({much}), run {run.source[:8]} is run {run.target[:8]} there"


def _count(items: list[Any], what: str) -> str:
    return f"{len(items):,} {what}{'' if len(items) == 1 else 's'}"
