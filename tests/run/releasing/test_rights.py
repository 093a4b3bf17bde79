"""What the server does not allow, or answers cut: one line, and the registry in one piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from cvtrack_magics import mlcard, mlcheck, mleval, mlgate, mlmodel, mlrun
from cvtrack_magics.cli import main
from cvtrack_magics.errors import CvtrackError, StoreUnavailable
from cvtrack_magics.store.asking import asking, said_by
from tests.conftest import Server
from tests.faults.proxy import Fault, Proxy
from tests.run.releasing.conftest import RowSums, inputs, predicted, truth

RULE = "test/top1_acc >= 0.5"
FILES, BODIES = "mlflow-artifacts", 1  # requests with a body: what is written


def measured() -> Any:
    from cvtrack_magics import Predictions

    return Predictions.classification(
        inputs().numpy(), truth(), probabilities=predicted(30), ids=range(300)
    )


def register(name: str, run: str = "") -> None:
    mlmodel(RowSums(), inputs()[:2], register=name, run=run, force=True)


def gate(**options: Any) -> Any:
    return mlgate("shapes", require=[RULE], unproved=True, **options)


ACTS: dict[str, Callable[[], Any]] = {
    "gate": lambda: gate(soft=True),
    "promote": lambda: gate(promote=True),
    "card": lambda: mlcard("shapes"),
    "check": lambda: mlcheck("shapes"),
    "register": lambda: register("shapes", "one"),
    "anew": lambda: register("fresh", "one"),
    "eval": lambda: mleval(measured(), prefix="again", figures=False, resamples=10, run="one"),
    "rollback": lambda: mlgate("shapes", rollback=True, reason="it is blurred"),
}
DENIED: list[tuple[str, Fault]] = [
    *(
        ("gate", Fault("403", only=only))
        for only in ("runs/get", "experiments/get", "logged-models", FILES)
    ),
    ("check", Fault("404", only=FILES)),
    ("card", Fault("torn", only=FILES)),
    *((act, Fault("403", only=FILES, limit=BODIES)) for act in ("promote", "card")),
    *((act, Fault("403", only="log-batch")) for act in ("card", "eval")),
    ("promote", Fault("403", only="registered-models/alias")),
    ("promote", Fault("403", only="registered-models/set-tag")),
    ("promote", Fault("403", only="model-versions/set-tag")),
    ("register", Fault("403", only="model-versions/create")),
    ("anew", Fault("403", only="registered-models/create")),
    ("rollback", Fault("403", only="registered-models/alias")),
]


@pytest.mark.server
def test_what_is_not_allowed_is_one_line_and_changes_nothing(
    server: Server, script: None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import mlflow

    proxy = Proxy(server.port)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.uri)
    client = mlflow.MlflowClient(server.uri, server.uri)

    def standing() -> Any:
        versions = client.search_model_versions("name='shapes'")
        return client.get_registered_model("shapes").aliases, len(versions)

    for name in ("one", "two"):
        with mlrun(name, tags={"task": "classification"}, plot=False, code=False):
            mleval(measured(), prefix="test", figures=False, resamples=10)
            register("shapes")
        gate(promote=True)
    register("shapes", "two")
    before, wrong = standing(), []
    for act, fault in DENIED:
        proxy.set(fault)
        try:
            ACTS[act]()
        except CvtrackError as error:
            said = error._render_traceback_()
            if len(said) != 1 or "Traceback" in said[0] or "Client Error" in said[0]:
                wrong.append((act, fault, said))
        except Exception as error:
            wrong.append((act, fault, [repr(error)]))
        else:
            wrong.append((act, fault, ["it went through"]))
        if not proxy.hits:
            wrong.append((act, fault, ["it was never asked"]))
        proxy.hits.clear()
        proxy.set(None)
        if standing() != before:
            wrong.append((act, fault, [f"{before} became {standing()}"]))
    assert not wrong
    _a_part_is_told(proxy, capsys)
    assert gate(promote=True).result.passed  # what is allowed again goes on
    proxy.close()


def _a_part_is_told(proxy: Proxy, capsys: Any) -> None:
    """The champion can move where the record of it cannot be written: it is said, and ended."""
    proxy.set(Fault("403", only="model-versions/set-tag"))
    capsys.readouterr()
    assert main(["gate", "shapes", "--rollback", "--reason", "it is blurred"]) == 2
    said = capsys.readouterr().err
    assert "Version 1 is the champion of 'shapes' now, and the record of it is not written" in said
    proxy.set(None)
    assert "rolled back" in repr(mlgate("shapes", history=True)) or gate(version="1", promote=True)


def answered(status: int, text: str) -> Exception:
    response = requests.Response()
    response.status_code, response._content = status, text.encode()
    return requests.HTTPError(f"{status} Client Error for url: http://h/a", response=response)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            answered(403, '{"error_code": "PERMISSION_DENIED", "message": "no\\nno"}'),
            "the store of files answers 403 Forbidden: PERMISSION_DENIED: no",
        ),
        (answered(404, "<html>gone"), "the store of files answers 404 Not Found"),
        (answered(799, "[1]"), "the store of files answers 799"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError(""), "ValueError"),
    ],
)
def test_what_a_store_says_is_one_line(error: Exception, said: str) -> None:
    assert said in said_by(error)
    assert "\n" not in said_by(error)
    with pytest.raises(StoreUnavailable, match="could not read it") as raised, asking("read it"):
        raise error
    assert len(raised.value._render_traceback_()) == 1


def test_the_stage_of_the_champion_can_be_asked_for_later(store: str, script: None) -> None:
    import mlflow

    with mlrun("one", plot=False, code=False):
        mleval(measured(), prefix="test", figures=False, resamples=10)
        register("shapes")
    gate(promote=True)
    for _ in range(2):
        gate(promote=True, stage=True)
    client = mlflow.MlflowClient()
    assert client.get_model_version("shapes", "1").current_stage == "Production"
    assert client.get_registered_model("shapes").aliases == {"champion": 1}


@pytest.mark.parametrize("word", ["--data", "--task", "--trust", "--soft"])
def test_what_only_a_notebook_has_is_said_so(word: str, store: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["gate", "shapes", word, "(x, y)"])
    assert ended.value.code == 2
    assert f"{word} is for a notebook" in capsys.readouterr().err
