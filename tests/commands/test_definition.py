"""A command is defined once: function, magic, help, Tab, README and shell agree."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cvtrack_magics
from cvtrack_magics import cli
from cvtrack_magics.commands.definition import Arg, Command, command
from cvtrack_magics.commands.line import split
from cvtrack_magics.commands.table import commands

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(commands())

IN_PYTHON_ONLY = {
    "mlaugment": {"indices", "box_format"},
    "mlbench": {"progress"},
    "mldata": {"progress"},
    "mlparams": {"names"},
    "mlsweep": {"objective", "mode"},
    "mlsync": {"progress"},
}
ON_A_LINE_ONLY = {
    "mlenv": {"packages"},
    "mlparams": {"show"},
    "mlrun": {"ranks", "strict", "verify"},
    "mlsweep": {"continue", "fresh"},
    "mltags": {"clear"},
}


def typed_words(one: Command) -> set[str]:
    return {action.dest for action in one.parser._actions}


@pytest.mark.parametrize("name", NAMES)
def test_a_magic_takes_what_its_function_takes(name: str) -> None:
    one = commands()[name]
    takes = set(inspect.signature(one.function).parameters) - IN_PYTHON_ONLY.get(name, set())
    assert typed_words(one) == takes | ON_A_LINE_ONLY.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_every_word_is_explained_and_the_example_is_understood(name: str) -> None:
    one = commands()[name]
    assert all(len(str(action.help)) > 5 for action in one.parser._actions)
    assert one.summary
    assert "``" not in one.parser.page
    assert one.example in one.parser.page
    line = one.example.split(f"%{name}", 1)[1]
    assert one.parser.read(line) is not None
    given = {word.partition("=")[0] for word in split(line) if word.startswith("--")}
    assert given <= set(one.parser.option_names())


@pytest.mark.parametrize("name", NAMES)
def test_a_signature_says_what_it_takes_and_gives(name: str) -> None:
    signature = inspect.signature(commands()[name].function)
    kinds = {p.kind for p in signature.parameters.values()}
    assert name == "mltags" or inspect.Parameter.VAR_KEYWORD not in kinds
    assert signature.return_annotation not in (inspect.Signature.empty, "Any")
    assert getattr(cvtrack_magics, name) is commands()[name].function


def test_the_shell_s_gate_has_the_options_of_the_magic() -> None:
    parser = argparse.ArgumentParser()
    cli._add_gate(parser.add_subparsers(), chosen=True)
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    shell = {action.dest for action in subparsers.choices["gate"]._actions} - {"help"}
    own = {"store", "experiment", "json", "junit", "summary"}
    assert shell == (typed_words(commands()["mlgate"]) - cli.IN_A_NOTEBOOK) | own


def test_the_readme_has_the_rows_of_the_commands() -> None:
    rows = runpy.run_path(str(ROOT / "docs/readme_rows.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert rows["renewed"](readme) == readme
    assert rows["renewed"](readme.replace("`%mlgate [NAME]`", "`%mlgate`")) == readme
    without = re.sub(r"^\| `%mlhelp.*\n", "", readme, flags=re.MULTILINE)
    assert "`%mlhelp [MAGIC]`" in rows["renewed"](without)


def test_what_type_checkers_see_is_what_there_is() -> None:
    stub = (ROOT / "cvtrack_magics/__init__.pyi").read_text(encoding="utf-8")
    homes = {
        alias.asname: node.module
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    public = set(cvtrack_magics.__all__)
    assert set(homes) == public - {"load_ipython_extension", "unload_ipython_extension"}
    for name in homes:
        assert getattr(cvtrack_magics, name) is not None


def test_the_package_is_imported_without_its_commands() -> None:
    code = (
        "import sys, cvtrack_magics; cvtrack_magics.mlruns\n"
        "names = [n for n in sys.modules if n.startswith(('IPython', 'mlflow', 'torch'))]\n"
        "assert not names, names"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_argument_of_no_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match="has no parameter typo"):

        @command(typo=Arg("X"))
        def mlnothing(name: str = "") -> None:
            """Do nothing."""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("params.lr = '0.1'", {"filter": "params.lr = '0.1'"}),
        ("--by lr", {"by": "lr"}),
        ("--by=lr params.a = 'x y' --all", {"by": "lr", "all": True, "filter": "params.a = 'x y'"}),
        ("--all metrics.`val/loss` < 0.5", {"all": True, "filter": "metrics.`val/loss` < 0.5"}),
        ("\"params.a = 'x'\"", {"filter": "params.a = 'x'"}),
        ("", {}),
    ],
)
def test_a_filter_is_taken_as_it_was_typed(line: str, wanted: dict[str, Any]) -> None:
    assert commands()["mlruns"].read(line, {}).values == wanted


@pytest.mark.parametrize(
    ("name", "line", "wanted"),
    [
        ("mlrun", "a long name", {"name": "a long name"}),
        ("mlrun", "r --no-code --no-plot", {"name": "r", "code": False, "plot": False}),
        ("mlrun", "r --tag a=1 --tag b=2", {"name": "r", "tags": {"a": "1", "b": "2"}}),
        ("mlrun", "r --params 1+1", {"name": "r", "params": [("1+1", 2)]}),
        ("mlgrid", "p --no-record", {"predictions": 5, "record": False}),
        ("mlgrid", "p --sort -loss --worst 3", {"predictions": 5, "sort": "-loss", "worst": 3}),
        ("mlgate", "m --stage --margin 0.5", {"name": "m", "stage": True, "margin": 0.5}),
        ("mlgate", "m --require a>=1 --require b>=2", {"name": "m", "require": ["a>=1", "b>=2"]}),
        ("mlcam", "p p --class 3", {"model": 5, "inputs": 5, "target": "3"}),
        ("mlexport", "onnx p --example p --dynamic none", {"dynamic": ()}),
        ("mlbench", "p --example p --batch 1,8", {"target": 5, "batches": (1, 8)}),
        ("mlbench", "net.onnx --example p", {"target": "net.onnx"}),
        ("mlmodel", "p --example p --post softmax", {"post": "softmax"}),
        ("mlmodel", "p --example p --post p", {"post": 5}),
        ("mltags", "a=1 b=2", {"tags": {"a": "1", "b": "2"}}),
        ("mlparams", "p lr=0.1", {"values": [("p", 5), ("lr", 0.1)]}),
        ("mlload", "m@champion", {"reference": "m@champion"}),
        ("mlshow", "a b", {"run": "a b"}),
    ],
)
def test_what_is_typed_becomes_values(name: str, line: str, wanted: dict[str, Any]) -> None:
    values = commands()[name].read(line, {"p": 5}).values
    assert {key: values.get(key) for key in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("mlgate", "m --margn 1", "Did you mean '--margin'"),
        ("mlgate", "m extra", "does not understand 'extra'"),
        ("mlgate", "m --margin much", "invalid float value: 'much'"),
        ("mlseed", "", "required: N"),
        ("mlexport", "onyx p --example p", "invalid choice: 'onyx'"),
        ("mlbench", "p", "required: --example"),
        ("mlbench", "p --example p --batch 0", "numbers of 1 and more"),
        ("mleval", "nothing", "there is no 'nothing'"),
        ("mlrun", "r nested", "Did you mean '--nested'"),
        ("mltags", "word", "is not of the form name=value"),
        ("mlruns", "--bye lr", "has no option '--bye'"),
    ],
)
def test_a_line_that_does_not_fit_is_said_in_one(name: str, line: str, said: str) -> None:
    with pytest.raises(Exception, match=r".+") as raised:
        commands()[name].read(line, {"p": 5})
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_shell_shows_a_magic_as_a_page(shell: Any) -> None:
    magic = shell.ip.find_line_magic("mlgate")
    assert "--champion METRIC" in inspect.getdoc(magic)
    assert "Judge a version by rules" in shell.run("%mlhelp mlgate")
    rows = shell.run("%mlhelp")
    assert all(f"%{name}" in rows for name in NAMES)
    assert "Did you mean 'mlgate'" in shell.run("%mlhelp mlgat")
