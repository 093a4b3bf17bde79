"""No model that an export would get wrong is exported; nothing of it stays on disk."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from cvtrack_magics.errors import ExportRefused
from cvtrack_magics.release.export import export
from tests.release.export.traps import KEPT_BY_SCRIPT, traps

TRAPS = traps()


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_refused_in_onnx(name: str, tmp_path: Path) -> None:
    model, example, dynamic = copy.deepcopy(TRAPS[name])
    with pytest.raises(ExportRefused) as refused:
        export(model, example, tmp_path / "made" / "here", dynamic=dynamic)
    report = refused.value.report
    assert report.problem
    assert report.tries
    assert len(refused.value._render_traceback_()) == 1
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", TRAPS)
def test_torchscript_takes_only_what_it_keeps(name: str, tmp_path: Path) -> None:
    model, example, dynamic = copy.deepcopy(TRAPS[name])
    try:
        made = export(model, example, tmp_path / "made", format="torchscript", dynamic=dynamic)
    except ExportRefused:
        assert name not in KEPT_BY_SCRIPT
        assert not (tmp_path / "made").exists()
    else:
        assert name in KEPT_BY_SCRIPT
        assert made.exporter == "torch.jit.script"


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_refused_in_pt2(name: str, tmp_path: Path) -> None:
    model, example, dynamic = copy.deepcopy(TRAPS[name])
    with pytest.raises(ExportRefused):
        export(model, example, tmp_path / "made", format="pt2", dynamic=dynamic)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("Stubborn", "drop (Dropout)"),
        ("StubbornNorm", "norm (BatchNorm1d)"),
        ("NaN", "a (Linear)"),
        ("DeepBranchFixed", "body.1 (Branch)"),
    ],
)
def test_the_layer_is_named(name: str, layer: str, tmp_path: Path) -> None:
    model, example, dynamic = copy.deepcopy(TRAPS[name])
    with pytest.raises(ExportRefused) as refused:
        export(model, example, tmp_path, dynamic=dynamic)
    assert refused.value.report.layer == layer
    assert any(layer in line for line in refused.value.report.lines())


def test_a_layer_that_computes_something_else_is_found(tmp_path: Path) -> None:
    """The exporters see numpy's result as a constant, so only comparing finds it."""
    torch.manual_seed(0)  # weights of which both ways are taken
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 4), copy.deepcopy(TRAPS["NumpyBranch"][0]), torch.nn.Linear(4, 3)
    )
    with pytest.raises(ExportRefused) as refused:
        export(model, torch.randn(1, 4), tmp_path, format="torchscript", dynamic=())
    report = refused.value.report
    assert report.stage in ("export", "parity")
    assert report.layer == "1 (NumpyBranch)"
