"""The list of packages, against pip itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvtrack_magics.capture.machine import packages as module
from cvtrack_magics.capture.machine.packages import packages, requirements_text, version_of
from cvtrack_magics.names import project_key


def dist(folder: Path, name: str, version: str, url: dict[str, object] | None = None) -> Path:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nHi")
    if url is not None:
        (info / "direct_url.json").write_text(json.dumps(url))
    return info


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def lines() -> list[str]:
    return requirements_text().splitlines()[1:]


def test_the_same_as_pip_freeze() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--all", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = {line for line in done.stdout.splitlines() if "==" in line and line[0] not in "#-"}
    ours = {f"{p.name}=={p.version}" for p in packages() if not p.editable}
    assert len(theirs) > 20
    assert theirs - ours == set()
    editable = {p.name.lower() for p in packages() if p.editable}
    assert "cvtrack_magics" in editable


def test_pip_accepts_every_line(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(requirements_text())
    from pip._internal.network.session import PipSession
    from pip._internal.req import parse_requirements
    from pip._internal.req.constructors import install_req_from_parsed_requirement

    parsed = [
        install_req_from_parsed_requirement(item)
        for item in parse_requirements(str(file), session=PipSession())
    ]
    assert len(parsed) == len(packages()) - 1
    assert not [item for item in parsed if item.name == "pip"]


def test_origins(site: Path, tmp_path: Path) -> None:
    local = tmp_path / "my pkg"
    local.mkdir()
    dist(site, "plain", "1.0")
    vcs = {"vcs": "git", "commit_id": "abc123", "requested_revision": "main"}
    dist(
        site,
        "from-git",
        "1.0",
        {"url": "https://me:tok@host/r.git", "vcs_info": vcs, "subdirectory": "py"},
    )
    hashes = {"hashes": {"sha256": "00ff"}}
    dist(site, "wheel-url", "1.0", {"url": "https://host/w.whl?token=x", "archive_info": hashes})
    old = {"hash": "sha256=00aa"}
    dist(site, "old-hash", "1.0", {"url": "https://host/o.whl", "archive_info": old})
    dist(site, "folder", "1.0", {"url": local.as_uri(), "dir_info": {}})
    dist(site, "edit", "1.0", {"url": local.as_uri(), "dir_info": {"editable": True}})
    gone = {"url": "file:///croot/gone/work", "dir_info": {}}
    dist(site, "from-conda", "1.0", gone)
    dist(site, "broken", "1.0").joinpath("direct_url.json").write_text("{")
    assert lines() == [
        "broken==1.0",
        f"-e {local}  # edit==1.0",
        f"folder @ {local.as_uri()}",
        "from-conda==1.0  # was installed from a local file that is gone",
        "from-git @ git+https://host/r.git@abc123#subdirectory=py",
        "old-hash @ https://host/o.whl#sha256=00aa",
        "plain==1.0",
        "wheel-url @ https://host/w.whl?token=***#sha256=00ff",
    ]


URL = "https://host/w.whl"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[" * 100_000, "odd==1.0"),
        ("[]", "odd==1.0"),
        ("{}", "odd==1.0"),
        (f'{{"url": "{URL}", "dir_info": [1]}}', f"odd @ {URL}"),
        (f'{{"url": "{URL}", "vcs_info": "git"}}', f"odd @ {URL}"),
        (f'{{"url": "{URL}", "archive_info": {{"hashes": [1]}}}}', f"odd @ {URL}"),
    ],
)
def test_an_origin_that_is_none_leaves_the_version(site: Path, text: str, line: str) -> None:
    dist(site, "odd", "1.0").joinpath("direct_url.json").write_text(text)
    assert lines() == [line]


def test_the_first_folder_of_the_path_counts(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second"
    dist(site, "Some.Package", "2.0")
    dist(second, "some-package", "1.0")
    monkeypatch.setattr(sys, "path", [str(site), str(second)])
    assert lines() == ["Some.Package==2.0"]
    monkeypatch.setattr(sys, "path", [str(second), str(site)])
    assert lines() == ["some-package==1.0"]
    assert version_of("Some_Package") == "1.0"
    assert version_of("nothing") == ""


def test_a_source_folder_does_not_hide_the_install(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "src"
    (source / "proj.egg-info").mkdir(parents=True)
    (source / "proj.egg-info" / "PKG-INFO").write_text("Name: proj\nVersion: 1.0\n")
    dist(site, "proj", "1.0", {"url": source.as_uri(), "dir_info": {"editable": True}})
    monkeypatch.setattr(sys, "path", [str(source), str(site)])
    assert lines() == [f"-e {source}  # proj==1.0"]


def test_rubbish_in_the_folder(site: Path) -> None:
    dist(site, "good", "1.0")
    dist(site, "~ood", "0.9")
    (site / "empty-1.0.dist-info").mkdir()
    (site / "file.egg-info").write_text("Name: old\nVersion: 3\n")
    assert lines() == ["good==1.0", "old==3"]


def test_zip_on_the_path(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    archive = tmp_path / "lib.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(
            "inzip-4.dist-info/METADATA", "Metadata-Version: 2.1\nName: inzip\nVersion: 4\n"
        )
    monkeypatch.setattr(sys, "path", [str(archive), "/nowhere"])
    assert lines() == ["inzip==4"]


def test_a_new_install_is_seen(site: Path) -> None:
    dist(site, "one", "1.0")
    assert lines() == ["one==1.0"]
    again = packages()
    assert packages() == again
    dist(site, "two", "1.0")
    stamp = os.stat(site).st_mtime_ns + 1_000_000  # coarse clocks
    os.utime(site, ns=(stamp, stamp))
    assert lines() == ["one==1.0", "two==1.0"]


def test_the_result_cannot_be_spoilt() -> None:
    before = len(packages())
    packages().clear()
    assert len(packages()) == before
    assert module.packages() is not module.packages()


@pytest.mark.parametrize(("older", "newer"), [("1.0.11", "1.0.13"), ("2.0", "1.0"), ("9", "10")])
def test_the_last_install_in_a_folder_counts(tmp_path, older, newer):
    for age, version in ((1, newer), (2, older)):
        folder = tmp_path / f"pkg-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pkg\nVersion: {version}\n")
        os.utime(folder, (1e9 - age, 1e9 - age))
    read = module._read_all([str(tmp_path)])
    assert [item.version for item in read] == [newer]


@pytest.mark.parametrize(
    ("name", "version", "comment"),
    [
        ("distro-info", "1.1build1", True),
        ("-lxc", "0.1", True),
        ("python-apt", "2.4.0+ubuntu3", True),
        ("pkg_resources", "0.0.0", False),
        ("torchaudio", "2.4.1+cu121", False),
        ("torch", "2.5.0+cpu", False),
        ("torch", "2.5.0+rocm6.1", False),
        ("torch", "2.5.0a0+gitabc", True),
        ("a.b-c", "1!2.0.post1", False),
        ("pip tools", "1.0", True),
        ("x", "2023.x", True),
        ("y", "1.0rc1.dev2", False),
    ],
)
def test_every_line_is_one_that_pip_parses(tmp_path, name, version, comment):
    from pip._internal.network.session import PipSession
    from pip._internal.req.req_file import parse_requirements

    from cvtrack_magics.capture.machine.requirements import requirement_lines

    package = module.PackageLine(name, version, f"{name}=={version}")
    lines = requirement_lines([package])
    assert lines[-1].startswith("#") == comment
    file = tmp_path / "r.txt"
    file.write_text("\n".join(lines) + "\n")
    found = [item.requirement for item in parse_requirements(str(file), session=PipSession())]
    assert found == ([] if comment else [f"{name}=={version}"])


@pytest.mark.parametrize(
    ("name", "version", "index"),
    [
        ("torch", "2.5.0+cu121", "whl/cu121"),
        ("torchao", "0.7.0+cpu", "whl/cpu"),
        ("torchcodec", "0.2.0+xpu", "whl/xpu"),
        ("torch", "2.6.0.dev20250901+cu124", "whl/nightly/cu124"),
        ("torchvision", "0.21.0.dev20250901+rocm6.2", "whl/nightly/rocm6.2"),
    ],
)
def test_a_local_build_names_the_index_that_has_it(name: str, version: str, index: str) -> None:
    from cvtrack_magics.capture.machine.requirements import requirement_lines

    option, line = requirement_lines([module.PackageLine(name, version, f"{name}=={version}")])
    assert option == f"--extra-index-url https://download.pytorch.org/{index}"
    assert line == f"{name}=={version}"


@pytest.mark.parametrize(
    ("url", "recorded"),
    [
        ("ssh://git@host/a/b.git", "git+ssh://git@host/a/b.git"),
        ("https://me:secret@host/a/b.git", "git+https://host/a/b.git"),
        ("https://host/a/b.git", "git+https://host/a/b.git"),
    ],
)
def test_an_address_keeps_the_user_git_and_no_secret(site: Path, url: str, recorded: str) -> None:
    origin = {"url": url, "vcs_info": {"vcs": "git", "commit_id": "c" * 40}}
    dist(site, "b", "1.0", origin)
    assert lines() == [f"b @ {recorded}@{'c' * 40}"]


@pytest.mark.parametrize("name", ["a-b", "A_b", "a.B", "a-_.b", "a__b"])
def test_a_project_has_one_key_by_any_spelling(name: str) -> None:
    assert project_key(name) == "a-b"


def test_an_editable_install_is_as_it_is_now(site: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()

    def git(*words: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", *named, *words], cwd=checkout, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (checkout / "edit_me.py").write_text("A = 1\n")
    git("add", ".")
    git("commit", "-qm", "one")
    git("remote", "add", "origin", "https://host/r.git")
    dist(site, "edit-me", "1.0", {"url": checkout.as_uri(), "dir_info": {"editable": True}})
    first, key = git("rev-parse", "HEAD"), module.installed_key()
    assert lines() == [f"edit-me @ git+https://host/r.git@{first}  # edit-me==1.0, editable"]
    assert module.installed_key() == key
    (checkout / "edit_me.py").write_text("A = 22\n")
    assert lines()[0].endswith(f"@{first}  # edit-me==1.0, editable, with uncommitted changes")
    git("commit", "-qam", "two")
    second = git("rev-parse", "HEAD")
    assert second != first
    assert lines() == [f"edit-me @ git+https://host/r.git@{second}  # edit-me==1.0, editable"]
    assert module.installed_key() != key
