"""Names and messages of others reach a terminal as text only, never as commands to it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cvtrack_magics.console import say
from cvtrack_magics.display.work_bar import WorkBar
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.text import visible
from tests.conftest import Shell

COMMANDS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
EVIL = "a\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\x9b31mz"

CELLS = {
    "run's name": "%%mlrun {name!r} --no-plot\npass",
    "metric": "%%mlrun r --no-plot\nlog({{evil: 1.0}}, step=0)",
    "param": "%%mlrun r --no-plot\nmlparams({{evil: evil}})",
    "tag": "%%mlrun r --no-plot\nmltags(**{{'t': evil}})",
    "error": "%%mlrun r --no-plot\nraise ValueError(evil)",
    "error's class": "%%mlrun r --no-plot\nraise type(evil, (ValueError,), {{}})('x')",
    "experiment": "%mlexperiment {name!r}",
    "params said": "%mlparams evil_values --show",
    "config": "%mlconfig evil_values --name {name!r}",
    "config's file": "%mlconfig {name!r}",
    "tags said": "%mltags t={name!r}",
    "data": "%mldata {name!r}",
    "data's name": "%mldata evil_file --name {name!r}",
    "model": "%mlload {name!r}",
    "run to show": "%mlshow {name!r}",
    "gate": "%mlgate {name!r}",
    "card": "%mlcard {name!r}",
    "help": "%mlhelp {name!r}",
    "predictions": "%mleval {name!r}",
    "baseline": "%%mlrun r --no-plot --baseline {name!r}\nlog(a=1.0)",
    "resumed": "%%mlrun {name!r} --resume --no-plot\npass",
}


@pytest.mark.parametrize("place", list(CELLS))
def test_what_a_cell_shows(place: str, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    file.write_text("1")
    shell.ip.user_ns.update(
        {"evil": EVIL, "evil_values": {EVIL: EVIL, "b": 1}, "evil_file": str(file)}
    )
    shell.run("from cvtrack_magics import log, mlparams, mltags")
    said = shell.run(CELLS[place].format(name=EVIL))
    if "Traceback" in said:  # IPython's, of the user's own error; ours is the card below it
        said = said[said.index("FAILED") :]
    assert not COMMANDS.search(said), f"{place}: {said!r}"


SAYS: dict[str, Callable[[io.StringIO], object]] = {
    "say": lambda stream: say(EVIL, stream),
    "error": lambda stream: stream.write(str(UsageProblem(EVIL, EVIL))),
    "error in a notebook": lambda stream: stream.writelines(
        UsageProblem(EVIL, EVIL)._render_traceback_()
    ),
}


@pytest.mark.parametrize("way", list(SAYS))
def test_what_is_printed(way: str) -> None:
    stream = io.StringIO()
    SAYS[way](stream)
    assert "owned" in stream.getvalue()
    assert not COMMANDS.search(stream.getvalue())


def test_a_bars_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvtrack_magics.display.work_bar.SHOW_AFTER", 0.0)
    monkeypatch.setattr("cvtrack_magics.display.work_bar.REFRESH", 0.0)
    stream = io.StringIO()
    with WorkBar(EVIL, stream, "MB") as bar:
        bar.update(1, 2)
    assert "owned" in stream.getvalue()
    assert not COMMANDS.search(stream.getvalue())


def test_line_breaks_tabs_and_letters_stay() -> None:
    assert visible("ä\tb\nç 漢 👍") == "ä\tb\nç 漢 👍"
