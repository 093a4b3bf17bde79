"""The code of a run, in real repositories."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from types import ModuleType

import pytest

import cvtrack_magics
from cvtrack_magics.capture.code import gitcall
from cvtrack_magics.capture.code.git import describe_git, git_records, user_modules
from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.records import Artifact, Notice, Tag
from cvtrack_magics.secrets import Masker
from cvtrack_magics.secrets.records import RecordMasker


def git(folder: Path, *arguments: str) -> str:
    options = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *options, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.strip()


def repository(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first", "--allow-empty")
    return folder


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", train="lr = 1\n", other="x = 1\n")


def tags(state: object) -> dict[str, str]:
    return {r.key: r.value for r in git_records(state) if isinstance(r, Tag)}  # type: ignore[arg-type]


def files(state: object) -> dict[str, str]:
    found = git_records(state)  # type: ignore[arg-type]
    return {r.path: str(r.content) for r in found if isinstance(r, Artifact)}


def test_clean(repo: Path) -> None:
    (repo / "sub").mkdir()
    state = describe_git(repo / "sub", [repo / "train.py"])
    assert state is not None
    assert tags(state) == {
        "git_commit": git(repo, "rev-parse", "HEAD"),
        "git_branch": "main",
        "git_dirty": "false",
    }
    assert files(state) == {}
    assert state.root == repo


def test_the_diff_applies_to_a_fresh_clone(repo: Path, tmp_path: Path) -> None:
    (repo / "train.py").write_text("lr = 2\n")
    (repo / "other.py").unlink()
    (repo / "new file.py").write_text("é = 1\n")
    git(repo, "add", "new file.py")
    git(repo, "config", "diff.noprefix", "true")
    git(repo, "config", "diff.external", "/bin/false")
    git(repo, "config", "color.ui", "always")
    state = describe_git(repo, [])
    assert state is not None
    assert state.dirty
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repo), str(clone))
    (clone / "d.diff").write_text(files(state)["code/uncommitted.diff"])
    git(clone, "apply", "d.diff")
    (clone / "d.diff").unlink()
    for name in ("train.py", "new file.py"):
        assert (clone / name).read_text() == (repo / name).read_text()
    assert not (clone / "other.py").exists()


def test_nothing_in_the_repository_changes(repo: Path) -> None:
    (repo / "train.py").write_text("lr = 2\n")
    os.utime(repo / "other.py")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in repo.rglob("*")}
    describe_git(repo, [repo / "train.py"])
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in repo.rglob("*")} == before


def test_untracked_and_ignored_modules_are_copied(repo: Path) -> None:
    (repo / ".gitignore").write_text("ignored.py\n")
    (repo / "pkg").mkdir()
    for name in ("pkg/fresh.py", "ignored.py"):
        (repo / name).write_text(f"# {name} https://me:hunter2@host/x\n")
    state = describe_git(repo, [repo / "train.py", repo / "pkg" / "fresh.py", repo / "ignored.py"])
    recorded = RecordMasker(Masker()).records(git_records(state))
    found = {r.path: str(r.content) for r in recorded if isinstance(r, Artifact)}
    assert set(found) == {"code/modules/pkg/fresh.py", "code/modules/ignored.py"}
    text = found["code/modules/pkg/fresh.py"]
    assert "hunter2" not in text
    assert text.endswith("# pkg/fresh.py https://me:***url-password***@host/x\n"), text


def test_modules_of_another_repository(repo: Path, tmp_path: Path) -> None:
    lib = repository(tmp_path / "lib", tools="y = 1\n")
    git(lib, "remote", "add", "origin", "https://me:tok@host/lib.git")
    (lib / "tools.py").write_text("y = 2\n")
    (lib / "loose.py").write_text("z = 1\n")
    state = describe_git(repo, [lib / "tools.py", lib / "loose.py"])
    found = files(state)
    assert "+y = 2" in found["code/repositories/lib.diff"]
    assert found["code/modules/lib/loose.py"] == "z = 1\n"
    (row,) = json.loads(found["code/repositories.json"])
    assert row["commit"] == git(lib, "rev-parse", "HEAD")
    assert row["remote"] == "https://host/lib.git"
    assert row["dirty"] is True
    assert tags(state)["git_dirty"] == "false"


def test_modules_outside_any_repository(tmp_path: Path) -> None:
    package = tmp_path / "libs" / "mypkg" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    (package / "mod.py").write_text("m = 1\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "utils.py").write_text("a = 1\n")
    (tmp_path / "libs" / "utils.py").write_text("b = 1\n")
    modules = [package / "mod.py", tmp_path / "a" / "utils.py", tmp_path / "libs" / "utils.py"]
    state = describe_git(tmp_path, modules)
    assert tags(state) == {}
    assert files(state) == {
        "code/modules/mypkg/inner/mod.py": "m = 1\n",
        "code/modules/utils.py": "a = 1\n",
        "code/modules/2/utils.py": "b = 1\n",
    }
    assert describe_git(tmp_path, []) is None
    assert git_records(None) == []


def test_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", "a.py")
    state = describe_git(tmp_path, [])
    assert tags(state) == {"git_commit": "none yet", "git_branch": "main", "git_dirty": "true"}
    assert "+a = 1" in files(state)["code/uncommitted.diff"]


def test_detached_head_and_worktree(repo: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(repo, "worktree", "add", "-q", "--detach", str(tree))
    state = describe_git(tree, [])
    assert state is not None
    assert state.root == tree
    assert "git_branch" not in tags(state)
    assert tags(state)["git_commit"] == git(repo, "rev-parse", "HEAD")


def test_remotes(repo: Path) -> None:
    git(repo, "remote", "add", "zeta", "https://tok@host/zeta.git")
    assert tags(describe_git(repo, []))["git_remote"] == "https://host/zeta.git"
    git(repo, "remote", "add", "origin", "git@host:me/origin.git")
    assert tags(describe_git(repo, []))["git_remote"] == "git@host:me/origin.git"
    git(repo, "update-ref", "refs/remotes/zeta/main", "HEAD")
    git(repo, "branch", "-q", "--set-upstream-to", "zeta/main")
    assert tags(describe_git(repo, []))["git_remote"] == "https://host/zeta.git"


def test_notebooks_are_named_only(repo: Path) -> None:
    (repo / "weights.bin").write_bytes(bytes(range(256)))
    (repo / "a.ipynb").write_text("{}")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "more")
    (repo / "weights.bin").write_bytes(bytes(range(255, -1, -1)))
    (repo / "a.ipynb").write_text('{"cells": ["the outputs"]}')
    diff = files(describe_git(repo, []))["code/uncommitted.diff"]
    assert "GIT binary patch" in diff
    assert "# Notebook changed, not shown here: a.ipynb" in diff
    assert "the outputs" not in diff


def test_a_file_that_makes_the_diff_huge_is_named(repo: Path) -> None:
    (repo / "train.py").write_text("x = 1234567890\n" * 300_000)
    diff = files(describe_git(repo, []))["code/uncommitted.diff"]
    assert len(diff) < gitcall.DIFF_LIMIT + 200
    assert diff == "# Not in this patch: train.py (it would be over 1 MB)\n"
    (repo / "other.py").write_text("x = 2\n")
    diff = files(describe_git(repo, []))["code/uncommitted.diff"]
    assert "train.py" in diff
    assert "+x = 2" in diff


def test_credentials_in_the_diff(repo: Path) -> None:
    (repo / "train.py").write_text("url = 'https://me:hunter2@host/x'\n")
    recorded = RecordMasker(Masker()).records(git_records(describe_git(repo, [])))
    assert "hunter2" not in str(recorded)
    assert "uncommitted.diff" in str(recorded)


def test_environment_of_a_hook_does_not_mislead(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    state = describe_git(repo, [])
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert tags(state)["git_commit"] == git(repo, "rev-parse", "HEAD")
    assert tags(state)["git_dirty"] == "false"


def test_no_git_on_path(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    state = describe_git(repo, [repo / "train.py"])
    assert tags(state) == {}
    assert files(state) == {"code/modules/train.py": "lr = 1\n"}
    notices = [r.text for r in git_records(state) if isinstance(r, Notice)]
    assert notices == ["git is not on PATH: the code version was not recorded."]


def test_a_slow_git_is_given_up(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(gitcall, "TIMEOUT", 0.3)
    state = describe_git(repo, [])
    notices = [r.text for r in git_records(state) if isinstance(r, Notice)]
    assert notices == ["git config took over 0.3 s in repo: not recorded."]


def test_a_broken_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    state = describe_git(tmp_path, [])
    notices = [r.text for r in git_records(state) if isinstance(r, Notice)]
    assert len(notices) == 1
    assert notices[0].startswith("git status failed: ")
    assert tags(state) == {}


def test_user_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_tools.py").write_text("a = 1\n")
    inside = tmp_path / "env" / "site-packages"
    inside.mkdir(parents=True)
    (inside / "their_tools.py").write_text("a = 1\n")
    monkeypatch.syspath_prepend(str(inside))
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("my_own_tools")
    theirs = importlib.import_module("their_tools")
    found = user_modules()
    assert tmp_path / "my_own_tools.py" in found
    assert not [p for p in found if "site-packages" in p.parts]
    assert Path(json.__file__) not in found
    assert Path(gitcall.__file__) not in found
    assert user_modules({"a": own, "b": theirs, "json": json, "sys": sys}) == [
        tmp_path / "my_own_tools.py"
    ]


def test_no_module_of_this_package_is_the_users() -> None:
    ours = sorted(Path(cvtrack_magics.__file__).parent.rglob("*.py"))
    assert len({file.parent for file in ours}) > 10
    assert [file for file in ours if not is_foreign(str(file))] == []


def test_lazy_modules_stay_lazy(tmp_path: Path) -> None:
    code = f"""
import sys, importlib.util, pathlib
sys.path.insert(0, {str(tmp_path)!r})
spec = importlib.util.find_spec("lazy_one")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = importlib.util.module_from_spec(spec)
sys.modules["lazy_one"] = module
spec.loader.exec_module(module)
from cvtrack_magics.capture.code.git import user_modules
user_modules()
assert not pathlib.Path({str(tmp_path / "ran")!r}).exists()
"""
    (tmp_path / "lazy_one.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("written", ["mine.py", "./mine.py", "b/../mine.py", "mine.py/"])
def test_a_file_is_looked_for_in_the_folder_that_is_worked_in_now(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which path is whose is remembered; where a relative one leads is not."""
    module = types.ModuleType("mine")
    for folder in ("a", "b", "a"):
        place = tmp_path / folder
        (place / "b").mkdir(parents=True, exist_ok=True)
        (place / "mine.py").write_text("")
        monkeypatch.chdir(place)
        for file in (written, f"{place}/{written}"):
            module.__file__ = file
            expected = [place / "mine.py"] if file.endswith(".py") else []
            assert user_modules({"mine": module}) == expected


def test_the_code_that_a_kept_model_brings_along_is_not_the_users(tmp_path: Path) -> None:
    modules = {}
    for folder in ("cvtrack_serving_0123456789", "served"):
        file = tmp_path / folder / "steps.py"
        file.parent.mkdir()
        file.write_text("X = 1\n")
        modules[folder] = ModuleType(f"{folder}.steps")
        modules[folder].__file__ = str(file)
    assert user_modules(modules) == [tmp_path / "served" / "steps.py"]
