"""Locks and requirements of a project are recorded beside what is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cvtrack_magics.capture.machine.project_files import project_file_records
from cvtrack_magics.records import Artifact, Notice
from cvtrack_magics.secrets import Masker
from cvtrack_magics.secrets.records import LARGEST, RecordMasker

NAMED = (
    *("uv.lock", "pixi.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"),
    *("pylock.gpu.toml", "conda-lock.yml", "environment.yml", "environment.yaml"),
    *("requirements.txt", "requirements-dev.txt"),
)
OTHER = ("uv.lock.bak", "notes.txt", "package-lock.json", "pylock", "my-requirements.txt")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "notebooks" / "deep").mkdir(parents=True)
    return tmp_path / "repo"


def found(folder: Path) -> dict[str, bytes]:
    records = [r for r in project_file_records(folder) if isinstance(r, Artifact)]
    return {r.path.removeprefix("environment/project/"): bytes(r.content) for r in records}  # type: ignore[arg-type]


def said(folder: Path) -> list[str]:
    return [r.text for r in project_file_records(folder) if isinstance(r, Notice)]


def test_each_kind_is_found_from_the_folder_of_the_notebook_up(repo: Path) -> None:
    for name in (*NAMED, *OTHER):
        (repo / name).write_text(name)
    assert set(found(repo / "notebooks" / "deep")) == set(NAMED)
    (repo / "notebooks" / "requirements.txt").write_text("nearer")
    assert found(repo / "notebooks" / "deep")["requirements.txt"] == b"nearer"


@pytest.mark.parametrize(
    ("lock", "project"),
    [("uv.lock", "pyproject.toml"), ("poetry.lock", "pyproject.toml"), ("pixi.lock", "pixi.toml")],
)
def test_a_lock_comes_with_what_it_locks(repo: Path, lock: str, project: str) -> None:
    (repo / project).write_text("[project]")
    assert not found(repo)
    (repo / lock).write_text("x")
    assert set(found(repo)) == {lock, project}


def test_nothing_is_looked_for_above_a_folder_of_no_repository(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("x")
    (tmp_path / "inner").mkdir()
    assert not project_file_records(tmp_path / "inner")


def test_what_is_not_the_projects_or_no_file_is_left_alone(repo: Path) -> None:
    secret = repo.parent / "id_rsa"
    secret.write_text("private")
    (repo / "uv.lock").symlink_to(secret)
    os.mkfifo(repo / "pixi.lock")
    (repo / "poetry.lock").mkdir()
    (repo / "pdm.lock").symlink_to(repo / "pdm.lock")
    (repo / "requirements.txt").write_text("")
    assert not project_file_records(repo)


def test_what_is_too_large_or_too_many_is_named(repo: Path) -> None:
    (repo / "uv.lock").write_bytes(b"x" * (LARGEST + 1))
    assert said(repo) == ["uv.lock is over 4 MB and was not recorded."]
    for number in range(40):
        (repo / f"requirements-{number}.txt").write_text("x")
    assert len(found(repo)) <= 24
    assert "Of 41 requirements and locks 24 were recorded." in said(repo)


def test_secrets_are_masked_and_digests_are_not(repo: Path) -> None:
    lock = (
        "[[package]]\nname = 'a'\nversion = '1.0'\n"
        "source = { registry = 'https://bob:hunter22@pypi.example/simple' }\n"
        f"sdist = {{ url = 'https://x/a.tar.gz', hash = 'sha256:{'3f' * 32}', size = 1 }}\n"
    )
    needs = (
        "--extra-index-url https://bob:hunter22@pypi.example/simple\n"
        f"a==1 --hash=sha256:{'3f' * 32}\n"
    )
    (repo / "uv.lock").write_text(lock)
    (repo / "requirements.txt").write_text(needs)
    masked = RecordMasker(Masker()).records(project_file_records(repo))
    texts = [bytes(r.content).decode() for r in masked if isinstance(r, Artifact)]  # type: ignore[arg-type]
    assert len(texts) == 2
    assert all("hunter22" not in text and f"sha256:{'3f' * 32}" in text for text in texts)
