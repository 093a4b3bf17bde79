"""A cell that records nothing itself: what it prints, and the settings in its names."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.run import printed_metrics
from tests.conftest import Shell
from tests.kernels import Kernel
from tests.store_views import points, runs_of

LOOP = """
import time
EPOCHS = 3
for epoch in range(1, EPOCHS + 1):
    print(f"Epoch {epoch}/{EPOCHS} loss: {1 / epoch:.4f} acc {epoch / 4:.2f}")
"""
LOSS = [(1, 1.0), (2, 0.5), (3, 0.3333)]


def test_a_printed_loop_has_metrics_and_params(shell: Shell, store: str) -> None:
    said = shell.run(f"%%mlrun a{LOOP}")
    run = runs_of(store)["a"]
    assert points(store, run, "printed/loss") == LOSS
    assert points(store, run, "printed/acc") == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert run.data.params["EPOCHS"] == "3"
    assert run.info.status == "FINISHED"
    assert "printed/loss, printed/acc (6 points)" in said
    assert "Params read from the cell's names: EPOCHS" in said


def test_points_have_the_time_at_which_they_were_printed(shell: Shell, store: str) -> None:
    shell.run(
        "%%mlrun a\nimport time\nprint('epoch 1 loss 0.5')\ntime.sleep(0.3)\n"
        "print('epoch 2 loss 0.25')"
    )
    import mlflow

    run = runs_of(store)["a"]
    first, second = mlflow.MlflowClient(store).get_metric_history(run.info.run_id, "printed/loss")
    assert second.timestamp - first.timestamp >= 290


@pytest.mark.parametrize("by", ["--no-auto", "--no-output", "%config"])
def test_it_can_be_left_out(by: str, shell: Shell, store: str) -> None:
    option = by
    if by == "%config":
        shell.run("%config CvTrack.record_auto = False")
        option = ""
    said = shell.run(f"%%mlrun a {option}{LOOP}")
    run = runs_of(store)["a"]
    assert not [key for key in run.data.metrics if key.startswith("printed/")]
    assert ("EPOCHS" in run.data.params) == (by == "--no-output")
    assert "printed/" not in said


def test_a_run_that_logs_itself_is_left_as_it_is(shell: Shell, store: str) -> None:
    said = shell.run(
        "%%mlrun a\nfrom cvtrack_magics import log\nfor epoch in range(3):\n"
        "    print(f'epoch {epoch} loss {epoch}.5')\n    log({'loss': epoch + 0.5}, step=epoch)"
    )
    run = runs_of(store)["a"]
    assert not [key for key in run.data.metrics if key.startswith("printed/")]
    assert "printed/" not in said


WAYS = {
    "log": "log({'loss': 0.5})",
    "a module's": "import cvtrack_magics as cv; cv.log({'loss': 0.5})",
    "MLflow's": "import mlflow; mlflow.log_metric('loss', 0.5)",
    "a function's of an earlier cell": "once(0.5)",
    "a method's of an earlier cell": "Trainer().fit()",
}


@pytest.mark.parametrize("way", WAYS)
def test_code_that_logs_after_a_long_while_is_waited_for(
    way: str, shell: Shell, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printed_metrics, "HOLD", 0.0)
    shell.run(
        "from cvtrack_magics import log\ndef once(value):\n    log({'loss': value})\n"
        "class Trainer:\n    def fit(self):\n        [once(v) for v in (0.5,)]"
    )
    shell.run(f"%%mlrun a\nimport time\nprint('epoch 1 loss 7.5')\ntime.sleep(0.8)\n{WAYS[way]}")
    found = runs_of(store)["a"].data.metrics
    of_the_machine = ("resources/", "system/")  # the second where the machine is slow
    assert [name for name in found if not name.startswith(of_the_machine)] == ["loss"]


def test_code_that_takes_logarithms_shows_at_once_what_it_prints(
    shell: Shell, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printed_metrics, "HOLD", 0.0)
    shell.run("from cvtrack_magics.run import current")
    said = shell.run(
        "%%mlrun a\nimport math, time\n"
        "print('epoch 1 loss', math.log(math.e))\ntime.sleep(0.8)\n"
        "print('now', *current.get_session().scopes[-1].channel.history.series)"
    )
    assert "now printed/loss" in said
    assert points(store, runs_of(store)["a"], "printed/loss") == [(1, 1.0)]


def test_a_run_that_says_params_is_left_as_it_is(shell: Shell, store: str) -> None:
    shell.run("%%mlrun a\n%mlparams dict(lr=0.1)\nepochs = 3")
    assert "epochs" not in runs_of(store)["a"].data.params
    shell.run("%%mlrun b\nimport mlflow\nmlflow.log_param('lr', 0.1)\nepochs = 3")
    assert "epochs" not in runs_of(store)["b"].data.params
    shell.run("%%mlrun c --seed 3\nepochs = 3")  # a seed says nothing of the others
    assert runs_of(store)["c"].data.params["epochs"] == "3"


def test_what_is_printed_in_a_nested_run_is_that_runs(shell: Shell, store: str) -> None:
    shell.run("%mlrun outer")
    shell.run(f"%%mlrun inner --nested{LOOP}")
    shell.run("print('Epoch 1 loss 7.5')")
    shell.run("%mlend")
    found = runs_of(store)
    assert points(store, found["inner"], "printed/loss") == LOSS
    assert points(store, found["outer"], "printed/loss") == [(1, 7.5)]


def test_a_resumed_run_goes_on_behind_its_earlier_points(shell: Shell, store: str) -> None:
    shell.run(f"%%mlrun a{LOOP}")
    shell.run(f"%%mlrun a --resume{LOOP}")
    steps = [step for step, _ in points(store, runs_of(store)["a"], "printed/loss")]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_cell_that_fails_keeps_what_it_printed(shell: Shell, store: str) -> None:
    shell.run(f"%%mlrun a{LOOP}raise ValueError('too bad')")
    run = runs_of(store)["a"]
    assert run.info.status == "FAILED"
    assert points(store, run, "printed/loss") == LOSS
    assert run.data.params["EPOCHS"] == "3"


def test_secrets_in_names_are_masked(shell: Shell, store: str) -> None:
    shell.run("%%mlrun a\napi_key = 'sk-live-0123456789abcdef0123'\nlr = 0.1")
    params = runs_of(store)["a"].data.params
    assert params["lr"] == "0.1"
    assert "0123456789abcdef" not in str(params)


def test_runs_side_by_side_take_no_lines_of_each_other(shell: Shell, store: str) -> None:
    shell.run(
        "%%mlrun outer\nimport threading\nfrom cvtrack_magics import mlrun\n"
        "both, done = threading.Barrier(2), []\n"
        "def trial(name):\n"
        "    with mlrun(name, nested=True):\n"
        "        both.wait(60)\n"
        "        print('epoch 1 loss 0.5')\n"
        "        both.wait(60)\n"
        "    done.append(name)\n"
        "threads = [threading.Thread(target=trial, args=(n,)) for n in 'ab']\n"
        "[t.start() for t in threads]\n[t.join() for t in threads]"
    )
    assert sorted(shell.ip.user_ns["done"]) == ["a", "b"]
    assert set(runs_of(store)) == {"outer", "a", "b"}
    for run in runs_of(store).values():
        assert not [key for key in run.data.metrics if key.startswith("printed/")]


def test_hostile_lines_are_read_or_left(shell: Shell, store: str) -> None:
    shell.run(
        "%%mlrun a\nprint('epoch 1e999 loss 0.5')\nprint('epoch 9' + '9' * 60 + ' loss 0.4')\n"
        "print('epoch -5 loss 0.3')\nprint('epoch nan loss 0.2')\n"
        "print('\\x1b[31mepoch 3 loss 0.1\\x1b[0m\\x00')\nprint('loss: ' * 10000)"
    )
    run = runs_of(store)["a"]
    assert run.info.status == "FINISHED"
    steps, values = zip(*points(store, run, "printed/loss"), strict=True)
    assert values == (0.5, 0.4, 0.3, 0.2, 0.1)
    assert list(steps) == sorted(set(steps))


TABLES = """
from IPython.display import HTML, display
head = "<tr><th>epoch</th><th>train_loss</th><th>error_rate</th><th>time</th></tr>"
row = "<tr><td>{0}</td><td>0.{1}</td><td>0.0{0}</td><td>00:11</td></tr>"
import time
for last in range(3):
    rows = "".join(row.format(epoch, 5 - epoch) for epoch in range(last + 1))
    shown = f"<table>{head}{rows}</table>"
    if last:
        handle.update(HTML(shown))
    else:
        handle = display(HTML(shown), display_id=True)
"""


def test_a_table_that_grows_while_it_is_shown(store: str, tmp_path: Path) -> None:
    with Kernel(tmp_path) as kernel:
        kernel.run("%load_ext cvtrack_magics").check()
        ran = kernel.run(f"%%mlrun a{TABLES}").check()
        kernel.run(
            "%%mlrun frame\nimport pandas as pd\n"
            "display(pd.DataFrame({'epoch': [1, 2], 'loss': [0.5, 0.25], 'note': ['x', 'y']}))\n"
            "display(pd.DataFrame({'epoch': [1, 2], 'val_loss': [0.5, 0.25]}))"
        ).check()
        kernel.run(f"%%mlrun left --no-auto{TABLES}").check()
    found = runs_of(store)
    assert points(store, found["a"], "printed/train_loss") == [(0, 0.5), (1, 0.4), (2, 0.3)]
    assert points(store, found["a"], "printed/error_rate") == [(0, 0.0), (1, 0.01), (2, 0.02)]
    assert "printed/train_loss, printed/error_rate (6 points)" in ran.text
    assert points(store, found["frame"], "printed/val_loss") == [(1, 0.5), (2, 0.25)]
    assert not [key for key in found["left"].data.metrics if key.startswith("printed/")]


def test_what_this_package_prints_is_not_read(shell: Shell, store: str) -> None:
    shell.run(
        "%%mlrun outer\n%mlrun inner --nested\nlog({'val/acc': 0.25})\n%mlend\n"
        "%mlruns\n%mlshow inner"
    )
    outer = runs_of(store)["outer"]
    assert not [key for key in outer.data.metrics if key.startswith("printed/")]


def test_what_a_scripts_run_prints_is_not_the_outer_runs(store: str) -> None:
    with mlrun("outer"), mlrun("inner", nested=True):
        log({"val/acc": 0.25})
    outer = runs_of(store)["outer"]
    assert not [key for key in outer.data.metrics if key.startswith("printed/")]


def test_a_fault_of_the_reader_costs_a_line_and_no_point(
    shell: Shell, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("our own fault")

    monkeypatch.setattr("cvtrack_magics.capture.output.printed.PrintedMetrics.read", broken)
    said = shell.run("%%mlrun a\nprint('epoch 1 loss 0.5')\nprint('epoch 2 loss 0.4')")
    assert said.count("What the cell shows was not read: RuntimeError: our own fault") == 1
    assert runs_of(store)["a"].info.status == "FINISHED"
