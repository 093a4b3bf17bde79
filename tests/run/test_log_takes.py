"""``log()`` takes what people give it, and never ends a training."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from cvtrack_magics import log, mlrun
from tests.store_views import artifact_names, points, runs_of

matplotlib.use("Agg")


class Raises:
    """An object of which everything raises that it is asked for."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    __float__ = __len__ = __array__ = __str__ = __repr__ = lambda self: 1 / 0


def a_figure() -> Any:
    import matplotlib.pyplot as plt

    figure = plt.figure()
    plt.close(figure)
    return figure


SET_ASIDE: dict[str, Any] = {
    "text": "high",
    "nothing": None,
    "bytes": b"1",
    "a dict": {"acc": 1.0},
    "an empty array": np.ones(0),
    "an empty list": [],
    "text in an array": np.array(["a", "b"]),
    "objects in an array": np.array([object(), None]),
    "an object": object(),
    "raises": Raises(),
    "a set": {1, 2},
    "complex": 1j,
    "a function": len,
    "a generator": (x for x in (1, 2)),
    "a dtype": torch.float32,
    "counts and edges": np.histogram([1.0, 2.0, 4.0]),
    "rows of several lengths": [[1.0, 2.0], [3.0]],
    "boxes and labels": (torch.zeros(2, 4), torch.zeros(2)),
}
MANY: dict[str, Any] = {
    "array": np.array([1.0, 2.0, 6.0]),
    "integers": np.array([1, 2, 6]),
    "list": [1, 2, 6],
    "tuple": (1.0, 2.0, 6.0),
    "tensor": torch.tensor([1.0, 2.0, 6.0]),
    "with a gradient": torch.tensor([1.0, 2.0, 6.0], requires_grad=True),
    "half": torch.tensor([1.0, 2.0, 6.0], dtype=torch.bfloat16),
    "with NaN": np.array([1.0, np.nan, 2.0, np.inf, 6.0]),
    "weights": np.array([[1.0, 2.0, 6.0], [3.0, 3.0, 3.0]]),
    "four axes": np.array([1.0, 2.0, 6.0, 3.0]).reshape(2, 2, 1, 1),
}
PICTURES: dict[str, Any] = {
    "H×W": np.zeros((12, 10), np.uint8),
    "H×W×3": np.zeros((12, 10, 3), np.uint8),
    "H×W×4": np.zeros((12, 10, 4), np.uint8),
    "H×W×1": np.zeros((12, 10, 1), np.uint8),
    "a mask": np.zeros((12, 10), bool),
    "floats": np.full((12, 10, 3), 0.5),
    "a heat map": np.full((12, 10), 0.5, np.float32),
    "C×H×W": torch.zeros(3, 12, 10),
    "bytes of a tensor": torch.zeros(3, 12, 10, dtype=torch.uint8),
    "not in a row": np.zeros((12, 20, 3), np.uint8)[:, ::2],
    "PIL": Image.new("RGB", (10, 12)),
    "PIL grey": Image.new("L", (10, 12)),
    "a figure": a_figure(),
}

pytestmark = pytest.mark.usefixtures("script")


def test_what_is_no_number_is_set_aside_and_said_once(store: str) -> None:
    with mlrun("odd", output=False) as run:
        for step in range(3):
            for name, value in SET_ASIDE.items():
                log({"good": 1.0, name: value}, step=step)
    (found,) = runs_of(store).values()
    assert {step for step, _ in points(store, found, "good")} == {0, 1, 2}
    said = run.summary.notices
    for name in SET_ASIDE:
        assert len([line for line in said if line.startswith(f"{name!r} ")]) == 1, (name, said)
    assert all("test_log_takes.py, line" in line for line in said)
    for name in ("counts and edges", "rows of several lengths", "boxes and labels"):
        assert any(line.startswith(name.join("''")) and "not one number" in line for line in said)
    assert found.info.status == "FINISHED"


CALLS: dict[str, Any] = {
    "a name and a value": lambda: log("ok", 1.0),
    "a name and a value at a step": lambda: log("ok", 1.0, step=7),
    "a decimal": lambda: log(ok=Decimal("1")),
    "no dict": lambda: (log([1, 2]), log(ok=1)),
    "a dict and a name": lambda: log({"ok": 1}, other=2),
    "nothing": lambda: (log(), log({}), log(None), log(ok=1)),
    "a name without a value": lambda: (log("ok"), log("ok", 1)),
    "a step by place": lambda: log("ok", 1.0, 3),
    "a step by place behind a dict": lambda: log({"ok": 1.0}, 3),
    "more than a step": lambda: log("ok", 1.0, 3, "x", [4]),
    "a step twice": lambda: log("ok", 1.0, 3, step=4),
    "every of nothing": lambda: log({"ok": 1}, every=0),
    "every of less": lambda: log({"ok": 1}, every=-3),
    "every of text": lambda: log({"ok": 1}, every="a"),  # type: ignore[arg-type]
    "a step of text": lambda: log({"ok": 1}, step="first"),  # type: ignore[arg-type]
    "a step that raises": lambda: log({"ok": 1}, step=Raises()),  # type: ignore[arg-type]
    "a step that is NaN": lambda: log({"ok": 1}, step=float("nan")),  # type: ignore[arg-type]
    "a huge step": lambda: log({"ok": 1}, step=2**70),
    "a name that is a number": lambda: log({1: 2.0, "ok": 1}),  # type: ignore[dict-item]
    "an empty name": lambda: log({"": 2.0, "ok": 1}),
}


def test_no_call_raises_and_what_can_be_kept_is_kept(store: str) -> None:
    for way, call in CALLS.items():
        with mlrun(way, output=False):
            call()
    found = runs_of(store)
    for way in CALLS:
        assert [value for _, value in points(store, found[way], "ok")] == [1.0], way


def test_a_step_may_be_the_last_argument_by_place(store: str) -> None:
    with mlrun("r", output=False) as run:
        log("a", 1.0, 3)
        log({"b": 1.0}, 5)
        log({"c": 1.0}, np.int64(6))
        log("d", 1.0, None, step=7)
        log("e", 1.0, 8, step=9)
    (found,) = runs_of(store).values()
    steps = {name: [step for step, _ in points(store, found, name)] for name in "abcde"}
    assert steps == {"a": [3], "b": [5], "c": [6], "d": [7], "e": [9]}
    (line,) = [one for one in run.summary.notices if "test_log_takes.py" in one]
    assert "8 behind them is not recorded" in line


SAID: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a step of text": (
        lambda: log({"ok": 1}, step="first"),  # type: ignore[arg-type]
        ("step='first' of 'ok'", "a whole number is wanted", "step=epoch"),
    ),
    "a step of many": (
        lambda: log(dict.fromkeys("abcde", 1.0), step=2.5),  # type: ignore[arg-type]
        ("step=2.5 of 'a', 'b', 'c' and 2 more",),
    ),
    "a huge step": (lambda: log({"ok": 1}, step=2**70), (f"step={2**70} of 'ok'",)),
    "an empty name": (lambda: log({"": 2.0}), ("is empty", "text is wanted", "value 2.0")),
    "a number": (lambda: log({1: 2.0}), ("is 1 of type int, not text",)),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_said_of_a_bad_step_or_name_says_what_is_wanted(store: str, case: str) -> None:
    call, words = SAID[case]
    with mlrun("r", output=False) as run:
        call()
    (line,) = [one for one in run.summary.notices if "test_log_takes.py" in one]
    for word in words:
        assert word in line


def test_each_kind_of_name_that_is_no_text_is_said(store: str) -> None:
    names = (1, 2, b"x", None, (1, "a"))
    with mlrun("r", output=False) as run:
        for name in names:
            log({name: 2.0})  # type: ignore[dict-item]
    said = [one.split(", not text")[0] for one in run.summary.notices if "not text" in one]
    kinds = ["1 of type int", "b'x' of type bytes", "None of type NoneType"]
    kinds.append("(1, 'a') of type tuple")
    assert said == [f"the name of a metric is {kind}" for kind in kinds]


def test_arrays_of_many_values_have_three_curves(store: str) -> None:
    with mlrun("many", output=False) as run:
        for name, value in MANY.items():
            log({name: value}, step=4)
    (found,) = runs_of(store).values()
    for name in MANY:
        least, mean, most = (
            points(store, found, f"{name}/{part}") for part in ("min", "mean", "max")
        )
        assert (least, mean, most) == ([(4, 1.0)], [(4, 3.0)], [(4, 6.0)]), name
    assert sum("minimum" in line or "/mean" in line for line in run.summary.notices) == len(MANY)


def test_pictures_are_kept_as_pictures(store: str) -> None:
    import mlflow

    from cvtrack_magics.names import file_part

    with mlrun("pictures", output=False) as run:
        for name, value in PICTURES.items():
            log({name: value}, step=3)
    (found,) = runs_of(store).values()
    names = artifact_names(store, found)
    client = mlflow.MlflowClient(store)
    for name in PICTURES:
        path = f"visualisations/{file_part(name)}/step-000003.png"
        assert path in names, name
        with open(client.download_artifacts(found.info.run_id, path), "rb") as file:
            picture = Image.open(io.BytesIO(file.read()))
        assert name == "a figure" or picture.size == (10, 12), name
    assert not run.summary.notices
