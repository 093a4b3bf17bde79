"""``cvtrack mcp`` over standard streams, asked by the client of the ``mcp`` package."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from cvtrack_magics.cli import main
from tests.store_views import runs_of

READS = {"list_runs", "show_run", "compare_runs", "read_curves", "check_gate"}


def asked(calls: list[tuple[str, dict[str, Any]]], *options: str) -> tuple[set[str], list[Any]]:
    """Return the tools of a fresh server, and its answers; ``{0}`` is the first handle."""

    async def talk() -> tuple[set[str], list[Any]]:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "cvtrack_magics", "mcp", *options],
            env=dict(os.environ),
        )
        async with Client(stdio_client(server)) as client:
            tools = (await client.list_tools()).tools
            answers = []
            for name, arguments in calls:
                found = await client.call_tool(name, arguments)
                while name == "poll_run" and json.loads(found.content[0].text)["exit_code"] is None:
                    await asyncio.sleep(0.2)
                    found = await client.call_tool(name, arguments)
                answers.append((found.is_error, found.content[0].text))
                if name == "start_run" and not found.is_error:
                    handle = json.loads(found.content[0].text)["handle"]
                    calls.append(("poll_run", {"handle": handle}))
            return {tool.name for tool in tools}, answers

    return asyncio.run(talk())


def test_the_store_is_read_and_not_written(store: str, tmp_path: Path) -> None:
    client = mlflow.MlflowClient(store)
    for name in ("a", "b"):
        run = client.create_run("0", run_name=name).info.run_id
        client.log_param(run, "lr", name)
        client.log_metric(run, "loss", 0.5)
        client.set_terminated(run)
    before = {name: run.to_dictionary() for name, run in runs_of(store).items()}
    tools, answers = asked(
        [
            ("list_runs", {}),
            ("show_run", {"run": "a"}),
            ("compare_runs", {"runs": ["a", "b"]}),
            ("read_curves", {"run": "a", "metrics": ["loss"]}),
            ("show_run", {"run": "nothing"}),
            ("check_gate", {"model": "nobody", "require": ["a >= 1"]}),
            ("start_run", {"file": "train.py"}),
        ]
    )
    assert tools == READS
    assert [failed for failed, _ in answers] == [False, False, False, False, True, True, True]
    listed, shown, compared = (text for _, text in answers[:3])
    assert [row.split("\t")[4] for row in listed.split("\n")[2:]] == ["b", "a"]
    assert json.loads(shown)["params"] == {"lr": "a"}
    assert json.loads(compared)["params"] == [["lr", "a", "b"]]
    assert json.loads(compared)["verdicts"][0]["outcome"] == "undecided"
    assert "There is no" in answers[5][1] or "nobody" in answers[5][1]
    assert {name: run.to_dictionary() for name, run in runs_of(store).items()} == before


def test_what_is_allowed_is_started_and_polled(store: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        '# %% tags=["parameters"]\nlr = 1\n'
        "# %%\n# %%mlrun trained\nfrom cvtrack_magics import log\nlog(loss=lr)\nprint('done')\n"
    )
    (tmp_path / "other.py").write_text("")
    tools, answers = asked(
        [
            ("start_run", {"file": "other.py"}),
            ("start_run", {"file": "train.py", "parameters": {"lr; x": 1}}),
            ("start_run", {"file": "train.py", "parameters": {"lr": 0.25}}),
        ],
        *("--allow-run", "train.py"),
    )
    assert tools == {*READS, "start_run", "poll_run"}
    assert [failed for failed, _ in answers] == [True, True, False, False]
    ended = json.loads(answers[3][1])
    assert (ended["state"], ended["exit_code"]) == ("finished", 0), ended
    assert any("done" in line for line in ended["printed"])
    assert runs_of(store)["trained"].data.metrics["loss"] == 0.25


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--experiment", "Defualt"], "Did you mean 'Default'?"),
        (["--allow-run", "nowhere.py"], "no such file"),
    ],
)
def test_what_is_not_there_is_said_and_not_made(
    store: str, script: None, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["mcp", *options]) == 2
    assert said in capsys.readouterr().err
    assert len(mlflow.MlflowClient(store).search_experiments()) == 1
