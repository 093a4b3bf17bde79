"""Several metrics: what no other trial beats in all of them, as a list, a table and a picture."""

from __future__ import annotations

import io
import itertools
from typing import Any

import pytest
from PIL import Image

from cvtrack_magics import log, mlbest, mlsweep
from cvtrack_magics.display.front_png import front_png
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.sweep.best import Front
from tests.store_views import runs_of

pytestmark = pytest.mark.usefixtures("script")
TWO: dict[str, Any] = {"metric": ["val/acc", "latency_ms"]}


def body(trial: Any) -> None:
    width = trial.suggest_int("width", 1, 9)
    wasted = trial.suggest_int("wasted", 0, 1)
    log({"val/acc": width - wasted, "latency_ms": width + wasted})


def test_the_front_is_what_no_other_beats(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = mlsweep("s", body, **TWO, trials=8, seed=1)
    assert isinstance(found, Front)
    assert found
    assert all(one.values.keys() == {"val/acc", "latency_ms"} for one in found)
    values = [(-one.values["val/acc"], one.values["latency_ms"]) for one in found]
    assert values == sorted(values)
    assert all(a[1] >= b[1] for a, b in itertools.pairwise(values))
    parent = runs_of(store)["s"]
    assert parent.data.tags["cvtrack.front_trials"] == ",".join(str(one.trial) for one in found)
    assert parent.data.params["sweep.direction"] == "maximize, minimize"
    capsys.readouterr()
    again = mlbest("s")
    assert isinstance(again, Front)
    assert [one.trial for one in again] == [one.trial for one in found]
    assert "none of its trials is the best" in capsys.readouterr().out
    shown = again._repr_mimebundle_()
    assert "val/acc, most is best · latency_ms, least is best" in shown["text/plain"]
    marked = [line for line in shown["text/plain"].splitlines() if line.startswith("  front")]
    assert len(marked) == len(found)
    assert "data:image/png" in shown["text/html"]
    assert "cvtrack-chart" in shown["text/html"]  # which turns with a dark page
    head, *rows = [line for line in shown["text/plain"].splitlines() if " finished" in f" {line}"]
    for words in zip(
        *(row.split("finished")[0].split()[-3:] for row in (head, *rows)), strict=True
    ):
        assert len({len(word.partition(".")[2]) for word in words}) == 1, words
    more = mlsweep("s", body, **TWO, trials=9, seed=1)
    assert isinstance(more, Front)
    with pytest.raises(UsageProblem, match="the metric"):
        mlsweep("s", body, metric="val/acc", trials=10)


def test_a_rule_keeps_a_trial_off_the_front(store: str) -> None:
    def objective(trial: Any) -> tuple[float, float]:
        width = trial.suggest_int("width", 1, 9)
        return width, width

    found = mlsweep("s", objective, **TWO, trials=6, require=["size<=3"], seed=1)
    assert found is None  # none says its size
    found = mlsweep("t", objective, **TWO, trials=6, seed=1)
    assert isinstance(found, Front)
    assert len({one.value for one in found}) == len({one.params["width"] for one in found})


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a pruner": ({"pruner": "median"}, "Optuna prunes by one metric"),
    "seeds": ({"seeds": 3}, "--seeds does not go with several"),
    "a last look": ({"test_metric": "test/acc"}, "--test-metric does not go with several"),
    "one direction": ({"direction": ["maximize"]}, "2 metrics have 1 directions"),
    "no direction": ({"metric": ["val/acc", "thing"]}, "'thing' tells no direction"),
    "none": ({"metric": []}, "what is to be best"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_before_any_run(store: str, name: str) -> None:
    given, said = BAD[name]
    with pytest.raises(UsageProblem, match=said):
        mlsweep("s", body, **{**TWO, **given})
    assert not runs_of(store)


@pytest.mark.parametrize(
    ("returned", "said"),
    [((1.0,), "returned 1 numbers for 2 metrics"), ((1.0, float("nan")), "latency_ms .* is NaN")],
)
def test_what_a_body_returns_is_a_value_for_each(store: str, returned: Any, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        mlsweep("s", lambda _: returned, **TWO, trials=1)


def test_a_picture_of_any_names_and_values() -> None:
    points = [(1.0, 2.0), (float("inf"), 1.0), (2.0, 3.0)]
    png = front_png(("$a_{$", "<b>\x00名"), points, ["0", "1", "2"], {0})
    assert png is not None
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    assert front_png(("a", "b"), [(float("nan"), 1.0)], ["0"], set()) is None
