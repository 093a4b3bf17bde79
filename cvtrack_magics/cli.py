"""``cvtrack`` in a shell: what the magics do, without a notebook."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.redact import kind_and_line

if TYPE_CHECKING:
    from cvtrack_magics.release.gate import Verdict

PASSED, REFUSED, ERROR = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser(prog="cvtrack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_sync(commands)
    _add_gate(commands)
    options = parser.parse_args(arguments)
    return int(options.perform(options))


def _add_sync(commands: Any) -> None:
    sync = commands.add_parser(
        "sync",
        help="send the runs that wait on disk",
        description="Send the runs that wait on disk, exactly once each. A run whose process "
        "still lives is left alone. Exit code 0: nothing waits; 1: something still does.",
    )
    sync.add_argument("--state", metavar="FOLDER", help="the state folder, when not the usual one")
    sync.add_argument("--show", action="store_true", help="only say what waits")
    sync.add_argument("--json", action="store_true", help="say it as JSON")
    sync.add_argument("--timeout", type=float, default=600.0, help="seconds to wait for the store")
    sync.set_defaults(perform=_sync)


def _add_gate(commands: Any) -> None:
    gate = commands.add_parser(
        "gate",
        help="judge a model version, and promote it",
        description="Judge a version of a registered model by rules and by the champion, and "
        "promote it if it passes, as %mlgate does. Exit code 0: passed; 1: refused; 2: it could "
        "not be judged.",
    )
    gate.add_argument("name", nargs="?", default="", help="the registered model; or that of --file")
    gate.add_argument("--version", default="", metavar="V", help="otherwise the newest")
    gate.add_argument("--run", default="", metavar="RUN", help="the version made of this run")
    gate.add_argument("--require", action="append", default=[], metavar="RULE", help="repeatable")
    gate.add_argument("--champion", default="", metavar="METRIC", help="what must be better")
    gate.add_argument("--margin", type=float, metavar="M", help="by how much")
    gate.add_argument("--confidence", type=float, metavar="C", help="how surely")
    gate.add_argument("--file", default="", metavar="FILE", help="a gate.yaml")
    gate.add_argument("--promote", action="store_true", help="make it the champion if it passes")
    gate.add_argument("--stage", action="store_true", help="move MLflow's stages too")
    gate.add_argument("--rollback", action="store_true", help="go back to the champion before")
    gate.add_argument("--reason", default="", help="of the rollback")
    gate.add_argument("--who", default="", help="who judges; otherwise the user of the machine")
    gate.add_argument("--history", action="store_true", help="what was judged and promoted")
    gate.add_argument("--store", default="", metavar="URI", help="else MLFLOW_TRACKING_URI")
    gate.add_argument("--experiment", default="", metavar="NAME", help="where --run is looked for")
    gate.add_argument("--json", action="store_true", help="print the verdict as JSON")
    gate.add_argument("--junit", metavar="FILE", help="write it as JUnit XML")
    gate.add_argument("--summary", metavar="FILE", help="append it as GitHub-flavoured Markdown")
    gate.set_defaults(perform=_gate)


def _sync(options: argparse.Namespace) -> int:
    from cvtrack_magics.runs.current import get_session
    from cvtrack_magics.runs.sync import mlsync

    session = get_session()
    if options.state:
        session.config.state_folder = str(Path(options.state).expanduser())
    report = mlsync(show=options.show, timeout=options.timeout)
    if options.json:
        kinds = ("sent", "waiting", "open")
        found = {kind: [asdict(i) for i in report.items if i.state == kind] for kind in kinds}
        print(json.dumps(found, indent=2))
    else:
        print(report)
    session.stop()
    return 1 if report.waiting else 0


def _gate(options: argparse.Namespace) -> int:
    from cvtrack_magics.runs.current import get_session
    from cvtrack_magics.runs.releasing import asked, gating

    try:
        _use_store(options)
        name = asked.model_of(options.name, options.file)
        if options.history:
            print(gating.past(name))
            return PASSED
        if options.rollback:
            print(gating.back(name, reason=options.reason, who=options.who))
            return PASSED
        found = gating.judged(
            name,
            version=options.version,
            run=options.run,
            require=options.require,
            champion=options.champion,
            margin=options.margin,
            confidence=options.confidence,
            file=options.file,
            promote=options.promote,
            stage=options.stage or None,
            who=options.who,
        )
        _write(found.result, options)
        print(found.result.to_json() if options.json else found)
        return PASSED if found.result.passed else REFUSED
    except CvtrackError as error:
        print(f"cvtrack gate: {error}", file=sys.stderr)
        return ERROR
    except Exception as error:  # an exit code of 1 would read as a refusal
        print(f"cvtrack gate: {kind_and_line(error)}", file=sys.stderr)
        return ERROR
    finally:
        get_session().stop()


def _use_store(options: argparse.Namespace) -> None:
    from cvtrack_magics.runs.api import mlexperiment
    from cvtrack_magics.store.client import mlflow

    if options.store:
        mlflow().set_tracking_uri(options.store)
    if options.experiment:
        mlexperiment(options.experiment)


def _write(verdict: Verdict, options: argparse.Namespace) -> None:
    try:
        if options.junit:
            Path(options.junit).write_text(verdict.as_junit(), encoding="utf-8")
        if options.summary:
            with Path(options.summary).open("a", encoding="utf-8") as file:
                file.write(verdict.as_markdown() + "\n")
    except OSError as error:
        raise CvtrackError(f"The report could not be written: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
