"""``%mldata --against`` all the way: a line in a notebook, the run's files, and the gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvtrack_magics import mldata, mlrun
from cvtrack_magics.artifacts.codec import read
from cvtrack_magics.artifacts.data_check import DataCheck
from cvtrack_magics.artifacts.paths import check_listing_path, check_path
from cvtrack_magics.commands.candidate_loader import candidate_of
from cvtrack_magics.display.data_check_view import DataCheckView
from cvtrack_magics.release.gate import judge, parse_rules
from tests.conftest import Shell
from tests.pictures import encoded, pictures

RULES = ("leak(train, val) == 0", "conflicts(val) <= 0.01", "leak(pictures, val) <= 1")


def made(root: Path) -> tuple[Path, Path]:
    """Write two sets that share a picture, under two labels."""
    shown = pictures(6)
    for at, one in enumerate(shown):
        path = root / ("train" if at < 4 else "val") / f"c{at % 2}" / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(one))
    (root / "val/c1/copy.jpg").write_bytes(encoded(shown[0], "JPEG"))
    return root / "train", root / "val"


def test_a_check_is_recorded_and_judged(store: str, own_world: Path) -> None:
    train, val = made(own_world)
    with mlrun("checked", code=False):
        view = mldata(train, against=val, name="pictures")
    assert isinstance(view, DataCheckView)
    assert len(view.thumbnails) == 2
    candidate = candidate_of("checked")
    place = "pictures-val"
    assert read(DataCheck, "", candidate.texts[check_path(place)]) == view.check
    assert candidate.texts[check_listing_path(place)].startswith("kind\t")
    assert [one.name for one in candidate.datasets] == ["pictures", "val"]
    assert not candidate.altered
    rows = judge(candidate, parse_rules(RULES)).rows
    assert [row.passed for row in rows] == [False, False, True], rows
    assert [row.got for row in rows] == ["1", "0.333333", "1"]


def test_what_is_checked_outside_a_run_goes_to_the_next(store: str, own_world: Path) -> None:
    train, val = made(own_world)
    mldata(train, against=val)
    with mlrun("next", code=False):
        pass
    assert check_path("train-val") in candidate_of("next").texts


def test_an_altered_check_is_noticed(store: str, own_world: Path) -> None:
    import mlflow

    train, val = made(own_world)
    with mlrun("altered", code=False):
        mldata(train, against=val)
    run_id = candidate_of("altered").run_id
    path = own_world / "check.json"
    path.write_text('{"leaked": 0}')
    mlflow.MlflowClient(store).log_artifact(run_id, str(path), "datasets/checks/train-val")
    assert "was altered" in candidate_of("altered").altered
    assert "%mldata --against" in candidate_of("altered").altered


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train --against val", "1 of 3 pictures of val is in train too: 1 nearly the same."),
        ("train --check", "Nothing was found."),
        ("both[0] --against both[1]", "1 of 3 pictures of"),
        ("train --against val --group (c)0", "2 of 3 pictures of val are in train too: 1 nearly"),
    ],
)
def test_a_line_shows_what_was_found(line: str, said: str, own_world: Path, shell: Shell) -> None:
    shell.ip.user_ns["both"] = made(own_world)
    assert said in shell.run(f"%mldata {line}")
