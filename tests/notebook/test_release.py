"""``%mlmodel`` to ``%mlcheck`` as typed in a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.store_views import artifact_names, runs_of

SETUP = """
import numpy as np, torch
from cvtrack_magics import Predictions
from tests.run.releasing.conftest import RowSums, inputs, predicted, truth
net, x = RowSums(), inputs()
def made(wrong):
    return Predictions.classification(
        x.numpy(), truth(), probabilities=predicted(wrong), ids=range(300))
"""
RUN = """%%mlrun {name} --task classification
%mleval made({wrong}) --prefix test --no-figures --resamples 100
%mlmodel net --example x[:2] --register shapes --force"""


def test_a_release_typed_line_by_line(shell: Any, store: str) -> None:
    shell.run(SETUP)
    said = shell.run(RUN.format(name="one", wrong=30))
    assert "shapes version 1. Recorded in run 'one'." in said
    said = shell.run("%mlgate shapes --require 'test/top1_acc>=0.85' --promote --unproved")
    assert "✓ shapes version 1" in said
    assert "Version 1 is the champion." in said
    shell.run(RUN.format(name="two", wrong=25))
    said = shell.run("%mlgate shapes --champion test/top1_acc --margin 0.005 --soft --unproved")
    assert "✗ shapes version 2" in said
    assert "GateRefused" not in said
    said = shell.run("%mlgate shapes --champion test/top1_acc --margin 0.005 --promote --unproved")
    assert "✗ shapes version 2" in said
    assert "GateRefused: shapes version 2" in said
    said = shell.run("%mlexport onnx net --example x[:1] --run two")
    assert "✓ onnx: equal in" in said
    assert "onnx/evidence.json" in artifact_names(store, runs_of(store)["two"])
    said = shell.run("%mlbench net --example x[:1] --batch 1 --seconds 0.1 --runners eager")
    assert "eager@1: p50" in said
    assert "Not yet written: Intended use" in shell.run("%mlcard shapes")
    assert "Promotion of shapes version 2" in shell.run("%mlcheck shapes")
    assert "ChecklistNotMet: Not met: " in shell.run("%mlcheck one --strict")
    assert "array([0, 1, 2])" in shell.run(
        "m = %mlload shapes@champion\nm.predict(x[:3].numpy()).argmax(1)"
    )
    history = shell.run("%mlgate shapes --history")
    assert [word in history for word in ("passed", "promoted", "refused")] == [True] * 3


def test_a_refused_export_shows_its_report_and_then_one_line(shell: Any) -> None:
    shell.run(SETUP)
    said = shell.run(
        "class Forgotten(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.nn.functional.dropout(x, 0.5, training=True)\n"
        "%mlexport onnx Forgotten() --example x[:1]"
    )
    assert "✗ onnx: " in said
    assert "The export was not recorded." in said
    assert "ExportRefused: Not exported to onnx: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%mlmodel net", "%mlmodel: the following arguments are required: --example"),
        ("%mlmodel net --example x", "%mlmodel needs a run, and none is open"),
        ("%mlmodel nett --example x", "there is no 'nett' in this notebook. Did you mean 'net'?"),
        ("%mlexport oonx net --example x", "invalid choice: 'oonx'"),
        ("%mlexport onnx net --example x --opst 9", "Did you mean '--opset'?"),
        ("%mlbench net --example x --batch 0", "--batch '0': numbers of 1 and more"),
        ("%mlbench nobody --example x", "nobody"),
        ("%mlcard", "%mlcard needs a run or a registered model"),
        ("%mlload nothing@champion", "nothing"),
        ("%mlgate", "The gate needs a registered model."),
        ("%mlgate shapes --require 'a>=1'", "could not find the registered model 'shapes'"),
        ("%mlgate shapes --require 'a'", "a"),
        ("%mlgate shapes --file none.yaml", "none.yaml"),
        ("%mlcheck", "%mlcheck needs a run or a registered model"),
    ],
)
def test_a_bad_line_is_one_line(shell: Any, line: str, said: str) -> None:
    shell.run(SETUP)
    found = shell.run(line)
    assert said in found
    assert "Traceback" not in found
