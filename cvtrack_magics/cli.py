"""``cvtrack`` in a shell: what the magics do, without a notebook."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from cvtrack_magics.commands.json_answer import Answers, answers, document
from cvtrack_magics.commands.line_session import LineSession
from cvtrack_magics.commands.moving import add_move
from cvtrack_magics.commands.processes_beside import add_processes
from cvtrack_magics.commands.table import commands as table
from cvtrack_magics.console import any_encoding, say, settle
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import kind_and_line

PASSED, REFUSED, ERROR = 0, 1, 2
IN_A_NOTEBOOK = frozenset({"data", "task", "trust", "soft"})
"""What only a notebook can say to the gate: objects, and that a refusal is no error."""


class _Parser(argparse.ArgumentParser):
    """Says to a program, too, what is wrong with a line."""

    def __init__(self, *words: Any, answer: Answers, **options: Any) -> None:
        super().__init__(*words, **options)
        self._answer = answer

    def error(self, message: str) -> NoReturn:
        self._answer.give_up(UsageProblem(message), ERROR)
        super().error(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with any_encoding(), answers(given) as answer:
        parser = _Parser(prog="cvtrack", description=__doc__, answer=answer)
        _add_commands(parser, answer, given)
        options, left = parser.parse_known_args(given)
        if left:
            parser.error(_unknown(options.command, left))
        options.answer, options.session = answer, LineSession()
        code = int(options.perform(options))
        for stream in (sys.stdout, sys.stderr):
            settle(stream)
    return code


def _unknown(command: str, words: Sequence[str]) -> str:
    """Say which words are none of a command's; of the gate's some are for a notebook."""
    found = [word for word in words if word.partition("=")[0].removeprefix("--") in IN_A_NOTEBOOK]
    if command == "gate" and found:
        return f"{found[0].partition('=')[0]} is for a notebook, which has the objects: %mlgate"
    return f"unrecognized arguments: {' '.join(words)}"


def _add_commands(parser: argparse.ArgumentParser, answer: Answers, given: list[str]) -> None:
    made: Any = partial(_Parser, answer=answer)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=made)
    _add_exec(commands)
    _add_sweep(commands)
    _add_sync(commands)
    _add_gate(commands, chosen=given[:1] == ["gate"])
    _add_reading(commands, "".join(given[:1]))
    add_processes(commands)
    add_move(commands)
    _add_mcp(commands)


def _add_exec(commands: Any) -> None:
    run = commands.add_parser(
        "exec",
        help="run a notebook, or a script with cells, magics and all",
        description="Run the cells of a notebook (.ipynb) or of a script as jupytext writes it "
        "(.py, .md), where magics are comments: cells with %%mlrun are runs, parameters are "
        "their params. Exit code 0: all ran; 1: a cell failed, those after it were not run; "
        "2: it could not be read; or what sys.exit() was given.",
    )
    run.add_argument("file", help="a notebook or script")
    run.add_argument(
        *("-p", "--parameter"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set behind the cell that is tagged 'parameters', and a param of every run; "
        "repeatable",
    )
    run.add_argument("--swept", default="", help=argparse.SUPPRESS)  # for 'cvtrack sweep' alone
    run.set_defaults(perform=_exec)


def _add_sweep(commands: Any) -> None:
    sweep = commands.add_parser(
        "sweep",
        help="run the trials of a %%%%mlsweep cell, in several processes",
        description="Run the cells of a notebook or script, as 'cvtrack exec' does, in several "
        "processes: they share the trials of its %%mlsweep cell, and join whoever runs it "
        "already. Exit code: the highest of theirs.",
    )
    sweep.add_argument("file", help="a notebook or script")
    sweep.add_argument("--jobs", type=int, default=1, metavar="N", help="how many processes")
    sweep.add_argument(
        "--gpus", default="", metavar="0,1", help="GPUs that they see in turn, one each"
    )
    sweep.add_argument(
        *("-p", "--parameter"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="as for 'cvtrack exec'",
    )
    sweep.add_argument("--json", action="store_true", help="print its trials and the best as JSON")
    sweep.set_defaults(perform=_sweep)


def _sweep(options: argparse.Namespace) -> int:
    from cvtrack_magics.commands.sweep_processes import run_beside, run_reported

    words = [word for said in options.parameter for word in ("-p", said)]
    gpus = [gpu for gpu in options.gpus.split(",") if gpu]
    given = (options.file, words, max(1, options.jobs), gpus)
    if not options.json:
        return run_beside(*given)
    try:
        code, text = run_reported(*given)
    except Exception as error:
        return _failed("sweep", error, options)
    _answer("sweep", text, options)
    options.session.end()
    return code


def _add_sync(commands: Any) -> None:
    sync = commands.add_parser(
        "sync",
        help="send the runs that wait on disk",
        description="Send the runs that wait on disk, exactly once each. A run whose process "
        "still lives is left alone. Exit code 0: nothing waits; 1: something still does; "
        "2: it could not be looked for.",
    )
    sync.add_argument("--state", metavar="FOLDER", help="the state folder, when not the usual one")
    sync.add_argument("--show", action="store_true", help="only say what waits")
    sync.add_argument("--json", action="store_true", help="say it as JSON")
    sync.add_argument("--timeout", type=float, default=600.0, help="seconds to wait for the store")
    sync.set_defaults(perform=_sync)


def _add_gate(commands: Any, *, chosen: bool) -> None:
    gate = commands.add_parser(
        "gate",
        help="judge a model version, and promote it",
        description="Judge a version of a registered model by rules and by the champion, and "
        "promote it if it passes, as %mlgate does. Exit code 0: passed; 1: refused; 2: it could "
        "not be judged.",
    )
    if chosen:  # its options are those of the magic, whose module is imported only then
        table()["mlgate"].fill(gate, without=IN_A_NOTEBOOK)
    gate.add_argument("--store", default="", metavar="URI", help="else MLFLOW_TRACKING_URI")
    gate.add_argument("--experiment", default="", metavar="NAME", help="where --run is looked for")
    gate.add_argument("--json", action="store_true", help="print the verdict as JSON")
    gate.add_argument("--junit", metavar="FILE", help="write it as JUnit XML")
    gate.add_argument("--summary", metavar="FILE", help="append it as GitHub-flavoured Markdown")
    gate.set_defaults(perform=_gate)


READING = {
    "compare": ("say why runs differ, and whether one is better", "Exit code 0: compared"),
    "runs": ("list the runs of an experiment", "Exit code 0: listed"),
    "show": ("show what the store has of a run", "Exit code 0: shown"),
}


def _add_reading(commands: Any, chosen: str) -> None:
    """Add what reads runs: all of it takes a store and an experiment, and says JSON."""
    for name, (what, code) in READING.items():
        said = f"{what[:1].upper()}{what[1:]}, as %ml{name} does. {code}; 2: it could not be."
        parser = commands.add_parser(name, help=what, description=said)
        if name == chosen:
            table()[f"ml{name}"].fill(parser)
        parser.add_argument("--json", action="store_true", help="print it as JSON")
        parser.add_argument("--store", default="", metavar="URI", help="else MLFLOW_TRACKING_URI")
        parser.add_argument("--experiment", default="", metavar="NAME", help="else the current one")
        parser.set_defaults(perform=_read, reads=name)


def _add_mcp(commands: Any) -> None:
    mcp = commands.add_parser(
        "mcp",
        help="let a program that speaks MCP read the store",
        description="Serve the Model Context Protocol on standard input and output: runs are "
        "listed, shown and compared, curves read, a gate is tried. Nothing is written, unless "
        "--allow-run names what may be started. It needs pip install 'cvtrack_magics[mcp]'.",
    )
    mcp.add_argument("--store", default="", metavar="URI", help="else MLFLOW_TRACKING_URI")
    mcp.add_argument("--experiment", default="", metavar="NAME", help="else the current one")
    mcp.add_argument(
        *("--allow-run",),
        action="append",
        default=[],
        metavar="FILE",
        help="a notebook or script that may be started, as 'cvtrack exec' runs it; repeatable",
    )
    mcp.set_defaults(perform=_mcp)


def _mcp(options: argparse.Namespace) -> int:
    from cvtrack_magics.commands.mcp_server import serve

    try:
        serve(options.store, options.experiment, options.allow_run)
    except Exception as error:
        return _failed("mcp", error, options)
    options.session.end()
    return PASSED


def _exec(options: argparse.Namespace) -> int:
    from cvtrack_magics.notebook import executing
    from cvtrack_magics.run.current import is_unused

    if not is_unused():  # a shell of its own would take the runs of this process for its own
        return executing.execute_apart(options.file, options.parameter)
    try:
        ended = executing.execute(Path(options.file), executing.parameters_of(options.parameter))
        if options.swept:
            from cvtrack_magics.commands.sweep_processes import note_swept

            note_swept(Path(options.swept))
    except Exception as error:
        return _failed("exec", error, options)
    if ended.why:
        say(f"cvtrack exec: {ended.why}", sys.stderr)
    return ended.code  # open runs end, and what waits is sent, as this process ends


def _sync(options: argparse.Namespace) -> int:
    from cvtrack_magics.commands.mlsync import mlsync

    try:
        if options.state:
            options.session.use_state(options.state)
        report = mlsync(show=options.show, timeout=options.timeout)
    except Exception as error:
        return _failed("sync", error, options)
    kinds = ("sent", "waiting", "open")
    found: dict[str, list[Any]] = {
        kind: [asdict(i) for i in report.items if i.state == kind] for kind in kinds
    }
    found["left"] = list(report.unreadable)
    _answer("sync", json.dumps(found, indent=2) if options.json else report, options)
    options.session.end()
    return 1 if report.waiting else 0


def _gate(options: argparse.Namespace) -> int:
    from cvtrack_magics.commands.gate_reports import write_reports
    from cvtrack_magics.commands.gate_request import model_of
    from cvtrack_magics.commands.mlgate import mlgate

    values = table()["mlgate"].understood(vars(options), {}).values
    judged = not (values.get("history") or values.get("rollback"))
    try:
        options.session.use_store(options.store, options.experiment)
        values["name"] = model_of(values.get("name", ""), values.get("file", ""))
        found = mlgate(**values, soft=True)
    except Exception as error:  # an exit code of 1 would read as a refusal
        return _failed("gate", error, options)
    # what was judged and promoted is done: nothing from here on changes the exit code
    if judged:
        write_reports(found.result, options.junit, options.summary)
    _answer("gate", _gate_json(found.result) if options.json else found, options)
    options.session.end()
    return REFUSED if judged and not found.result.passed else PASSED


def _gate_json(result: Any) -> str:
    if hasattr(result, "to_json"):
        return str(result.to_json())
    return document({"history" if isinstance(result, (list, tuple)) else "promotion": result})


def _read(options: argparse.Namespace) -> int:
    name = options.reads
    command = table()[f"ml{name}"]
    try:
        options.session.use_store(options.store, options.experiment)
        found = command.call(command.understood(vars(options), {}).values)
        said = found.to_json() if options.json else repr(found)
    except Exception as error:
        return _failed(name, error, options)
    _answer(name, said, options)
    options.session.end()
    return PASSED


def _answer(command: str, text: object, options: argparse.Namespace) -> None:
    try:
        why = options.answer.give(text)
    except Exception as error:
        why = kind_and_line(error)
    if why:
        say(f"cvtrack {command}: the answer could not be printed: {why}", sys.stderr)


def _failed(command: str, error: Exception, options: argparse.Namespace) -> int:
    known = isinstance(error, CvtrackError)
    say(f"cvtrack {command}: {error if known else kind_and_line(error)}", sys.stderr)
    options.answer.give_up(error, ERROR)
    options.session.end()
    return ERROR


if __name__ == "__main__":
    sys.exit(main())
