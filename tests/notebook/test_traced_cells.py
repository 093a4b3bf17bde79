"""A tracer or profiler that raises in us, at the first place it can, leaves no run open."""

from __future__ import annotations

import mlflow
import pytest

from tests.conftest import Shell
from tests.store_views import runs_of

RAISES = """%%mlrun traced
import sys
from cvtrack_magics import log
log(a=1.0)
left = [{times}]
def tracer(frame, event, arg):
    if left[0] and frame.f_code.co_name == {place!r}:
        left[0] -= 1
        raise RuntimeError("in the tracer")
sys.{setter}(tracer)
{last}
"""
PLACES = ("with_them", "after_cell", "__enter__", "error_of", "_close", "close", "_close_one")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("setter", ["settrace", "setprofile"])
@pytest.mark.parametrize("last", ["", "1 / 0"])
def test_the_run_of_a_cell_ends(
    shell: Shell, store: str, setter: str, place: str, last: str
) -> None:
    shell.run(RAISES.format(times=1, place=place, setter=setter, last=last))
    shell.run(f"sys.{setter}(None)")
    shell.run("%%mlrun next\nlog(a=1.0)")
    assert shell.result.success
    assert mlflow.active_run() is None
    found = runs_of(store)
    assert found["traced"].info.status == ("FAILED" if last else "FINISHED")
    assert found["next"].info.status == "FINISHED"
