"""What the summary says was recorded."""

from __future__ import annotations

import pytest

from cvtrack_magics.records import Artifact
from cvtrack_magics.run.context import known_as


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["augmentation.png", "augmentation.json"], ("1 figure",)),
        (["figure-01.png", "figure-02.svg", "figure-03.jpg", "figure-04.pdf"], ("4 figures",)),
        (["cam.json"], ()),
        (["figure-01.png", "predictions.html"], ("1 figure", "1 prediction page")),
    ],
)
def test_only_pictures_count_as_figures(names: list[str], said: tuple[str, ...]) -> None:
    assert known_as([Artifact(f"visualisations/{name}", b"") for name in names]) == said
