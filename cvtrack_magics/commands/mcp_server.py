"""``cvtrack mcp``: the tools as a server of the Model Context Protocol on standard streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from cvtrack_magics.commands.definition import documented
from cvtrack_magics.commands.mcp_jobs import Jobs
from cvtrack_magics.commands.mcp_tools import NOTE, Refused, Tools
from cvtrack_magics.errors import CvtrackError, UsageProblem, did_you_mean
from cvtrack_magics.run.current import get_session

MISSING = "pip install 'cvtrack_magics[mcp]'"


def serve(store: str = "", experiment: str = "", allowed: Sequence[str] = ()) -> None:
    """Serve until standard input ends.

    Parameters
    ----------
    store : str
        The tracking store; otherwise that of the environment.
    experiment : str
        The one whose runs are listed; it must be there.
    allowed : sequence of str
        Notebooks and scripts that may be started. Without any nothing can be written.

    Raises
    ------
    CvtrackError
        The ``mcp`` package is not there.
    UsageProblem
        There is no such experiment, or no such file.
    """
    server = _server()
    _choose(store, experiment)
    tools = Tools()
    for tool in (
        tools.list_runs,
        tools.show_run,
        tools.compare_runs,
        tools.read_curves,
        tools.check_gate,
    ):
        _offer(server, tool, reads=True)
    if allowed:
        jobs = Jobs(allowed)
        _offer(server, jobs.start_run, reads=False)
        _offer(server, jobs.poll_run, reads=True)
    server.run("stdio")


def _server() -> Any:
    try:
        from mcp.server.mcpserver import MCPServer
    except ImportError:
        raise CvtrackError("cvtrack mcp needs the package mcp, 2 or later.", MISSING) from None
    return MCPServer("cvtrack", instructions=NOTE, log_level="WARNING")


def _choose(store: str, experiment: str) -> None:
    """Take store and experiment; one that is not there is not made."""
    from cvtrack_magics.store.client import mlflow

    tracking = get_session().tracking
    if store:
        mlflow().set_tracking_uri(store)
    if not experiment:
        return
    known = tracking.experiments()
    if experiment not in known:
        hint = did_you_mean(experiment, known)
        raise UsageProblem(f"There is no experiment {experiment!r} in this store.{hint}")
    tracking.set_experiment(experiment)


def _offer(server: Any, tool: Callable[..., str], *, reads: bool) -> None:
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations

    @wraps(tool)
    def answered(*args: Any, **options: Any) -> str:
        try:
            return tool(*args, **options)
        except Refused as refused:
            raise ToolError(str(refused)) from None

    said = documented(tool)
    words = "\n".join(f"{name}: {text}" for name, text in said.parameters.items())
    server.add_tool(
        answered,
        description=f"{said.text}\n\n{words}",
        annotations=ToolAnnotations(
            read_only_hint=reads, destructive_hint=False, open_world_hint=False
        ),
        structured_output=False,
    )
