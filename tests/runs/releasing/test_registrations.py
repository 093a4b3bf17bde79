"""Each registration has a folder and a digest of its own, and answers as it did that day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
import torch
from torch import nn

from cvtrack_magics import mlload, mlmodel, mlrun
from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.store.model_files import DIGEST_TAG

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
        root = client().get_run(run.run_id).info.artifact_uri
        client().create_registered_model("m")
        client().create_model_version("m", f"{root}/model", run.run_id)
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
    return Path(unquote(urlparse(client().get_model_version("m", version).source).path))


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
