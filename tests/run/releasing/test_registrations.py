"""Each registration has a folder and a digest of its own, and answers as it did that day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cvtrack_magics import mlbench, mlcard, mlgate, mlload, mlmodel, mlrun
from cvtrack_magics.cli import main
from cvtrack_magics.errors import CvtrackError, GateRefused
from cvtrack_magics.store.model_files import DIGEST_TAG
from tests.store_views import version_folder

EXAMPLE = torch.ones(2, 3)


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def answer(reference: str) -> float:
    return float(mlload(reference).predict(EXAMPLE.numpy())[0, 0])


def keep(factor: float, **options: Any) -> Any:
    return mlmodel(Times(factor), EXAMPLE, **options)


def client() -> Any:
    from mlflow import MlflowClient

    return MlflowClient()


def one_run_twice() -> None:
    with mlrun("a", plot=False, code=False):
        keep(1.0, register="m")
        keep(2.0, register="m")


def one_run_three_names() -> None:
    with mlrun("a", plot=False, code=False):
        keep(1.0, register="m", name="left")
        keep(2.0, register="m", name="right")


def again_without_registration() -> None:
    with mlrun("a", plot=False, code=False):
        keep(1.0, register="m")
        keep(7.0)
        keep(2.0, register="m")


def finished_run_named() -> None:
    with mlrun("a", plot=False, code=False):
        keep(1.0, register="m")
    keep(7.0, run="a")
    keep(2.0, run="a", register="m")


def recorded_then_registered() -> None:
    with mlrun("a", plot=False, code=False):
        keep(7.0)
        keep(1.0, register="m")
        keep(2.0, register="m")


def two_models_of_one_run() -> None:
    with mlrun("a", plot=False, code=False):
        keep(1.0, register="m")
        keep(7.0, register="other")
        keep(2.0, register="m")
    assert answer("other/1") == 7.0


def two_runs() -> None:
    for factor in (1.0, 2.0):
        with mlrun(f"run {factor}", plot=False, code=False):
            keep(factor, register="m")


def nested_folder() -> None:
    with mlrun("a", plot=False, code=False):
        keep(1.0, register="m", name="models/best")
        keep(2.0, register="m", name="models/best")


def same_network_twice() -> None:
    with mlrun("a", plot=False, code=False):
        keep(1.0, register="m")
        keep(1.0, register="m")
        keep(2.0, register="n")
    client().create_registered_model("unused")
    assert (
        client().get_model_version("m", "1").source != client().get_model_version("m", "2").source
    )
    client().delete_model_version("m", "2")
    client().create_model_version("m", client().get_model_version("n", "1").source)


def by_hand_from_its_folder() -> None:
    """A hand-made version of a plain recording: it must not change either."""
    with mlrun("a", plot=False, code=False) as run:
        keep(1.0)
        [model] = client().search_logged_models([client().get_run(run.run_id).info.experiment_id])
        client().create_registered_model("m")
        client().create_model_version("m", model.artifact_location, run.run_id)
        keep(7.0)
        keep(2.0, register="m")


SCENES: list[Callable[[], None]] = [
    one_run_twice,
    one_run_three_names,
    again_without_registration,
    finished_run_named,
    recorded_then_registered,
    two_models_of_one_run,
    two_runs,
    nested_folder,
    same_network_twice,
    by_hand_from_its_folder,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_versions_keep_their_answers(scene: Callable[[], None], store: str, script: None) -> None:
    scene()
    versions = sorted(client().search_model_versions("name='m'"), key=lambda v: int(v.version))
    assert [answer(f"m/{v.version}") for v in versions] == [1.0, 2.0]
    assert len({version.source for version in versions}) == 2
    tagged = [v.tags[DIGEST_TAG] for v in versions if DIGEST_TAG in v.tags]
    assert len(tagged) == len(set(tagged))
    assert tagged or scene is same_network_twice


def _folder(version: str) -> Path:
    return version_folder("m", version)


def test_every_altered_file_is_noticed_and_a_copy_takes_its_own_source(
    store: str, script: None
) -> None:
    one_run_twice()
    client().create_registered_model("copies")
    client().copy_model_version("models:/m/2", "copies")
    assert answer("copies/1") == 2.0
    folder = _folder("1")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        with pytest.raises(CvtrackError, match="m version 1 are not those that were registered"):
            mlload("m/1")
        path.write_bytes(content)
    more = folder / "more.txt"
    more.write_text("more", "utf-8")
    with pytest.raises(CvtrackError, match="not those"):
        mlload("m/1")
    more.unlink()
    assert answer("m/1") == 1.0


ALTERED = "not those that were registered: their SHA-256 differs"


def _by_load() -> None:
    mlload("m/1")


def _by_bench() -> None:
    mlbench("m/1", EXAMPLE[:1], batches=(1,), seconds=0.05, runners=("eager",))


def _by_card() -> None:
    mlcard("m/1")


def _by_gate() -> None:
    mlgate("m", version="1", require=["size_mb(model) <= 9"], unproved=True, promote=True)


def _by_data() -> None:
    mlgate("m", version="1", data=(EXAMPLE, [0, 1]), task="classification", champion="val/top1_acc")


def _by_rollback() -> None:
    mlgate("m", rollback=True)


DOORS = [_by_load, _by_bench, _by_card, _by_gate, _by_data, _by_rollback]


def _flipped(content: bytes) -> bytes:
    """Return the content with one bit of its middle changed, or something where nothing was."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] if content else b"x"


@pytest.fixture
def released(store: str, script: None) -> Path:
    """Return the folder of version 1, which was the champion before version 2."""
    one_run_twice()
    for version in ("1", "2"):
        mlgate("m", version=version, require=["size_mb(model) <= 9"], unproved=True, promote=True)
    return _folder("1")


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__.removeprefix("_by_"))
def test_every_altered_artifact_is_noticed_at_every_door(
    door: Callable[[], None], released: Path
) -> None:
    files = sorted(path for path in released.rglob("*") if path.is_file())
    assert {"MLmodel", "serving.json", "model.pt2"} <= {path.name for path in files}
    for at, path in enumerate(files):
        content = path.read_bytes()
        other = (_flipped(content), content[:-1], None)[at % 3]
        path.unlink() if other is None else path.write_bytes(other)
        with pytest.raises(CvtrackError, match=ALTERED):
            door()
        path.write_bytes(content)
    (released / "more.py").write_text("more", "utf-8")
    with pytest.raises(CvtrackError, match=ALTERED):
        door()


def test_the_shell_and_the_history_tell_of_altered_files(
    released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["gate", "m", "--version", "1", "--unproved", "--require", "size_mb(model) <= 9"]
    assert main(ask) == 0
    path = released / "requirements.txt"
    path.write_text(f"{path.read_text('utf-8')}\nmore", "utf-8")
    assert main([*ask, "--promote"]) == 1
    assert ALTERED in capsys.readouterr().out
    assert client().get_model_version_by_alias("m", "champion").version in (2, "2")
    assert [entry.what for entry in mlgate("m", history=True).result][-1] == "refused"
    with pytest.raises(GateRefused):
        _by_gate()
