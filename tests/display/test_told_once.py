"""How a notebook is trusted is told once in it, and again where that cell is run again."""

from __future__ import annotations

from cvtrack_magics import mlgrid
from tests.vision.examples import example


def test_the_first_viewer_tells(store: str, script: None) -> None:
    def tells(count: int) -> bool:
        shown = mlgrid(example("classification", count))._repr_mimebundle_()
        return 'class="cvtrack-trust"' in shown["text/html"]

    assert [tells(count) for count in (3, 4, 3, 5)] == [True, False, True, False]
