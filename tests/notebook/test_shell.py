"""The extension in a real InteractiveShell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics.store.run_reader import read_run
from tests.conftest import Shell
from tests.store_views import artifact, artifact_names, runs_of


def test_tags_before_a_run_belong_to_all_that_follow(shell: Shell, store: str) -> None:
    shell.run("%mltags team=cv dataset=digits")
    shell.run("%%mlrun a --tag dataset=other\npass")
    shell.run("%%mlrun b\n%mltags backbone=ResNet18")
    found = runs_of(store)
    assert found["a"].data.tags["team"] == "cv"
    assert found["a"].data.tags["dataset"] == "other"
    assert found["b"].data.tags["dataset"] == "digits"
    assert found["b"].data.tags["backbone"] == "ResNet18"
    shell.run("%mltags --clear")
    shell.run("%%mlrun c\npass")
    assert "team" not in runs_of(store)["c"].data.tags


def test_a_near_miss_of_the_schema_is_pointed_out(shell: Shell) -> None:
    assert "backbone" in shell.run("%mltags bakbone=x")
    assert "backbone" in shell.run("%%mlrun a --tag bakbone=x\npass")


def test_what_is_said_before_a_run_goes_into_the_next(shell: Shell, store: str) -> None:
    shell.run("%mlseed 7")
    shell.run("%mlparams dict(lr=0.1, model=dict(depth=3))")
    shell.run("%%mlrun a\npass")
    shell.run("%%mlrun b\npass")
    a, b = (runs_of(store)[name].data.params for name in "ab")
    assert (a["lr"], a["model.depth"], a["global_seed"]) == ("0.1", "3", "7")
    assert b["global_seed"] == "7"
    assert "lr" not in b


def test_params_options_and_prefix(shell: Shell, store: str) -> None:
    shell.run("cfg = {'lr': 0.5}")
    shell.run("%%mlrun a --params cfg --seed 3 --task detection\n%mlparams cfg --prefix opt")
    run = runs_of(store)["a"]
    assert run.data.params["lr"] == "0.5"
    assert run.data.params["opt.lr"] == "0.5"
    assert run.data.params["global_seed"] == "3"
    assert "detection" in run.data.tags["task"]


def test_names_can_hold_python(shell: Shell, store: str) -> None:
    shell.run("depth = 18")
    shell.run("%%mlrun resnet-{depth} --tag backbone=ResNet{depth}\npass")
    assert runs_of(store)["resnet-18"].data.tags["backbone"] == "ResNet18"


def test_config_file_and_object(shell: Shell, store: str, tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text("lr: 0.1\naug:\n  flip: true\n")
    shell.run("%%mlrun a\n%mlconfig train.yaml\n%mlconfig dict(epochs=3) --name extra")
    run = runs_of(store)["a"]
    assert artifact(store, run, "configs/train.yaml") == "lr: 0.1\naug:\n  flip: true\n"
    assert {"configs/train.yaml", "configs/extra.yaml"} <= artifact_names(store, run)
    assert run.data.params["aug.flip"] in ("true", "True")
    assert run.data.params["epochs"] == "3"


def test_data_becomes_an_input_with_its_full_hash(shell: Shell, store: str, tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "data.bin").write_bytes(b"pixels" * 1000)
    digest = hashlib.sha256(b"pixels" * 1000).hexdigest()
    shell.run("%%mlrun a\n%mldata data.bin --name digits --context training --source here")
    run = runs_of(store)["a"]
    assert run.data.params["train_dataset_sha256"] == digest
    (entry,) = run.inputs.dataset_inputs
    assert entry.dataset.name == "digits"
    assert entry.dataset.digest == digest[:36]
    assert json.loads(entry.dataset.profile)["sha256"] == digest
    assert {tag.key: tag.value for tag in entry.tags} == {"mlflow.data.context": "training"}


STREAMS = """
import io, tarfile, zipfile
from pathlib import Path
from torch.utils.data import DataLoader, IterableDataset

class Lines(IterableDataset):
    def __init__(self, paths): self.paths = paths
    def __iter__(self): return (Path(p).read_bytes() for p in self.paths)

paths = []
for n in range(3):
    Path(f'{n}.bin').write_bytes(bytes([n] * 9)); paths.append(f'{n}.bin')
with tarfile.open('a.tar', 'w') as made:
    for path in paths: made.add(path)
with zipfile.ZipFile('a.zip', 'w') as made:
    for path in paths: made.write(path)
stream, loader = Lines(paths), DataLoader(Lines(paths), batch_size=2)
shards, members, once = tarfile.open('a.tar'), zipfile.ZipFile('a.zip'), (n for n in range(3))
"""


def test_streams_are_identified_or_the_run_says_why_not(shell: Shell, store: str) -> None:
    shell.run(STREAMS)
    names = ("stream", "loader", "shards", "members", "once")
    said = shell.run("%%mlrun a\n" + "".join(f"%mldata {name}\n" for name in names))
    assert "once: generator was not identified, because it can be read only once." in said
    run = runs_of(store)["a"]
    assert run.info.status == "FINISHED"
    found = {entry.dataset.name: json.loads(entry.dataset.profile) for entry in _inputs(run)}
    assert found["stream"]["samples_sha256"] == found["loader"]["samples_sha256"]
    assert found["shards"]["samples_sha256"] == found["members"]["samples_sha256"]
    assert found["once"]["identity"] == "not identified, because it can be read only once"
    digests = {item.name: item.digest for item in read_run(store, run.info.run_id, _none).inputs}
    assert digests["once"] == ""
    assert all(len(digests[name]) == 64 for name in names[:-1])
    assert "datasets/once.manifest.tsv" not in artifact_names(store, run)
    shell.run("paths[:] = paths[::-1]")
    shell.run("%%mlrun b\n%mldata stream")
    (again,) = (json.loads(entry.dataset.profile) for entry in _inputs(runs_of(store)["b"]))
    assert again["sha256"] != found["stream"]["sha256"]
    assert again["samples_sha256"] == found["stream"]["samples_sha256"]
    assert list(shell.ip.user_ns["once"]) == [0, 1, 2]  # nothing was taken from it


def _inputs(run: Any) -> list[Any]:
    return list(run.inputs.dataset_inputs)


def _none(path: str, size: int) -> bool:
    return False


DRAW = """
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
from IPython.core.pylabtools import select_figure_formats
from IPython.display import clear_output, display
one, axes = plt.subplots(); axes.plot([1, 2])
two, axes = plt.subplots(); axes.plot([2, 1])
"""
DRAWN = {
    "shown twice": ("display(one); display(one)", ["png", "png"]),
    "updated": ("h = display(one, display_id=True)\nfor _ in range(60): h.update(one)", ["png"]),
    "updated by name": ("for n in range(60): display(one, display_id='a', update=n > 0)", ["png"]),
    "two in turn": (
        "a = display(one, display_id=True); b = display(two, display_id=True)\n"
        "for _ in range(9): a.update(one); b.update(two)",
        ["png", "png"],
    ),
    "cleared": ("for _ in range(60): clear_output(wait=True); display(one)", ["png"]),
    "cleared and updated": (
        "for _ in range(9):\n    clear_output(wait=True); h = display(one, display_id=True)\n"
        "    h.update(two)",
        ["png"],
    ),
    "another object": (
        "h = display(one, display_id=True); h.update(two); display(two)",
        ["png"] * 2,
    ),
    "svg": ("display(one)", ["svg"]),
    "pdf": ("display(one)", ["pdf"]),
    "jpeg": ("display(one)", ["jpg"]),
    "retina": ("display(one)", ["png"]),
}


def test_a_figure_that_is_redrawn_is_one(shell: Shell, store: str) -> None:
    shell.run(DRAW)
    for at, (kind, (code, suffixes)) in enumerate(DRAWN.items()):
        form = kind if kind in ("svg", "pdf", "jpeg", "retina") else "png"
        shell.run(f"select_figure_formats(get_ipython(), {{{form!r}}})")
        shell.run(f"%%mlrun run{at}\n{code}")
        names = artifact_names(store, runs_of(store)[f"run{at}"])
        expected = {f"visualisations/figure-{n:02d}.{s}" for n, s in enumerate(suffixes, 1)}
        assert {n for n in names if n.startswith("visualisations/")} == expected, kind
    shell.run("plt.close('all')")


def test_nested_under_a_span_and_status_of_the_span(shell: Shell, store: str) -> None:
    shell.run("%mlrun pipe")
    shell.run("%%mlrun bad --nested\n1/0")
    assert "FAILED" in shell.run("%mlend")
    assert runs_of(store)["pipe"].info.status == "FAILED"
    shell.run("%mlrun pipe2")
    shell.run("1/0")
    shell.run("%mlend --ok")
    assert runs_of(store)["pipe2"].info.status == "FINISHED"


def test_a_failed_stage_that_is_run_again_makes_the_span_whole(shell: Shell, store: str) -> None:
    shell.run("%mlrun pipe")
    shell.run("%%mlrun stage --nested\nassert globals().get('fixed')")
    shell.run("fixed = True")
    shell.run("%%mlrun stage --nested\nassert globals().get('fixed')")
    shell.run("%mlend")
    assert runs_of(store)["pipe"].info.status == "FINISHED"


def test_a_second_run_without_nested_is_refused(shell: Shell, store: str) -> None:
    shell.run("%mlrun pipe")
    said = shell.run("%%mlrun other\nreached = 1")
    assert "--nested" in said
    assert "%mlend" in said
    assert "reached" not in shell.ip.user_ns
    shell.run("%mlend")
    assert set(runs_of(store)) == {"pipe"}


def test_log_outside_a_run_says_so_in_every_cell_and_goes_on(shell: Shell) -> None:
    for count in (3, 1, 1_200):
        said = shell.run(f"from cvtrack_magics import log\nfor i in range({count}): log(x=i)")
        assert said.count("no run open") == 1
        assert ("without a run" in said) == (count > 1)
        assert f"{count:,} times" in said or count == 1
        assert shell.result.success
    assert shell.run("x = 1") == ""


def test_a_metric_that_is_no_number_names_its_key(shell: Shell) -> None:
    said = shell.run("%%mlrun a\nfrom cvtrack_magics import log\nlog(acc='high')")
    assert "'acc' is of type str" in said
    assert "line 3 of the cell" in said
    assert shell.result.success


def test_printed_output_is_kept_and_streams_are_given_back(shell: Shell, store: str) -> None:
    import sys

    before = sys.stdout, sys.stderr
    shell.run("%%mlrun a\nimport sys\nprint('to out')\nprint('to err', file=sys.stderr)")
    text = artifact(store, runs_of(store)["a"], "logs/output.txt")
    assert "to out" in text
    assert "to err" in text
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("option", ["--no-code", "--no-output", "--no-figures"])
def test_what_is_not_wanted_is_left_out(option: str, shell: Shell, store: str) -> None:
    shell.ip.user_ns["get_ipython"] = lambda: shell.ip
    shell.run(
        f"%%mlrun a {option}\nimport matplotlib; matplotlib.use('Agg')\n"
        "import matplotlib.pyplot as plt\nplt.figure(); plt.plot([1, 2])\nprint('said')"
    )
    names = artifact_names(store, runs_of(store)["a"])
    assert ("code/cell.py" in names) == (option != "--no-code")
    assert ("logs/output.txt" in names) == (option != "--no-output")
    assert ("visualisations/figure-01.png" in names) == (option != "--no-figures")
    import matplotlib.pyplot as plt

    plt.close("all")


def test_settings_are_listed_and_set(shell: Shell) -> None:
    assert "close_timeout" in shell.run("%config CvTrack")
    shell.run("%config CvTrack.digits = 2")
    said = shell.run("%%mlrun a\nfrom cvtrack_magics import log\nlog(x=0.123456)")
    assert "0.12" in said
    assert "0.1235" not in said


def test_current_experiment_and_where_runs_go(shell: Shell, store: str) -> None:
    assert "Default" in shell.run("%mlexperiment")
    assert "resnets" in shell.run("%mlexperiment resnets")
    shell.run("%%mlrun a\npass")
    run = runs_of(store)["a"]
    client = mlflow.MlflowClient(store)
    assert client.get_experiment(run.info.experiment_id).name == "resnets"


def test_autolog_modes(shell: Shell) -> None:
    assert "on" in shell.run("%mlautolog explore")
    assert "off" in shell.run("%mlautolog production")


def test_nothing_heavy_is_imported_by_loading(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from traitlets.config import Config\n"
        "c = Config(); c.CvTrack.preload = False\n"
        "ip = InteractiveShell.instance(config=c)\n"
        "ip.run_line_magic('load_ext', 'cvtrack_magics')\n"
        "import sys\n"
        "heavy = {'mlflow', 'torch', 'matplotlib', 'numpy', 'pandas', 'anywidget', 'PIL', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr


def test_what_the_user_says_wins_over_what_is_read_off_the_machine(
    shell: Shell, store: str
) -> None:
    shell.run("%mltags env=production")
    shell.run("%%mlrun a --tag hardware=cluster\npass")
    tags = runs_of(store)["a"].data.tags
    assert tags["env"] == "production"
    assert tags["hardware"] == "cluster"


def test_a_fault_of_ours_never_becomes_the_cells(
    shell: Shell, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cvtrack_magics.display.card as card

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("our own fault")

    monkeypatch.setattr(card, "summary_bundle", broken)
    said = shell.run("%%mlrun a\nx = 1")
    assert shell.result.success
    assert "Traceback" not in said
    assert said.count("our own fault") == 1
    assert runs_of(store)["a"].info.status == "FINISHED"
    assert shell.session.current is None


def test_an_unusable_state_folder_costs_one_notice(
    shell: Shell, store: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    shell.run(f"%config CvTrack.state_folder = {str(tmp_path / 'file' / 'state')!r}")
    said = shell.run("%%mlrun a\nfrom cvtrack_magics import log\nlog(x=1)")
    assert shell.result.success
    assert said.count("state folder") == 1
    run = runs_of(store)["a"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["x"] == 1


def test_unloading_takes_the_default_store_back(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path / "home")
    shell.run("%%mlrun a\npass")
    assert mlflow.is_tracking_uri_set()
    shell.run("%unload_ext cvtrack_magics")
    assert not mlflow.is_tracking_uri_set()


def test_setting_tags_shows_the_schema(shell: Shell) -> None:
    said = shell.run("%mltags backbone=ResNet18 purpose=demo")
    rows = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert "ResNet18" in rows["backbone"]
    assert "demo" in rows["purpose"]
    assert {"task", "dataset", "env", "git_commit", "hardware", "team"} <= set(rows)


def test_metric_names_that_mlflow_does_not_take_are_made_to_fit(shell: Shell, store: str) -> None:
    said = shell.run("%%mlrun a\nfrom cvtrack_magics import log\nlog({'F1@best': 0.5, 'ok': 1})")
    assert "F1_best 0.5" in said  # as it is stored
    run = runs_of(store)["a"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["F1_best"] == 0.5
    assert run.data.metrics["ok"] == 1


def test_a_run_deleted_meanwhile_costs_notices_and_no_waiting(shell: Shell, store: str) -> None:
    import time

    started = time.monotonic()
    said = shell.run(
        "%%mlrun a\nimport mlflow\nfrom cvtrack_magics import log\n"
        "mlflow.MlflowClient().delete_run(mlflow.active_run().info.run_id)\nlog(x=1)"
    )
    assert shell.result.success
    assert "deleted" in said
    assert "then type %mlsync" in said, "the way on is named"
    assert "when the store answers" not in said, "it has answered"
    assert time.monotonic() - started < 30
