"""Tables that a training displays, as libraries write their HTML."""

from __future__ import annotations

from cvtrack_magics.capture.output.printed import heads_epochs, row_of
from cvtrack_magics.capture.output.tables import LARGEST, rows_of

FASTAI = """<style>progress { border: none; }</style><table border="1" class="dataframe">
<thead><tr style="text-align: left;"><th>epoch</th><th>train_loss</th><th>valid_loss</th>
<th>error_rate</th><th>time</th></tr></thead><tbody><tr><td>0</td><td>0.163</td><td>0.021</td>
<td>0.008</td><td>00:11</td></tr></tbody></table>"""
TRAINER = """<div><progress value='20' max='20'></progress>[20/20 00:03, Epoch 2/2]</div>
<table><thead><tr><th>Step</th><th>Training Loss</th><th>Validation Loss</th></tr></thead>
<tbody><tr><td>10</td><td>0.690500</td><td>No log</td></tr><tr><td>20</td><td>0.41</td><td>0.5
</td></tr></tbody></table><p>"""
FRAME = """<table><tr><th></th><th>epoch</th><th>loss</th></tr>
<tr><th>0</th><td>1</td><td>0.5</td></tr></table>"""


def test_rows_and_heads() -> None:
    ((heads, row),) = rows_of(FASTAI)
    assert heads == ["epoch", "train_loss", "valid_loss", "error_rate", "time"]
    assert heads_epochs(heads)
    found = row_of(heads, row)
    assert found is not None
    assert found.values == {"train_loss": 0.163, "valid_loss": 0.021, "error_rate": 0.008}
    assert found.step == 0


def test_cells_without_a_number_are_left() -> None:
    ((heads, first, second),) = rows_of(TRAINER)
    one, two = row_of(heads, first), row_of(heads, second)
    assert one is not None
    assert two is not None
    assert one.values == {"Training Loss": 0.6905}
    assert (two.values, two.step) == ({"Training Loss": 0.41, "Validation Loss": 0.5}, 20)


def test_what_is_no_table_of_epochs() -> None:
    assert not heads_epochs(["name", "loss"])
    assert not heads_epochs(["epoch"])
    assert not heads_epochs(["epoch", "time"])
    assert row_of(["epoch", "loss"], ["total", "0.5"]) is None
    assert row_of(["epoch", "loss"], ["1", "much"]) is None
    assert row_of(["epoch", "loss"], ["1"]) is None
    assert row_of([], []) is None


def test_html_of_any_kind_is_read_or_passed_over() -> None:
    assert rows_of("<b>no table</b>") == []
    assert rows_of("<table>" + "x" * LARGEST) == []
    assert rows_of("<table><td>lost</td></table>") == [[]]
    assert rows_of("<table><tr><td>&lt;script&gt;</td></tr></table>") == [[["<script>"]]]
    assert rows_of("<table><tr><td>open") == [[["open"]]]
    ((heads, row),) = rows_of(FRAME)
    assert (heads, row) == (["", "epoch", "loss"], ["0", "1", "0.5"])
