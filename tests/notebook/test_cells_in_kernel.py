"""In a real kernel, a ``%%mlrun`` cell behaves as the same cell without the line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import IPython
import nbformat
import pytest

from tests.kernels import Kernel
from tests.store_views import artifact, artifact_names, points, runs_of


def test_last_expression_await_and_out_are_kept(kernel: Kernel) -> None:
    ran = kernel.run("%%mlrun a\nimport asyncio\nawait asyncio.sleep(0.01)\nx = 20\nx + 22").check()
    assert ran.results == ["42"]
    assert kernel.run("_ + 1").results == ["43"]
    assert kernel.run("x").results == ["20"]


@pytest.mark.parametrize("above", ["%%time", "%%capture kept", "%%time\n%%capture kept"])
def test_other_cell_magics_around_it(kernel: Kernel, store: str, above: str) -> None:
    kernel.run(f"{above}\n%%mlrun around\nprint('body ran')\nz = 5").check()
    assert kernel.run("z").results == ["5"]
    assert runs_of(store)["around"].info.status == "FINISHED"
    if "capture" in above:
        assert "body ran" in kernel.run("print(kept.stdout)").text


def test_a_failure_under_time_is_a_failure(kernel: Kernel, store: str) -> None:
    ran = kernel.run("%%time\n%%mlrun timed\nraise KeyError('gone')")
    # IPython 8's %%time shows the error and lets the cell succeed, with or without us
    assert ran.status == ("error" if IPython.version_info[0] >= 9 else "ok")
    assert len(ran.errors) == 1
    assert runs_of(store)["timed"].info.status == "FAILED"


def test_line_magics_and_shell_inside(kernel: Kernel, store: str) -> None:
    ran = kernel.run("%%mlrun inside\n%time y = 3\n!echo from the shell\ny").check()
    assert ran.results == ["3"]
    assert "from the shell" in ran.text
    assert "from the shell" in artifact(store, runs_of(store)["inside"], "logs/output.txt")


def test_traceback_has_the_cells_own_lines_and_comes_once(kernel: Kernel, store: str) -> None:
    ran = kernel.run("%%mlrun broken\na = 1\nb = 0\na / b")
    assert [error["ename"] for error in ran.errors] == ["ZeroDivisionError"]
    assert "----> 4 a / b" in ran.text
    if IPython.version_info[0] >= 9:  # IPython 8 leaves the line out
        assert "1 # %%mlrun broken" in ran.text
    assert "run_cell_magic" not in ran.text
    run = runs_of(store)["broken"]
    assert run.data.tags["error.type"] == "ZeroDivisionError"
    assert "a / b" in artifact(store, run, "error/traceback.txt")


def test_a_syntax_error_opens_no_run(kernel: Kernel, store: str) -> None:
    ran = kernel.run("%%mlrun never\nfor in x")
    assert ran.errors[0]["ename"] == "SyntaxError"
    assert runs_of(store) == {}


def test_help_with_a_question_mark_opens_no_run(kernel: Kernel, store: str) -> None:
    kernel.run("%%mlrun?").check()
    kernel.run("%mlrun?").check()
    assert runs_of(store) == {}


def test_nested_runs_and_what_they_replace(kernel: Kernel, store: str) -> None:
    kernel.run("%mlrun pipeline").check()
    kernel.run("%%mlrun stage --nested\npass").check()
    first = runs_of(store)["stage"]
    kernel.run("%%mlrun stage --nested\npass").check()
    second = runs_of(store)["stage"]
    kernel.run("%mlend").check()
    pipeline = runs_of(store)["pipeline"]
    assert second.data.tags["mlflow.parentRunId"] == pipeline.info.run_id
    assert second.data.tags["cvtrack.replaces"] == first.info.run_id
    client_view = [r for r in (first, second) if r.info.run_id != second.info.run_id]
    assert len(client_view) == 1
    import mlflow

    old = mlflow.MlflowClient(store).get_run(first.info.run_id)
    assert old.data.tags["cvtrack.replaced_by"] == second.info.run_id


def test_the_cells_id_says_what_a_run_replaces(kernel: Kernel, store: str) -> None:
    ids = []
    for cell_id in ("one", "two", "one"):
        kernel.finish(kernel.start("%%mlrun same-name\npass", cell_id=cell_id)).check()
        run = runs_of(store)["same-name"]
        assert run.data.tags["cvtrack.cell_id"] == cell_id
        assert run.data.tags["cvtrack.execution_count"] == str(2 + len(ids))
        ids.append((run.info.run_id, run.data.tags.get("cvtrack.replaces")))
    assert [replaced for _, replaced in ids] == [None, None, ids[0][0]]


def test_resume_continues_the_same_run(kernel: Kernel, store: str) -> None:
    kernel.run("%%mlrun long\nfrom cvtrack_magics import log\nlog(a=1, step=0)").check()
    first = runs_of(store)["long"]
    kernel.run("%%mlrun long --resume\nlog(a=2, step=1)").check()
    again = runs_of(store)["long"]
    assert again.info.run_id == first.info.run_id
    assert points(store, again, "a") == [(0, 1.0), (1, 2.0)]
    assert again.info.status == "FINISHED"


def test_nested_cell_through_run_cell(kernel: Kernel, store: str) -> None:
    body = "get_ipython().run_cell('%%mlrun inner --nested\\nprint(1)')"
    kernel.run(f"%%mlrun outer\n{body}").check()
    found = runs_of(store)
    assert found["inner"].data.tags["mlflow.parentRunId"] == found["outer"].info.run_id
    assert {run.info.status for run in found.values()} == {"FINISHED"}


def test_foreign_open_run_is_named_and_not_adopted(kernel: Kernel, store: str) -> None:
    kernel.run("import mlflow\nmlflow.start_run(run_name='theirs')").check()
    ran = kernel.run("%%mlrun ours\nreached = True").check()
    assert "'theirs'" in ran.text
    assert "mlflow.end_run()" in ran.text
    assert "mlflow.parentRunId" not in runs_of(store)["ours"].data.tags
    kernel.run("%%mlrun ours --nested\nreached = True").check()
    found = runs_of(store)
    assert found["ours"].data.tags["mlflow.parentRunId"] == found["theirs"].info.run_id
    kernel.run("mlflow.end_run()").check()


def test_run_left_open_inside_the_cell_is_ended_with_it(kernel: Kernel, store: str) -> None:
    ran = kernel.run(
        "%%mlrun outer\nimport mlflow\nmlflow.start_run(run_name='leaky', nested=True)"
    ).check()
    assert "leaky" in ran.text
    assert runs_of(store)["leaky"].info.status == "FINISHED"
    assert kernel.run("mlflow.active_run() is None").results == ["True"]


def test_user_ending_our_run_changes_nothing(kernel: Kernel, store: str) -> None:
    ran = kernel.run("%%mlrun ended\nimport mlflow\nmlflow.end_run()\n1/0")
    assert ran.status == "error"
    assert runs_of(store)["ended"].info.status == "FAILED"


def test_what_is_recorded_without_a_word(kernel: Kernel, store: str, tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "mymodule.py").write_text("VALUE = 1\n")
    git("add", "mymodule.py")
    git("commit", "-qm", "first")
    git("remote", "add", "origin", "https://user:secret@example.org/a.git")
    (tmp_path / "mymodule.py").write_text("VALUE = 2\n")
    (tmp_path / "untracked_module.py").write_text("OTHER = 3\n")
    kernel.run("a_cell_before = 'seen'").check()
    kernel.run(
        "%%mlrun full\nimport mymodule, untracked_module\nimport matplotlib.pyplot as plt\n"
        "plt.plot([1, 2]); plt.show()\nprint('said')"
    ).check()
    run = runs_of(store)["full"]
    names = artifact_names(store, run)
    assert {
        "code/cell.py",
        "code/session.ipy",
        "code/session.ipynb",
        "code/uncommitted.diff",
        "environment/requirements.txt",
        "environment/environment.json",
        "logs/output.txt",
        "visualisations/figure-01.png",
    } <= names
    assert "+VALUE = 2" in artifact(store, run, "code/uncommitted.diff")
    assert any(name.endswith("untracked_module.py") for name in names), names
    assert artifact(store, run, "logs/output.txt").strip().endswith("said")
    assert "a_cell_before" in artifact(store, run, "code/session.ipy")
    notebook = nbformat.reads(artifact(store, run, "code/session.ipynb"), as_version=4)
    nbformat.validate(notebook)
    if IPython.version_info[0] >= 9:  # older ones keep no outputs
        assert "said" in json.dumps(notebook.cells[-1].outputs)
    tags = run.data.tags
    assert len(tags["git_commit"]) >= 7
    assert "secret" not in json.dumps(tags)
    assert tags["mlflow.source.type"] == "NOTEBOOK"
    assert tags["mlflow.source.name"].endswith("test.ipynb")
    assert tags["hardware"]
    assert {"python_version", "num_gpus", "gpu_model"} <= set(run.data.params)
    assert run.data.metrics["resources/wall_time_s"] > 0
    assert run.data.metrics["resources/peak_memory_mb"] > 10


def test_what_earlier_cells_displayed_is_in_the_session(kernel: Kernel, store: str) -> None:
    kernel.run(
        "from IPython.display import HTML, Image, display\n"
        "print('printed')\nshown = display(HTML('<b>one</b>'), display_id=True)\n"
        "display({'image/png': b'\\x89PNG'}, raw=True)\n1 + 1"
    ).check()
    kernel.run("shown.update(HTML('<b>two</b>'))").check()
    kernel.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);").check()
    kernel.run("%%mlrun earlier\nprint('a card follows')").check()
    kernel.run("%%mlrun kept\n1").check()
    run = runs_of(store)["kept"]
    notebook = nbformat.reads(artifact(store, run, "code/session.ipynb"), as_version=4)
    nbformat.validate(notebook)
    cells = {cell.source.splitlines()[0]: cell.outputs for cell in notebook.cells if cell.source}
    first = next(outputs for source, outputs in cells.items() if "HTML, Image" in source)
    data = [output["data"] for output in first if output["output_type"] == "display_data"]
    assert [one.get("text/html") for one in data] == ["<b>two</b>", None]
    assert "image/png" in data[1]
    if IPython.version_info[0] >= 9:  # older ones keep nothing else
        kinds = [output["output_type"] for output in first]
        assert kinds == ["stream", "display_data", "display_data", "execute_result"]
    assert not cells["shown.update(HTML('<b>two</b>'))"]
    assert ["image/png" in one["data"] for one in cells["import matplotlib.pyplot as plt"]][-1]
    card = [one["data"] for one in cells["%%mlrun earlier"] if one["output_type"] == "display_data"]
    assert [list(one) for one in card] == [["text/plain"]] * 2


def test_every_logged_point_is_in_the_store(kernel: Kernel, store: str) -> None:
    kernel.run(
        "%%mlrun many\nfrom cvtrack_magics import log\nimport numpy as np\n"
        "for i in range(5000):\n"
        "    log({'train/loss': np.float32(1 / (i + 1)), 'nan': float('nan')})\n"
        "    log(thin=i, every=10)"
    ).check()
    run = runs_of(store)["many"]
    import mlflow

    history = mlflow.MlflowClient(store).get_metric_history(run.info.run_id, "train/loss")
    assert sorted(m.step for m in history) == list(range(5000))
    assert [step for step, _ in points(store, run, "thin")] == list(range(0, 5000, 10))
    assert len(mlflow.MlflowClient(store).get_metric_history(run.info.run_id, "nan")) == 5000


def test_verify_tells_repeatable_from_not(kernel: Kernel, store: str) -> None:
    body = "import random\nfrom cvtrack_magics import log\nlog(x=random.random())"
    ran = kernel.run(f"%%mlrun same --seed 1 --verify\n{body}").check()
    assert "agree exactly" in ran.text
    assert runs_of(store)["same"].data.tags["reproducible"] == "true"
    kernel.run(f"%%mlrun differs --verify\n{body}").check()
    assert runs_of(store)["differs"].data.tags["reproducible"] == "false"


def test_param_changed_inside_a_run_is_one_line(kernel: Kernel, store: str) -> None:
    ran = kernel.run("%%mlrun p\n%mlparams dict(lr=1)\n%mlparams dict(lr=2)").check()
    assert "'lr' is already 1" in ran.text
    assert runs_of(store)["p"].data.params["lr"] == "1"


def test_live_plot_comes_while_the_cell_runs_and_a_picture_stays(kernel: Kernel) -> None:
    ran = kernel.run(
        "%%mlrun seen\nimport time\nfrom cvtrack_magics import log\n"
        "for i in range(30):\n    log({'train/loss': 1 / (i + 1)})\n    time.sleep(0.05)",
    ).check()
    assert any("cvtrack-live" in update["data"]["text/html"] for update in ran.updates)
    last = ran.updates[-1]["data"]
    shown = [o["content"]["data"] for o in ran.outputs if o["type"] == "display_data"]
    assert last == shown[0]
    summary = shown[-1]
    assert "data:image/png;base64," in summary["text/html"]
    assert "FINISHED" in summary["text/plain"]
    assert "train/loss" in summary["text/plain"]


def test_unloading_gives_back_what_was_there(kernel: Kernel) -> None:
    kernel.run("%mlrun open_one").check()
    kernel.run("%unload_ext cvtrack_magics").check()
    ran = kernel.run("%%mlrun x\n1")
    assert "not found" in ran.text
    kernel.run("import mlflow; assert mlflow.active_run() is None").check()
    kernel.run("%load_ext cvtrack_magics").check()
    kernel.run("%%mlrun x\n1").check()


CLEARS = """%%mlrun draws
import time
from IPython.display import clear_output
for step in range(8):
    log(a=step)
    time.sleep(0.6)
    clear_output(wait=True)
    print("drawn", step)
"""


def test_a_loop_that_clears_its_output_keeps_the_runs(kernel: Kernel, store: str) -> None:
    kernel.run("from cvtrack_magics import log").check()
    ran = kernel.run(CLEARS).check()
    shown = [o["content"] for o in ran.outputs if o["type"] == "display_data"]
    header = shown[0]["transient"]["display_id"]
    again = [one for one in shown[1:] if one["transient"]["display_id"] == header]
    assert again, "the header and the plot were never shown again"
    assert "cvtrack-live" in str(again[-1]["data"]["text/html"])
    assert len(shown) == len(again) + 2  # the header at first, and the card
    assert points(store, runs_of(store)["draws"], "a")[-1] == (7, 7.0)


def test_another_cell_that_clears_its_output_leaves_ours_alone(kernel: Kernel) -> None:
    kernel.run("from cvtrack_magics import log").check()
    ran = kernel.run("%mlrun held").check()
    ran = kernel.run(CLEARS.partition("\n")[2]).check()
    assert not [o for o in ran.outputs if o["type"] == "display_data"]
    kernel.run("%mlend").check()


def test_what_was_cleared_once_is_shown_again_once(kernel: Kernel) -> None:
    kernel.run("from cvtrack_magics import log").check()
    ran = kernel.run(
        "%%mlrun once\nimport time\nfrom IPython.display import clear_output\n"
        "log(a=0)\ntime.sleep(1)\nclear_output()\n"
        "for step in range(1, 30):\n    log(a=step)\n    time.sleep(0.1)"
    ).check()
    shown = [o["content"] for o in ran.outputs if o["type"] == "display_data"]
    header = shown[0]["transient"]["display_id"]
    assert sum(one["transient"]["display_id"] == header for one in shown) == 2
