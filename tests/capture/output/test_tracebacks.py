"""What a traceback shows is code and the error's words, and no metric."""

from __future__ import annotations

import io
import re
import traceback
from collections.abc import Callable

import mlflow
import pytest
from IPython.core.ultratb import VerboseTB

from cvtrack_magics.capture.output.tracebacks import Tracebacks
from tests.conftest import Shell
from tests.store_views import runs_of


def fails(loss: float) -> None:
    raise ValueError(f"val_loss: {loss}")


def chained() -> None:
    try:
        fails(loss=0.5)
    except ValueError as error:
        raise RuntimeError("acc: 0.25") from error


def plain(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def of_ipython(error: BaseException) -> str:
    shown = VerboseTB()
    lines = shown.structured_traceback(type(error), error, error.__traceback__)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.stb2text(lines))


def of_rich(error: BaseException) -> str:
    from rich.console import Console
    from rich.traceback import Traceback

    console = Console(file=io.StringIO(), width=100)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("shown", [plain, of_ipython, of_rich])
@pytest.mark.parametrize("broken", [lambda: fails(loss=0.5), chained])
def test_its_lines_are_told_from_those_around(
    shown: Callable[[BaseException], str], broken: Callable[[], None]
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        broken()
    follows = Tracebacks()
    before, after = "epoch 1 loss: 0.3", "epoch 2 loss: 0.2"
    assert not follows.has(before)
    left = [line for line in shown(caught.value).split("\n") if not follows.has(line)]
    assert not [line for line in left if "0.5" in line or "0.25" in line]
    assert not follows.has(after)


CELLS = {
    "an error": "def fit(lr, loss):\n    raise ValueError('val_loss: 0.7')\nfit(lr=0.1, loss=0.5)",
    "one that is printed": "import traceback\nfor i in range(3):\n"
    "    try: int('acc: 0.5')\n    except ValueError: traceback.print_exc()",
    "none": "print('loss: 0.5')",
}


def test_a_run_has_no_metrics_of_an_error(shell: Shell, store: str) -> None:
    for name, body in CELLS.items():
        shell.run(f"%%mlrun {name}\n{body}")
    found = {name: dict(run.data.metrics) for name, run in runs_of(store).items()}
    printed = {name: [k for k in values if "printed" in k] for name, values in found.items()}
    assert printed == {"an error": [], "one that is printed": [], "none": ["printed/loss"]}
    assert mlflow.active_run() is None
