"""A store goes to another whole: every run, point, tag, file, model and version, each once."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from cvtrack_magics.cli import main
from cvtrack_magics.store.moving import files
from cvtrack_magics.store.moving.state import OURS

ODD = "code/a b#c%20d?.txt"
FILES = {
    "note.txt": b"hello",
    ODD: b"odd",
    "code/net.py": b"1",
    "deep/" * 12 + "end.bin": bytes(range(256)),
    "пример/ü.txt": "ü".encode(),
    "empty.txt": b"",
}
VALUES = [0.1, -0.0, 1e-320, 1e308, math.inf, -math.inf, math.nan, 5.0, 5.0]


@pytest.fixture
def stores(store: str, tmp_path: Path) -> tuple[str, str]:
    """A store to be read, and an empty one to be written."""
    shutil.copyfile(tmp_path / "mlflow.db", tmp_path / "team.db")
    (tmp_path / "elsewhere").mkdir()
    return store, f"sqlite:///{tmp_path / 'team.db'}"


def filled(uri: str, folder: Path) -> MlflowClient:
    """Put one of every kind into a store."""
    mlflow.set_tracking_uri(uri)  # MLflow looks there for the models of versions
    client = MlflowClient(uri)
    client.create_experiment("empty")
    where = client.create_experiment(
        "ships", artifact_location=str(folder / "files"), tags={"mlflow.note.content": "boats"}
    )
    parent = client.create_run(where, start_time=1_000, run_name="parent").info.run_id
    child = client.create_run(
        where, start_time=900, run_name="child", tags={"mlflow.parentRunId": parent}
    ).info.run_id
    twin = client.create_run("0", run_name="child", tags={"why": f"as run {child}, not x{parent}"})
    for number, value in enumerate(VALUES):
        # two points of a step and one of the same time are kept, and steps may be less than 0
        at = 1_700_000_000_000 + 7 * (number // 2)
        client.log_batch(child, [Metric("loss", value, at, number // 2 - 1)])
    many = [Metric("val/mAP50", i / 7, 1_700_000_000_000 + i, i) for i in range(1_200)]
    client.log_batch(child, many[:1000])
    client.log_batch(child, many[1000:])
    client.log_batch(
        parent,
        params=[Param(f"p{i}", "ü" * i) for i in range(130)] + [Param("long", "x" * 6_000)],
        tags=[RunTag("mlflow.note.content", "# words\nof mine"), RunTag("t" * 200, "v" * 5_000)],
    )
    data = Dataset("digits", "0f" * 18, "local", "{}", '{"a": 1}', "{}")
    client.log_inputs(child, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    for path, content in FILES.items():
        file = folder / "put" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    client.log_artifacts(child, str(folder / "put"))
    model = client.create_logged_model(where, "net", child, {"kind": "small"}, {"depth": "3"})
    client.log_model_artifacts(model.model_id, str(folder / "put" / "code"))
    client.log_batch(child, [Metric("top1", 0.5, 9, 3, model_id=model.model_id, run_id=child)])
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model("ships", {"owner": "ada"}, "finds ships")
    source = client.get_run(child).info.artifact_uri
    for number in range(4):
        at = f"models:/{model.model_id}" if number % 2 else f"{source}/code"
        client.create_model_version(
            "ships",
            *(at, child),
            tags={"gate": f"passed {child}"},
            description=f"the {number}th",
            **({"model_id": model.model_id} if number % 2 else {}),
        )
    client.delete_model_version("ships", "2")
    client.set_registered_model_alias("ships", "champion", "4")
    client.set_registered_model_alias("ships", "former", "1")
    for run, status in ((child, "FAILED"), (parent, "FINISHED"), (twin.info.run_id, "KILLED")):
        client.set_terminated(run, status, 1_700_000_123_456)
    going = client.create_run(where, run_name="going").info.run_id
    client.log_batch(going, [Metric("loss", 1.0, 5, 0)])
    mlflow.set_tracking_uri(None)
    gone = client.create_run(where, run_name="gone").info.run_id
    client.delete_run(gone)
    return client


def whole(uri: str, ids: dict[str, str]) -> dict[str, Any]:
    """Return all that a store has, with ids of it as others know them."""
    client = MlflowClient(uri)

    def known(text: Any) -> str:
        for here, there in ids.items():
            text = str(text).replace(here, there)
        return str(text)

    found: dict[str, Any] = {}
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            info, data = run.info, run.data
            points = {
                key: sorted(
                    (repr(p.value), p.timestamp, p.step)
                    for p in client.get_metric_history(info.run_id, key)
                )
                for key in data.metrics
            }
            models = [
                {
                    "about": (m.name, dict(m.params), m.status.value),
                    "metrics": [(x.key, x.value, x.step) for x in m.metrics or []],
                    "files": contents(files.of_model(client, m.model_id)),
                }
                for m in client.search_logged_models([experiment.experiment_id])
                if m.source_run_id == info.run_id
            ]
            tags = {k: known(v) for k, v in data.tags.items() if k not in OURS}
            found[known(info.run_id)] = {
                "about": (experiment.name, info.run_name, info.status),
                "times": (info.start_time, info.end_time),
                "said": (dict(data.params), tags, points, data.metrics.keys()),
                "inputs": [
                    (i.dataset.name, i.dataset.digest, i.dataset.schema, [t.value for t in i.tags])
                    for i in run.inputs.dataset_inputs
                ],
                "outputs": [o.step for o in run.outputs.model_outputs] if run.outputs else [],
                "files": contents(files.of_run(client, info.run_id)),
                "models": models,
            }
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name='{model.name}'")
        aliases = client.get_registered_model(model.name).aliases
        found[f"model {model.name}"] = {
            "about": (model.description, dict(model.tags)),
            "versions": [
                {
                    "said": (v.description, v.status, {k: known(v.tags[k]) for k in ("gate",)}),
                    "run": known(v.run_id),
                    "aliases": sorted(a for a, to in aliases.items() if int(to) == int(v.version)),
                    "files": contents_at(client, uri, v),
                }
                for v in sorted(versions, key=lambda v: int(v.version))
            ],
        }
    return found


def contents(repository: Any) -> dict[str, bytes]:
    root = getattr(repository, "artifact_dir", None)
    if root is None:
        return {
            path: Path(repository.download_artifacts(path)).read_bytes()
            for path in files.listed(repository)
        }
    # MLflow does not read names with # in them
    return {path: Path(root, path).read_bytes() for path in files.listed(repository)}


def contents_at(client: MlflowClient, uri: str, version: Any) -> dict[str, bytes]:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    place = client.get_model_version_download_uri(version.name, version.version)
    return contents(get_artifact_repository(place, tracking_uri=uri))


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """A function that moves, and returns the exit code and what was said."""

    def move(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["move", *words, "--json"])
        answer = json.loads(capsys.readouterr().out)
        assert "error" not in answer, answer
        return code, answer

    return move


def ids_of(facts: dict[str, Any]) -> dict[str, str]:
    return {run["to"]: run["from"] for run in facts["runs"]}


def test_all_is_there_and_once(stores: tuple[str, str], tmp_path: Path, said: Any) -> None:
    source, target = stores
    client = filled(source, tmp_path / "elsewhere")
    before = whole(source, {})
    code, planned = said(source, "--to", target, "--dry-run")
    assert (code, len(planned["runs"]), len(planned["versions"])) == (0, 4, 3)
    assert not MlflowClient(target).get_experiment_by_name("ships")
    code, first = said(source, "--to", target)
    assert (code, first["left"]) == (0, [])
    ids = ids_of(first)
    assert whole(target, ids) == before
    assert {(v["from"], v["to"]) for v in first["versions"]} == {("1", "1"), ("3", "2"), ("4", "3")}
    assert whole(source, {}) == before  # which is only read
    # the same line again: nothing is written
    code, again = said(source, "--to", target)
    assert code == 0
    assert {(r["from"], r["to"], r["points"], r["files"]) for r in again["runs"]} == {
        (old, new, 0, 0) for new, old in ids.items()
    }
    assert whole(target, ids) == before
    # and what came since is added, to what is there
    going = next(r["from"] for r in first["runs"] if r["status"] == "RUNNING")
    client.log_batch(going, [Metric("loss", 0.5, 6, 1)])
    client.set_terminated(going, "FINISHED", 99)
    _, added = said(source, "--to", target)
    assert sum(run["points"] for run in added["runs"]) == 1
    assert whole(target, ids) == whole(source, {})


def test_it_goes_on_after_a_break_anywhere(
    stores: tuple[str, str], tmp_path: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th thing that is written fails, for every n, before it is done or after."""
    source, target = stores
    filled(source, tmp_path / "elsewhere")
    before = whole(source, {})
    writes = ("create_run", "log_batch", "set_terminated", "create_model_version", "set_tag")
    writes += ("create_experiment", "create_logged_model", "log_inputs", "finalize_logged_model")
    writes += ("create_registered_model", "set_registered_model_alias", "log_outputs")
    left = [0]

    def breaking(name: str) -> Any:
        plain = getattr(MlflowClient, name)

        def write(self: Any, *args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            made = plain(self, *args, **options)
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return made

        return write

    with monkeypatch.context() as patched:
        for name in writes:
            patched.setattr(MlflowClient, name, breaking(name))
        for number in range(1, 90, 5):
            left[0] = number
            if main(["move", source, "--to", target]) == 0:
                break
    assert number > 20
    assert left[0] > 0, "it broke off to the end"
    code, facts = said(source, "--to", target)
    assert not facts["left"]
    assert code == 0
    assert all(run["was_there"] for run in facts["runs"])
    assert whole(target, ids_of(facts)) == before


def test_two_stores_with_like_names_go_to_one(
    stores: tuple[str, str], tmp_path: Path, said: Any
) -> None:
    source, target = stores
    filled(source, tmp_path / "elsewhere")
    second = f"sqlite:///{tmp_path / 'second.db'}"
    shutil.copyfile(tmp_path / "team.db", tmp_path / "second.db")
    (tmp_path / "beside").mkdir()
    filled(second, tmp_path / "beside")
    _, first = said(source, "--to", target)
    code, other = said(second, "--to", target)
    assert (code, other["left"]) == (0, [])
    assert [v["to"] for v in other["versions"]] == ["4", "5", "6"]
    assert ["@champion" in note for note in other["notes"]].count(True) == 1
    client = MlflowClient(target)
    assert client.get_model_version_by_alias("ships", "champion").version in (3, "3")
    both = whole(target, {**ids_of(first), **ids_of(other)})
    both.pop("model ships")
    for uri in (source, second):
        one = whole(uri, {})
        one.pop("model ships")
        assert one.items() <= both.items() or all(both[key] == one[key] for key in one)


def test_a_folder_of_before_goes_too(
    stores: tuple[str, str], tmp_path: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    source, target = f"file://{tmp_path / 'old runs'}", stores[1]
    filled(source, tmp_path / "elsewhere")
    code, facts = said(str(tmp_path / "old runs"), "--to", target)
    assert not facts["left"]
    assert code == 0
    client, old = MlflowClient(target), MlflowClient(source)
    for run in facts["runs"]:
        for key in old.get_run(run["from"]).data.metrics:
            there = {(p.timestamp, p.step) for p in client.get_metric_history(run["to"], key)}
            here = {(p.timestamp, p.step) for p in old.get_metric_history(run["from"], key)}
            assert there == here, key


WRONG = {
    "the same store": (["{source}", "--to", "{source}"], "Both are"),
    "no such file": (["sqlite:///no.db", "--to", "{target}"], "There is no store"),
    "no such folder": (["no-such", "--to", "{target}"], "no"),
    "no such experiment": (["{source}", "--to", "{target}", "--experiment", "x"], "'x'"),
    "nobody answers": (["{source}", "--to", "http://127.0.0.1:9"], "127.0.0.1:9"),
    "a deleted experiment": (["{source}", "--to", "{target}"], "restore"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_moved_is_said_in_one_line(
    case: str, stores: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = stores
    if case == "a deleted experiment":
        for uri in stores:
            client = MlflowClient(uri)
            made = client.create_experiment("twice")
            client.create_run(made)
        client.delete_experiment(made)
    words, reason = WRONG[case]
    code = main(["move", *(word.format(source=source, target=target) for word in words)])
    printed = capsys.readouterr()
    said = printed.err + printed.out
    assert code != 0
    assert reason in said
    assert "Traceback" not in said
    assert not Path("no.db").exists()


def test_files_that_are_not_there_any_more_are_said(
    stores: tuple[str, str], tmp_path: Path, said: Any
) -> None:
    source, target = stores
    client = filled(source, tmp_path / "elsewhere")
    for run in client.search_runs([client.get_experiment_by_name("ships").experiment_id]):
        client.set_tag(run.info.run_id, "cvtrack.run_key", "x")
    shutil.rmtree(tmp_path / "elsewhere")
    code, facts = said(source, "--to", target)
    assert code == 1
    assert "their folder" in facts["left"][0]
