"""What torchmetrics' compute() and scikit-learn's metric functions give a run's cell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cvtrack_magics.notebook.computed import ComputedMetrics, may_have_metrics
from tests.conftest import Shell
from tests.store_views import points, runs_of

ABOVE = """
import torch
import sklearn.metrics as M
from sklearn.metrics import accuracy_score, f1_score
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy
acc = MulticlassAccuracy(3, average="micro")
both = MetricCollection({"micro": MulticlassAccuracy(3, average="micro")})
def own():
    return accuracy_score([1], [0])
"""
CELL = """
for epoch in range(2):
    acc.update(torch.tensor([0, 1, 2, epoch]), torch.tensor([0, 1, 2, 0]))
    both.update(torch.tensor([0]), torch.tensor([0]))
    value = acc.compute()
    both.compute()
    acc.reset()
own()
test = accuracy_score([1, 0], [1, 1])
train = f1_score([1, 0], [1, 1])
again = f1_score([1, 1], [1, 1])
print(M.mean_squared_error([1.0], [3.0]))
"""


def test_metrics_are_recorded_under_their_names(shell: Shell, store: str) -> None:
    shell.run(ABOVE)
    shell.run(f"%%mlrun a{CELL}")
    shell.run(f"%%mlrun logs{CELL}log({{'loss': 0.5}})")
    shell.run(f"%%mlrun left --no-auto{CELL}")
    found = runs_of(store)
    run = found["a"]
    assert points(store, run, "torchmetrics/acc") == [(0, 1.0), (1, 0.75)]
    assert points(store, run, "torchmetrics/micro") == [(0, 1.0), (1, 1.0)]
    assert points(store, run, "sklearn/accuracy_score") == [(0, 0.5)]
    assert points(store, run, "sklearn/f1_score/again") == [(0, 1.0)]
    assert points(store, run, "sklearn/mean_squared_error") == [(0, 4.0)]
    assert "acc.model" not in run.data.params  # a metric is a module, and no network
    for name in ("logs", "left"):
        assert not [key for key in found[name].data.metrics if "/acc" in key], name


@pytest.mark.parametrize(
    "code",
    [
        "x.compute(1)",
        "f().compute()",
        "def f(): return m.compute()",
        "g = lambda: log_loss(a, b)",
        "class A:\n    a = m.compute()",
        "scores[0](a)",
        "score = fit(a, b)",
    ],
)
def test_what_is_no_call_of_a_metric_at_the_top_is_left(code: str) -> None:
    tree = ast.parse(code)
    before = ast.dump(tree)
    assert ast.dump(ComputedMetrics(lambda: True).visit(tree)) == before


def test_cells_without_metrics_are_told_at_once() -> None:
    assert not may_have_metrics("for epoch in range(3):\n    print(epoch)")
    assert may_have_metrics("acc.compute()")
    assert may_have_metrics("M.f1_score(a, b)")


def test_an_error_of_a_metric_is_the_users_own(shell: Shell, store: str) -> None:
    shell.run("from sklearn.metrics import accuracy_score")
    said = shell.run("%%mlrun a\naccuracy_score([1], [1, 2])")
    assert said.count("Traceback (most recent call last)") == 1
    assert "_cvtrack_computed" not in said
    assert runs_of(store)["a"].info.status == "FAILED"


def test_the_shell_is_given_back(shell: Shell, tmp_path: Path) -> None:
    assert any(isinstance(one, ComputedMetrics) for one in shell.ip.ast_transformers)
    shell.run("%unload_ext cvtrack_magics")
    assert not any(isinstance(one, ComputedMetrics) for one in shell.ip.ast_transformers)
    shell.run("%load_ext cvtrack_magics")
