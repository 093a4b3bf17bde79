"""Configuration files and objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cvtrack_magics.capture.params.configfile import describe_config
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Notice, Param, Record

YAML = """\
# how we train
lr: 0.1   # tuned
model: {name: resnet18, layers: [2, 2]}
url: https://me:pw@host/data
"""


def split(records: list[Record]) -> tuple[Artifact, dict[str, str], list[str]]:
    artifacts = [r for r in records if isinstance(r, Artifact)]
    params = {r.key: r.value for r in records if isinstance(r, Param)}
    return artifacts[0], params, [r.text for r in records if isinstance(r, Notice)]


def test_yaml_is_kept_whole(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text(YAML)
    artifact, params, notices = split(describe_config(file, "ignored"))
    assert artifact.path == "configs/train.yaml"
    assert artifact.content == YAML.replace("me:pw@", "")
    assert params == {
        "lr": "0.1",
        "model.name": "resnet18",
        "model.layers": "[2, 2]",
        "url": "https://host/data",
    }
    assert notices == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", '{"lr": 0.1, "head": {"width": 8}}'),
        ("c.toml", "lr = 0.1\n[head]\nwidth = 8\n"),
        ("c.yml", "lr: 0.1\nhead:\n  width: 8\n"),
        ("c.YAML", "\ufefflr: 0.1\nhead:\n  width: 8\n"),
    ],
)
def test_every_format(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    artifact, params, _ = split(describe_config(str(file), ""))
    assert artifact.path == f"configs/{name}"
    assert params == {"lr": "0.1", "head.width": "8"}


SECRETS = {
    "s.yaml": """\
lr: 0.1  # kept
db:
  password: "hunter2"
  user: hunter2-fan
tokens: [hunter2]
api_key: >-
  hunter2
  hunter2
flow: {hf_token: hunter2, width: 8}
""",
    "s.json": '{\n  "lr": 0.1,\n  "db": {"password": "hunter2", "n":1},\n  "api_key": "hunter2"}\n',
    "s.toml": """\
lr = 0.1  # kept
api_key = "hunter2"
db = { password = 'hunter2', width = 8 }
[secrets]
github = "hunter2"
""",
    "multi.toml": 'lr = 0.1\napi_key = """\nhunter2\n"""\n',
}


@pytest.mark.parametrize("name", SECRETS)
def test_secret_leaves_are_hidden(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(SECRETS[name])
    artifact, params, notices = split(describe_config(file, ""))
    assert isinstance(artifact.content, str)
    assert "hunter2" not in artifact.content.replace("hunter2-fan", "")
    assert "hunter2" not in str(params).replace("hunter2-fan", "")
    assert params["lr"] == "0.1"
    assert "api_key" in notices[0]
    if "# kept" in SECRETS[name]:
        assert "# kept" in artifact.content
    if name == "s.yaml":
        again = yaml.safe_load(artifact.content)
        assert again["db"] == {"password": "***", "user": "hunter2-fan"}
        assert again["flow"] == {"hf_token": "***", "width": 8}
    if name == "s.json":
        assert json.loads(artifact.content)["db"] == {"password": "***", "n": 1}


def test_object_becomes_yaml() -> None:
    @dataclass
    class Config:
        lr: float = 0.1
        sizes: tuple[int, int] = (8, 4)
        password: str = "hunter2"

    artifact, params, notices = split(describe_config(Config(), "cfg"))
    assert artifact.path == "configs/cfg.yaml"
    assert isinstance(artifact.content, str)
    assert yaml.safe_load(artifact.content) == {"lr": 0.1, "sizes": [8, 4], "password": "***"}
    assert params == {"lr": "0.1", "sizes": "[8, 4]", "password": "***"}
    assert "password" in notices[0]


def test_list_and_empty_files(tmp_path: Path) -> None:
    file = tmp_path / "steps.yaml"
    file.write_text("[1, 2]\n")
    assert split(describe_config(file, ""))[1] == {"steps": "[1, 2]"}
    file.write_text("")
    assert split(describe_config(file, ""))[1] == {}


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("bad.yaml", "a: 1\nb: c: 2\n", "line 2"),
        ("bad.yaml", "a: !!python/object/apply:os.getcwd []\n", "line 1"),
        ("bad.json", '{\n "a": 1,\n}', "line 3"),
        ("bad.toml", "a = 1\nb = \n", "line 2"),
    ],
)
def test_malformed_file_names_the_line(tmp_path: Path, name: str, text: str, line: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(UsageProblem) as caught:
        describe_config(file, "")
    assert line in caught.value.problem
    assert "\n" not in caught.value.problem


def test_wrong_paths(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("a: 1")
    (tmp_path / "notes.txt").write_text("a: 1")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\xff")
    for given, said in [
        ("trian.yaml", "Did you mean 'train.yaml'"),
        ("nowhere/x.yaml", "no file"),
        (".", "is a folder"),
        ("notes.txt", "not a configuration file"),
        ("latin.yaml", "not UTF-8"),
    ]:
        with pytest.raises(UsageProblem, match=said):
            describe_config(tmp_path / given, "")
    with pytest.raises(UsageProblem, match="not a configuration"):
        describe_config(3, "x")
