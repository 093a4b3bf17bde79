"""Models in MLflow's hands: written, uploaded, registered, loaded and served over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.store.models import check_model_name, flavour_of, register
from tests.conftest import closed_uri, free_port
from tests.release.model.nets import (
    Classifier,
    encoded,
    photos,
    small_photos,
    stored,
    text,
)

PRE = "shorter:40|crop:32|float|normalize:imagenet"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of raw images."""
    folder = tmp_path_factory.mktemp("raw")
    return stored(Classifier(), small_photos(), folder, pre=PRE, post="softmax")[1]


class Scoring:
    """A real scoring server of MLflow."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.uri = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "scoring.log"
        port = self.uri.rpartition(":")[2]
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
        command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", port, "-w", "1"]
        # the server starts its workers by name
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PATH": path},
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/ping", timeout=2).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(self.log.read_text()) from None
                time.sleep(0.3)

    def ask(self, body: Any) -> tuple[int, Any]:
        """Return the status and the answer."""
        request = urllib.request.Request(
            f"{self.uri}/invocations",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture
def scoring(raw: Path, tmp_path: Path) -> Iterator[Scoring]:
    running = Scoring(raw, tmp_path)
    yield running
    running.stop()


def test_the_scoring_server_takes_images_in_every_form(scoring: Scoring, raw: Path) -> None:
    from cvtrack_magics.release.model.opening import open_model

    images = small_photos()
    arrays = [image.tolist() for image in images]
    texts = [text(encoded(image)) for image in images]
    wanted = open_model(raw).predict(images)
    forms: dict[str, Any] = {
        "inputs, arrays": {"inputs": arrays},
        "instances, arrays": {"instances": arrays},
        "inputs, base64": {"inputs": texts},
        "instances, base64": {"instances": texts},
        "inputs by name": {"inputs": {"image": texts}},
        "inputs, records": {"inputs": [{"image": one} for one in texts]},
        "data URI": {"inputs": [f"data:image/png;base64,{one}" for one in texts]},
        "split": {"dataframe_split": {"columns": ["image"], "data": [[one] for one in texts]}},
        "records": {"dataframe_records": [{"image": one} for one in texts]},
        "records of arrays": {"dataframe_records": [{"image": one} for one in arrays]},
    }
    for name, body in forms.items():
        status, answer = scoring.ask(body)
        assert status == 200, (name, answer)
        assert np.abs(np.array(answer["predictions"]) - wanted).max() <= 1e-6, name

    cut = images[1][:50, :41]
    status, answer = scoring.ask({"inputs": [arrays[0], cut.tolist()]})
    assert status == 200, answer
    mixed = open_model(raw).predict([images[0], cut])
    assert np.abs(np.array(answer["predictions"]) - mixed).max() <= 1e-6

    large = [text(encoded(photo, "JPEG")) for photo in photos()]
    status, answer = scoring.ask({"inputs": large})
    files = [encoded(photo, "JPEG") for photo in photos()]
    assert np.abs(np.array(answer["predictions"]) - open_model(raw).predict(files)).max() <= 1e-6

    refused = {
        "not a readable image": {"inputs": [text(b"hello there")]},
        "not base64": {"inputs": ["/etc/passwd"]},
        "expected uint8, got float64": {"inputs": [[[[0.5, 0.5, 0.5]]]]},
        "height × width × 3, got 1 × 1 × 4": {"inputs": [[[[1, 2, 3, 4]]]]},
        "damaged or cut short": {"inputs": [text(encoded(images[0])[:900])]},
        "no images": {"dataframe_split": {"columns": ["image"], "data": []}},
    }
    for said, body in refused.items():
        status, answer = scoring.ask(body)
        assert 400 <= status < 500, (said, status, answer)
        line = json.dumps(said, ensure_ascii=True).strip('"')
        assert said in answer or line in answer, (said, answer[-600:])
    assert scoring.ask({"inputs": texts})[0] == 200


def test_the_saved_folder(raw: Path) -> None:
    import mlflow

    about = mlflow.models.Model.load(str(raw))
    assert about.signature.inputs.input_names() == ["image"]
    assert about.signature.outputs.inputs[0].shape == (-1, 3)
    assert flavour_of((raw / "MLmodel").read_text()) == "python_function"
    example = json.loads((raw / "serving_input_example.json").read_text())
    loaded = mlflow.pyfunc.load_model(str(raw))
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    parsed = infer_and_parse_data(example, about.signature.inputs)
    assert loaded.predict(parsed).shape == (1, 3)
    lines = (raw / "requirements.txt").read_text()
    assert f"torch=={torch.__version__.partition('+')[0]}" in lines
    assert "cvtrack" not in lines


def test_an_uploaded_folder_is_loaded_from_its_run_and_registered(raw: Path, store: str) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=store, registry_uri=store)
    run_id = client.create_run("0").info.run_id
    client.log_artifacts(run_id, str(raw), "detector")
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    wanted = mlflow.pyfunc.load_model(str(raw)).predict({"image": small_photos()})
    by_run = mlflow.pyfunc.load_model(f"runs:/{run_id}/detector")
    assert np.array_equal(by_run.predict({"image": small_photos()}), wanted)

    made = register(store, "parts detector", run_id, "detector")
    assert (made.version, made.run_id) == ("1", run_id)
    assert made.source.endswith(f"{run_id}/artifacts/detector")
    assert register(store, "parts detector", run_id, "detector/").version == "2"
    by_name = mlflow.pyfunc.load_model("models:/parts detector/1")
    assert np.array_equal(by_name.predict({"image": small_photos()}), wanted)
    with pytest.raises(UsageProblem, match="has no model at nowhere"):
        register(store, "parts detector", run_id, "nowhere")
    with pytest.raises(CvtrackError, match="could not be registered"):
        register(store, "parts detector", "f" * 32, "detector")


@pytest.mark.server
def test_registered_over_http(raw: Path, server: Any) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=server.uri, registry_uri=server.uri)
    run_id = client.create_run("0").info.run_id
    client.log_artifacts(run_id, str(raw), "model")
    assert register(server.uri, "net", run_id, "model").version == "1"
    mlflow.set_tracking_uri(server.uri)
    mlflow.set_registry_uri(server.uri)
    loaded = mlflow.pyfunc.load_model("models:/net/1")
    assert loaded.predict({"image": small_photos()}).shape == (2, 3)


def test_a_registry_that_is_not_there() -> None:
    with pytest.raises(CvtrackError, match="could not be registered"):
        register(closed_uri(), "net", "f" * 32, "model")


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "a/b", "../x", "a:1", "a\nb", "a\x00", "<b>x</b>", "a\u202eb", "x" * 300],
)
def test_names_that_no_registered_model_may_have(name: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        register(closed_uri(), name, "f" * 32, "model")
    assert "\n" not in str(caught.value)
    assert "<" not in str(caught.value) or "'<'" in str(caught.value)


def test_names_that_one_may_have() -> None:
    for name in ("cv-resnet50-classifier", "Teile Prüfung (v2)", "部品.検査", "a_b+c"):
        assert check_model_name(name) == name


@pytest.mark.parametrize(
    ("content", "flavour"),
    [
        ("flavors: {python_function: {}, pytorch: {}}", "pytorch"),
        ("flavors: {python_function: {}}", "python_function"),
        ("flavors: [1]", ""),
        ("text", ""),
        ("{", ""),
        ("!!python/object/apply:os.getcwd []", ""),
        ("flavors: &a [*a]", ""),
        ("[" * 5000, ""),
        ("a: !!timestamp x", ""),
    ],
)
def test_flavours(content: str, flavour: str) -> None:
    assert flavour_of(content) == flavour
