"""Google Colab's page draws a widget only where a display hook has put in how.

Its package cannot be had here: what stands for it does what its hook does, on a real kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics.display.plot_widget import VIEW_MIME
from tests.kernels import Kernel, Ran

COLAB = """
import sys, types
import google.protobuf  # the package that google.colab is in
colab, output, manager = (types.ModuleType(f"google.colab{end}") for end in
                          ("", ".output", ".output._widgets"))
manager._installed_url = None

def hook(message):
    content = message.get("content", {})
    if manager._installed_url and content.get("data", {}).get("%(mime)s"):
        places = content.setdefault("metadata", {})
        places["%(mime)s"] = {"colab": {"custom_widget_manager": {"url": manager._installed_url}}}
    return message

def enable():
    if manager._installed_url is None:
        get_ipython().display_pub.register_hook(hook)
    manager._installed_url = "manager.js"

output.enable_custom_widget_manager, output._widgets, colab.output = enable, manager, output
for module in (colab, output, manager):
    sys.modules[module.__name__] = module
""" % {"mime": VIEW_MIME}  # noqa: UP031

RUN = """%%mlrun train
import time
from cvtrack_magics import log, track
for epoch in track(range(5), "epoch"):
    log({"train/loss": 1 / (1 + epoch)}); time.sleep(0.1)
"""

OF_OTHERS = """
from IPython.display import display
sys.modules["google.colab.output"].enable_custom_widget_manager()
display({"%(mime)s": {"model_id": "x"}, "text/plain": "x"}, raw=True)
""" % {"mime": VIEW_MIME}  # noqa: UP031

WANTED = {"colab": {"custom_widget_manager": {"url": "manager.js"}}}


@pytest.fixture
def kernel(tmp_path: Path, store: str) -> Iterator[Kernel]:
    with Kernel(tmp_path, MLFLOW_TRACKING_URI=store) as kernel:
        kernel.run(COLAB).check()
        yield kernel


def views(ran: Ran) -> list[Any]:
    """Return what the metadata of each displayed view says."""
    shown = [*(output["content"] for output in ran.outputs), *ran.updates]
    return [
        content["metadata"].get(VIEW_MIME)
        for content in shown
        if VIEW_MIME in content.get("data", {})
    ]


def test_the_view_of_a_run_says_how_it_is_drawn(kernel: Kernel) -> None:
    kernel.run("%load_ext cvtrack_magics").check()
    for _ in range(2):
        assert views(kernel.run(RUN).check()) == [WANTED]


def test_so_it_does_where_another_widget_asked_first(kernel: Kernel) -> None:
    kernel.run(OF_OTHERS).check()
    kernel.run("%load_ext cvtrack_magics").check()
    assert views(kernel.run(RUN).check()) == [WANTED]


def test_widgets_of_others_are_drawn_after_a_run(kernel: Kernel) -> None:
    kernel.run("%load_ext cvtrack_magics").check()
    kernel.run(RUN).check()
    assert views(kernel.run(OF_OTHERS).check()) == [WANTED]
