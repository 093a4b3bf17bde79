"""What the ranks of a cell are given, and which numbers of them can be."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.ranks import plan as planning
from cvtrack_magics.run.ranks.identity import rank_of
from cvtrack_magics.run.ranks.plan import checked_count, plan_of

BODY = "%%mlrun train --ranks 2\nfit(build(width), data)"


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (["width = 3", "unused = 1", "def build(w): return w"], [0, 2]),
        (["%%mlskip\nshow(width)", "width = 3"], [1]),
        (["%%mlrun first\nimport random; random.seed(1); model = 1", "width = 3"], [1]),
        (["%%mlrun first\nwidth = tuned()", "other = 1"], [0]),
        (["%mltags team=cv\nother = 2", "width = 3"], [1]),
        (["width = 1 /", "width = 3"], [1]),
        (["%env DEPTH=3", "width = 3"], [0, 1]),
    ],
    ids=["needed", "skipped", "a run", "a run's name", "our magics", "failed", "effect"],
)
def test_the_cells_that_ranks_execute(cells: list[str], kept: list[int]) -> None:
    given = [
        "def fit(m, d): pass\ndata = []\ndef tuned(): return 1\ndef build(w): return w",
        *cells,
    ]
    plan = plan_of(2, [*given, BODY], BODY, {"width"}, failed={"width = 1 /"})
    assert plan.of == len(given)
    assert list(plan.cells[1:]) == [cells[at] for at in kept]


def test_a_line_of_ours_is_left_out_of_a_cell_that_is_needed() -> None:
    cells = ["if True:\n    %mlparams dict(lr=1)\n    width = 3", "%mlseed 3\nx = 1"]
    plan = plan_of(2, cells, "%%mlrun a --ranks 2\nwidth", {"width"})
    assert plan.cells == ("if True:\n    pass\n    width = 3", "%mlseed 3\nx = 1")


@pytest.mark.parametrize(
    ("cell", "said"),
    [("%%mlskip\nwidth = 3", "`width`"), ("%%mlsweep s\nwidth = 3", "sweep's cell")],
)
def test_what_ranks_cannot_have_is_said_before_a_run_is_opened(cell: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        plan_of(2, [cell], "%%mlrun a --ranks 2\nprint(width)", {"width"})


@pytest.mark.parametrize(
    ("count", "gpus", "platform", "has_torch", "said"),
    [
        (0, 0, "linux", True, "no number"),
        (10_000, 0, "linux", True, "no number"),
        (2, 0, "win32", True, "needs Linux or macOS"),
        (2, 0, "linux", False, "pip install torch"),
        (4, 1, "linux", True, "one GPU is there.*Say --ranks 1"),
        (4, 2, "linux", True, "2 GPUs are there.*Say --ranks 2"),
        (2, 2, "linux", True, ""),
        (4, 0, "darwin", True, ""),
    ],
)
def test_the_number_of_ranks(
    count: int,
    gpus: int,
    platform: str,
    has_torch: bool,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(planning, "_gpus", lambda: gpus)
    if not has_torch:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    if not said:
        assert checked_count(count) == count
        return
    with pytest.raises(UsageProblem, match=said):
        checked_count(count)


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"RANK": "1", "WORLD_SIZE": "2"}, 0),
        ({"RANK": "1", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x"}, 1),
        ({"RANK": "1", "WORLD_SIZE": "1", "MASTER_ADDR": "h"}, 0),
        ({"RANK": "0", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "h"}, 0),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0", "MASTER_ADDR": "h"}, 1),
        ({"LOCAL_RANK": "0", "NODE_RANK": "2", "MASTER_ADDR": "h"}, 2),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0", "MASTER_ADDR": "h"}, 0),
        ({"RANK": "two", "WORLD_SIZE": "2", "MASTER_ADDR": "h"}, 0),
    ],
)
def test_which_rank_a_process_is(environment: dict[str, str], rank: int) -> None:
    assert rank_of(environment) == rank
