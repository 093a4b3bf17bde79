"""Files that surround a released version are believed only as they were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics import mlcard, mlcheck, mlgate, mlrun
from cvtrack_magics.errors import FilesAltered
from cvtrack_magics.records import Artifact
from cvtrack_magics.store.recorded_files import FILES_TAG, FileDigests, card_tag, changed_files
from tests.run.releasing.conftest import Version
from tests.vision.examples import example

CARD, ENVIRONMENT = "governance/MODEL_CARD.md", "environment/environment.json"
PAGE = "visualisations/predictions.html"


def test_the_tag_names_the_files_it_has_room_for_and_the_newest_content_counts() -> None:
    digests = FileDigests()
    assert digests.beside([Artifact("logs/output.txt", "x"), Artifact("a.html", "x")]) == []
    files = {"code/cell.py": "one", ENVIRONMENT: "{}", "code/modules/a.py": b"\xff"}
    (first,) = digests.beside([Artifact(path, text) for path, text in files.items()])
    (tag,) = digests.beside([Artifact("code/cell.py", "two")])
    texts = {"code/cell.py": "two", ENVIRONMENT: "{}", "code/modules/a.py": "\ufffd"}
    assert changed_files(texts, {tag.key: tag.value}) == {}
    assert list(changed_files(texts, {first.key: first.value})) == ["code/cell.py"]
    assert changed_files({}, {tag.key: tag.value}) == changed_files(texts, {}) == {}
    later = FileDigests()
    later.begin_with({tag.key: tag.value})
    (more,) = later.beside([Artifact(f"code/modules/{at:04}.py", "") for at in range(500)])
    assert len(more.value) <= 7_500
    assert changed_files({**texts, ENVIRONMENT: "[]"}, {more.key: more.value}) == {
        ENVIRONMENT: f"{ENVIRONMENT} was changed after it was recorded: its SHA-256 differs"
    }


@pytest.mark.parametrize("value", ["", "x", "\n\n", "short path", f"{'a' * 20}", "é" * 50])
def test_a_tag_that_is_none_of_ours_says_nothing(value: str) -> None:
    assert changed_files({"path": "", "": ""}, {FILES_TAG: value}) == {}


ALTERED = {
    "flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "cut": lambda data: data[: len(data) // 2],
    "replaced": lambda data: b"something else",
}


def _file(run_id: str, path: str) -> Path:
    root = mlflow.get_run(run_id).info.artifact_uri
    return Path(root.removeprefix("file://")) / path


def _altered(run_id: str, path: str) -> Iterator[str]:
    file = _file(run_id, path)
    data = file.read_bytes()
    for how, change in ALTERED.items():
        file.write_bytes(change(data))
        yield how
    file.write_bytes(data)


def _gate(rule: str) -> Any:
    return mlgate("shapes", require=[rule], dry_run=True, soft=True).result.rows[-1]


def _failed() -> dict[str, str]:
    return {item.key: item.found for item in mlcheck("shapes").result.failed}


def test_each_file_is_noticed_where_a_check_speaks_of_it(make: Version) -> None:
    run = make("first", 30)
    mlcard("shapes")
    rules = {
        ENVIRONMENT: ("env(python) >= 3", "environment"),
        "environment/requirements.txt": ("has(environment/requirements.txt)", "environment"),
        CARD: ("has(card)", "card"),
    }
    for path, (rule, *items) in rules.items():
        before = _failed()
        assert _gate(rule).passed, rule
        for how in _altered(run, path):
            why = f"{path} was changed after it was recorded"
            assert why in _gate(rule).why, how
            assert [item for item in items if why in _failed().get(item, "")], how
            if path == ENVIRONMENT:
                with pytest.raises(FilesAltered, match="SHA-256 differs"):
                    mlcard("shapes")
        assert _failed() == before
    _file(run, CARD).write_text(_file(run, CARD).read_text() + "\n", "utf-8")
    assert "was changed after it was written" in repr(mlcard("shapes"))
    assert _gate("has(card)").passed  # written anew


def test_configs_and_large_pages_too(store: str, script: None) -> None:
    from cvtrack_magics import mlconfig
    from cvtrack_magics.run.recording import record

    with mlrun("seen", plot=False) as run:
        mlconfig({"lr": 0.1}, name="train")
        record("", {}, [Artifact(PAGE, "x" * 25_000_000)])
    (config,) = _paths(run.run_id, "configs")
    for path in (config, PAGE):
        assert path not in changed_in("seen")
        for how in _altered(run.run_id, path):
            assert "SHA-256 differs" in changed_in("seen").get(path, ""), (path, how)
    for how in _altered(run.run_id, config):
        found = {item.key: item.found for item in mlcheck("seen").result.failed}
        assert f"{config} was changed" in found.get("config", ""), how


def changed_in(name: str) -> Any:
    from cvtrack_magics.commands.candidate_loader import candidate_of

    return candidate_of(name).changed


def test_code_and_pages_too(store: str, script: None) -> None:
    from cvtrack_magics import log_predictions

    with mlrun("seen", plot=False) as run:
        log_predictions(example("classification"))
    files = [*_paths(run.run_id, "code"), PAGE]
    assert len(files) > 1
    items = {item.key for item in mlcheck("seen").result.failed}
    assert not items & {"code", "pictures.predictions"}
    for path in files:
        for how in _altered(run.run_id, path):
            found = {item.key: item.found for item in mlcheck("seen").result.failed}
            key = "pictures.predictions" if path == PAGE else "code"
            assert f"{path} was changed" in found.get(key, ""), how
    assert {item.key for item in mlcheck("seen").result.failed} == items


def _paths(run_id: str, folder: str) -> list[str]:
    root = _file(run_id, folder)
    return sorted(f"{folder}/{p.relative_to(root)}" for p in root.rglob("*") if p.is_file())


def test_a_card_is_told_by_its_text() -> None:
    tag = card_tag("# a\n")
    assert changed_files({CARD: "# a\n"}, {tag.key: tag.value}) == {}
    assert list(changed_files({CARD: "# a\r\n"}, {tag.key: tag.value})) == [CARD]
