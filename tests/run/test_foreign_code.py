"""What other code does to MLflow inside a run stays in the run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.utils.autologging_utils import autologging_is_disabled

from cvtrack_magics import log, mlrun
from cvtrack_magics.run.first_calls import FirstAct, first_act
from tests.conftest import Shell
from tests.store_views import points, runs_of

AGAIN = "mlflow.log_metric('after', 2.0)"


def parents(found: dict[str, Any]) -> dict[str, str]:
    """Return the name of each child run's parent."""
    names = {run.info.run_id: name for name, run in found.items()}
    tags = {name: run.data.tags.get("mlflow.parentRunId", "") for name, run in found.items()}
    return {name: names[above] for name, above in tags.items() if above}


def runs_in(store: str, experiment: str) -> dict[str, Any]:
    """Return the runs of an experiment by name."""
    client = mlflow.MlflowClient(tracking_uri=store)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return {run.info.run_name: run for run in found}


ENDINGS = {
    "end_run": "mlflow.end_run()",
    "as failed": "mlflow.end_run('FAILED')",
    "by status name": "mlflow.end_run(status='KILLED')",
    "twice": "mlflow.end_run(); mlflow.end_run()",
    "until none": "while mlflow.active_run(): mlflow.end_run()",
    "until none, then start": "while mlflow.active_run(): mlflow.end_run()\n"
    "with mlflow.start_run(run_name='kid'): pass",
    "imported before": "end_run()",
    "with the active run": "with mlflow.active_run(): pass",
    "by the client": "mlflow.MlflowClient().set_terminated(mlflow.active_run().info.run_id)",
    "by update_run": "mlflow.MlflowClient().update_run(\n"
    "    mlflow.active_run().info.run_id, status='FINISHED')",
    "entered again": "with mlflow.start_run(run_id=mlflow.active_run().info.run_id): pass",
    "entered again nested": "r = mlflow.active_run().info.run_id\n"
    "with mlflow.start_run(run_id=r, nested=True): pass\nmlflow.end_run()",
    "in a child": "with mlflow.start_run(nested=True): mlflow.end_run(); mlflow.end_run()",
    "in a thread": "import threading\n"
    "t = threading.Thread(target=mlflow.end_run); t.start(); t.join()",
}


def test_other_code_never_ends_the_run(shell: Shell, store: str) -> None:
    shell.run("import mlflow\nfrom mlflow import end_run")
    for way, body in ENDINGS.items():
        shell.run(f"%mlexperiment {way!r}")
        said = shell.run(f"%%mlrun train\nmlflow.log_metric('before', 1.0)\n{body}\n{AGAIN}")
        assert shell.result.success, said
        found = runs_in(store, way)
        assert set(found) == {"train", *parents(found)}, way
        assert points(store, found["train"], "after") == [(0, 2.0)], way
        assert {run.info.status for run in found.values()} == {"FINISHED"}, way
        assert ("undone" in said) == (way not in ("entered again", "in a thread")), said
        assert mlflow.active_run() is None
        shell.run("%%mlrun next\nassert mlflow.active_run().info.run_name == 'next'")
        assert shell.result.success
        assert runs_in(store, way)["next"].info.status == "FINISHED"


def test_the_run_has_the_end_of_its_cell_not_that_of_a_callback(shell: Shell, store: str) -> None:
    shell.run("import mlflow")
    shell.run("%%mlrun train\nmlflow.end_run()\n1/0")
    assert runs_of(store)["train"].info.status == "FAILED"


OWN_ID = "i = mlflow.active_run().info.run_id\n"
PARENT = (
    "c = mlflow.MlflowClient()\n"
    "p = c.create_run(mlflow.active_run().info.experiment_id, run_name='p')\n"
)
PLACED = {
    "under another parent": (
        f"{PARENT}with mlflow.start_run(run_name='a', parent_run_id=p.info.run_id): pass\n"
        "c.set_terminated(p.info.run_id)",
        {"a": "p"},
        "",
    ),
    "under ours by its id": (
        f"{OWN_ID}with mlflow.start_run(run_name='a', parent_run_id=i): pass",
        {"a": "mine"},
        "as its child",
    ),
    "by the environment's id": (
        f"{OWN_ID}import os\nos.environ['MLFLOW_RUN_ID'] = i\n"
        "with mlflow.start_run(): mlflow.log_metric('m', 1)\n"
        "assert 'MLFLOW_RUN_ID' not in os.environ",
        {},
        "",
    ),
    "left open by a thread": (
        "import threading\nt = threading.Thread(target=lambda: mlflow.start_run(run_name='a'))\n"
        "t.start(); t.join()",
        {},
        "left open",
    ),
    "left open by a pool": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(1) as pool:\n"
        "    pool.submit(lambda: [mlflow.start_run(run_name='a'), mlflow.log_metric('m', 1)])",
        {},
        "left open",
    ),
    "ended by its thread": (
        "import threading\ndef f():\n    with mlflow.start_run(run_name='a'): pass\n"
        "t = threading.Thread(target=f); t.start(); t.join()",
        {},
        "",
    ),
}


def test_a_run_is_where_its_start_says_and_none_stays_open(shell: Shell, store: str) -> None:
    shell.run("import mlflow")
    for way, (body, above, line) in PLACED.items():
        shell.run(f"%mlexperiment {way!r}")
        said = shell.run(f"%%mlrun mine\n{body}\nmlflow.log_param('last', 1)")
        assert shell.result.success, said
        found = runs_in(store, way)
        assert parents(found) == above, way
        assert {run.info.status for run in found.values()} == {"FINISHED"}, way
        assert found["mine"].data.params["last"] == "1", way
        words = {"as its child", "left open"}
        assert {word for word in words if word in said} == ({line} if line else set()), said
        assert mlflow.active_run() is None


START = "mlflow.start_run"
STARTS = {
    "with": ("with mlflow.start_run(run_name='a'): mlflow.log_metric('m', 1)", {"a": "mine"}),
    "plain": (
        "mlflow.start_run(run_name='a'); mlflow.log_metric('m', 1); mlflow.end_run()",
        {"a": "mine"},
    ),
    "left open": ("mlflow.start_run(run_name='a'); mlflow.log_metric('m', 1)", {"a": "mine"}),
    "two": (
        "for n in 'ab':\n    with mlflow.start_run(run_name=n): mlflow.log_metric('m', 1)",
        {"a": "mine", "b": "mine"},
    ),
    "inner nested": (
        "with mlflow.start_run(run_name='a'):\n"
        "    with mlflow.start_run(run_name='b', nested=True):\n"
        "        mlflow.log_metric('m', 1)",
        {"a": "mine", "b": "a"},
    ),
    "nested": ("with mlflow.start_run(run_name='a', nested=True): pass", {"a": "mine"}),
    "not nested, said": ("with mlflow.start_run(run_name='a', nested=False): pass", {"a": "mine"}),
    "by position": ("with mlflow.start_run(None, None, 'a', False): pass", {"a": "mine"}),
    "imported before": ("with start_run(run_name='a'): pass", {"a": "mine"}),
    "after an end_run": (
        "mlflow.end_run()\nwith mlflow.start_run(run_name='a'): pass",
        {"a": "mine"},
    ),
    "in another experiment": (
        "e = mlflow.create_experiment('other')\n"
        "with mlflow.start_run(run_name='a', experiment_id=e): pass",
        {"a": "mine"},
    ),
    "if none is active": (
        "mlflow.active_run() or mlflow.start_run(run_name='a')\n"
        "mlflow.log_metric('m', 1); mlflow.end_run()",
        {},
    ),
    "in a child of ours": (
        "from cvtrack_magics import mlrun\nwith mlrun('b', nested=True):\n"
        "    with mlflow.start_run(run_name='a'): pass",
        {"b": "mine", "a": "b"},
    ),
}


def test_a_run_started_in_the_cell_is_its_child(shell: Shell, store: str) -> None:
    shell.run("import mlflow\nfrom mlflow import start_run")
    for way, (body, above) in STARTS.items():
        shell.run(f"%mlexperiment {way!r}")
        said = shell.run(f"%%mlrun mine\n{body}\nmlflow.log_param('last', 1)")
        assert shell.result.success, said
        found = runs_in(store, way)
        if way == "in another experiment":
            found |= runs_in(store, "other")
        assert parents(found) == above, way
        assert {run.info.status for run in found.values()} == {"FINISHED"}, way
        last = [name for name, run in found.items() if run.data.params.get("last")]
        assert last == ["a" if way == "left open" else "mine"], way
        assert mlflow.last_active_run().info.run_name == "mine", way


def test_the_childs_notice_comes_once(shell: Shell) -> None:
    body = "for n in range(5):\n    with mlflow.start_run(run_name=f'k{n}'): pass"
    said = shell.run(f"%%mlrun mine\nimport mlflow\n{body}")
    assert said.count("as its child") == 1


def test_mlflows_own_refusals_stay(shell: Shell) -> None:
    shell.run("import mlflow")
    said = shell.run("%%mlrun mine\nmlflow.start_run()\nmlflow.start_run()")
    assert "already active" in said
    assert not shell.result.success


def test_mlflows_functions_are_given_back(store: str, script: None) -> None:
    import inspect

    from mlflow.tracking import fluent

    names = ("start_run", "end_run", "_get_or_start_run", "set_experiment")
    before = {n: (getattr(fluent, n), getattr(fluent, n).__code__) for n in names}
    signature = inspect.signature(mlflow.start_run)
    with mlrun("a", output=False):
        assert inspect.signature(mlflow.start_run) == signature
        with mlrun("b", nested=True, output=False):
            pass
        assert mlflow.start_run.__code__ is not before["start_run"][1]
    assert {n: (getattr(fluent, n), getattr(fluent, n).__code__) for n in names} == before
    assert inspect.signature(mlflow.start_run) == signature
    with mlflow.start_run(run_name="plain") as plain, pytest.raises(Exception, match="already"):
        mlflow.start_run()
    assert mlflow.get_run(plain.info.run_id).info.status == "FINISHED"


def test_a_thread_logs_to_the_cells_run(store: str, script: None) -> None:
    import threading

    with mlrun("cell", output=False):
        work = threading.Thread(target=lambda: mlflow.log_metric("from thread", 1.0))
        work.start()
        work.join()
    (run,) = runs_of(store).values()
    assert points(store, run, "from thread") == [(0, 1.0)]


SWITCHES = {
    "experiment": "mlflow.set_experiment('/Shared/Foreign')",
    "experiment by id": "e = mlflow.create_experiment('f'); mlflow.set_experiment(experiment_id=e)",
    "experiment in the environment": "import os; os.environ['MLFLOW_EXPERIMENT_NAME'] = 'Foreign'",
    "store": "mlflow.set_tracking_uri('sqlite:///other.db')",
    "store and experiment": "mlflow.set_tracking_uri('sqlite:///other.db')\n"
    "mlflow.set_experiment('there')",
    "store in the environment": "import os; os.environ['MLFLOW_TRACKING_URI']='sqlite:///other.db'",
    "registry": "mlflow.set_registry_uri('sqlite:///other.db')",
    "autolog": "mlflow.sklearn.autolog()",
    "autolog of all": "import sklearn; mlflow.autolog()",
    "run id": "import os; os.environ['MLFLOW_RUN_ID'] = 'f' * 32",
    "a failing cell": "mlflow.set_experiment('/Shared/Foreign'); 1/0",
    "an interrupted cell": "mlflow.set_experiment('/Shared/Foreign'); raise KeyboardInterrupt",
}
SILENT = ("run id", "experiment in the environment")


def test_what_a_cell_switches_is_put_back(shell: Shell, store: str) -> None:
    shell.run("import mlflow, sklearn.linear_model")
    for way, body in SWITCHES.items():
        shell.run(f"%mlexperiment {way!r}")
        before = mlflow_variables()
        said = shell.run(f"%%mlrun guest\nmlflow.log_metric('m', 1.0)\n{body}")
        assert ("Undone at the end of the run" in said) == (way not in SILENT), said
        assert mlflow_variables() == before, way
        assert mlflow.get_tracking_uri() == mlflow.get_registry_uri() == store, way
        assert autologging_is_disabled("sklearn"), way
        shell.run("%%mlrun next\nmlflow.log_metric('m', 1.0)")
        found = runs_in(store, way)
        assert set(found) == {"guest", "next"}, way
        assert points(store, found["next"], "m") == [(0, 1.0)], way


def mlflow_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}


def test_a_nested_run_goes_where_the_user_said(store: str, script: None) -> None:
    from cvtrack_magics import mlexperiment

    mlexperiment("mine")
    with mlrun("outer", output=False):
        mlflow.set_experiment("foreign")
        mlflow.set_tracking_uri("sqlite:///other.db")
        with mlrun("inner", nested=True, output=False):
            log(a=1)
    found = runs_of(store)
    assert parents(found) == {"inner": "outer"}
    assert len({run.info.experiment_id for run in found.values()}) == 1


def test_what_the_user_types_in_a_run_stays(shell: Shell, store: str) -> None:
    shell.run("import mlflow\n%mlexperiment first")
    shell.run("%%mlrun a\n%mlexperiment second\n%mlautolog explore")
    assert not autologging_is_disabled("pytorch")
    shell.run("%mlautolog production\n%%mlrun b\n1")
    shell.run("%%mlrun b\n1")
    found = runs_of(store)
    name = mlflow.get_experiment(found["b"].info.experiment_id).name
    assert name == "second"


@pytest.mark.parametrize("name", ["mine", "with space", "ünï"])
def test_the_experiments_name_is_in_the_environment_of_a_run(name: str, shell: Shell) -> None:
    shell.run(f"import os\n%mlexperiment {name!r}")
    said = shell.run("%%mlrun a\nprint('NAME', os.environ['MLFLOW_EXPERIMENT_NAME'])")
    assert f"NAME {name}" in said
    assert "MLFLOW_EXPERIMENT_NAME" not in os.environ


FIRST = {
    "mlflow.set_experiment('x')\nrun()": "x",
    "import mlflow\nmlflow.set_experiment('x')": "x",
    "import mlflow as ml\nml.set_experiment(experiment_name='x')": "x",
    "from mlflow import set_experiment\nset_experiment('x')": "x",
    "'''What this is.'''\nmlflow.set_experiment('x')": "x",
    "# first\n%matplotlib inline\nmlflow.set_experiment('x')": "x",
    "NAME = 'x'\nmlflow.set_experiment(NAME)": "x",
    "mlflow.set_experiment(f'{there}-1')": "x-1",
    "mlflow.set_experiment(config['name'])": "x",
    "experiment = mlflow.set_experiment('x')": "x",
    "mlflow.set_experiment('x'); mlflow.set_experiment('y')": "y",
    "SEED: int = 1\nmlflow.set_experiment('x')": "x",
    "name: str = 'x'\nmlflow.set_experiment(name)": "x",
    "net: object\nmlflow.set_experiment('x')": "x",
    "a, b = 1, 'x'\nmlflow.set_experiment(b)": "x",
    "[a, (b)] = [1, 'x']\nmlflow.set_experiment(b)": "x",
    "a = b = 'x'\nmlflow.set_experiment(b)": "x",
    "mlflow.set_experiment('x', trace_location=None)": "x",
    "mlflow.set_experiment(experiment_name='x', experiment_id=None)": "x",
    "experiment: object = mlflow.set_experiment('x')": "x",
    "a, b = train()\nmlflow.set_experiment('x')": "",
    "a, *b = 1, 2\nmlflow.set_experiment('x')": "",
    "there.name = 1\nmlflow.set_experiment('x')": "",
    "net: object = train()\nmlflow.set_experiment('x')": "",
    "mlflow.set_experiment('x', trace_location=place())": "",
    "mlflow.set_experiment(**config)": "",
    "mlflow.set_experiment(config)": "",
    "train()\nmlflow.set_experiment('x')": "",
    "mlflow.log_param('a', 1)\nmlflow.set_experiment('x')": "",
    "mlflow.set_experiment(name_of())": "",
    "mlflow.set_experiment(unknown)": "",
    "if True: mlflow.set_experiment('x')": "",
    "other.set_experiment('x')": "",
    "mlflow.set_experiment(": "",
    "mlflow.set_experiment('')": "",
    "mlflow.set_experiment(5)": "",
}


@pytest.mark.parametrize("cell", list(FIRST))
def test_what_a_cell_says_first(cell: str) -> None:
    names = {"mlflow": mlflow, "there": "x", "config": {"name": "x"}, "other": object()}
    assert first_act(f"%%mlrun a\n{cell}", names) == FirstAct(FIRST[cell])


def test_an_experiment_may_be_said_by_its_id(shell: Shell, store: str) -> None:
    number = mlflow.MlflowClient(store).create_experiment("by-id")
    shell.run(f"%%mlrun a\nimport mlflow\nmlflow.set_experiment(experiment_id='{number}')")
    assert runs_of(store)["a"].info.experiment_id == number


def test_the_cells_first_act_is_what_the_user_meant(shell: Shell, store: str) -> None:
    shell.run("%%mlrun a\nimport mlflow\nmlflow.set_experiment('said')\nmlflow.log_param('p', 1)")
    shell.run("%%mlrun b\n1")
    found = runs_of(store)
    names = {mlflow.get_experiment(run.info.experiment_id).name for run in found.values()}
    assert (set(found), names) == ({"a", "b"}, {"said"})


def test_a_store_is_the_cells_where_none_was_named(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    shell.run("%reload_ext cvtrack_magics")
    shell.run(
        "%%mlrun a\nimport mlflow\nmlflow.set_tracking_uri('sqlite:///quick.db')\n"
        "mlflow.set_experiment('quick')\nwith mlflow.start_run(run_name='inner'): pass"
    )
    assert parents(runs_of(f"sqlite:///{tmp_path / 'quick.db'}")) == {"inner": "a"}


ELSEWHERE = {
    "open": "mlflow.start_run(run_name='theirs')",
    "two": "mlflow.start_run(run_name='first'); mlflow.start_run(run_name='theirs', nested=True)",
    "after logging": "mlflow.log_metric('m', 1); mlflow.set_tag('mlflow.runName', 'theirs')",
    "after an error": "mlflow.start_run(run_name='theirs'); 1/0",
}


@pytest.mark.parametrize("way", list(ELSEWHERE))
def test_a_run_that_was_left_open_elsewhere_is_no_bar(way: str, shell: Shell, store: str) -> None:
    shell.run("import mlflow")
    shell.run(ELSEWHERE[way])
    active = mlflow.active_run().info.run_id
    said = shell.run("%%mlrun ours\nmlflow.log_metric('a', 1.0)\nmlflow.end_run()")
    assert shell.result.success, said
    assert "mlflow.end_run() in a cell of its own" in said
    ours = runs_of(store)["ours"]
    assert "mlflow.parentRunId" not in ours.data.tags
    assert points(store, ours, "a") == [(0, 1.0)]
    assert ours.info.status == "FINISHED"
    assert mlflow.active_run().info.run_id == active
    assert mlflow.get_run(active).info.status == "RUNNING"
    while mlflow.active_run():
        mlflow.end_run()


def test_a_run_that_is_open_elsewhere_is_not_resumed(shell: Shell) -> None:
    shell.run("import mlflow\nmlflow.start_run(run_name='theirs')")
    said = shell.run("%%mlrun theirs --resume\n1")
    assert "mlflow.end_run()" in said
    assert not shell.result.success
    mlflow.end_run()


def test_runs_of_libraries_are_linked_both_ways(store: str, script: None) -> None:
    client = mlflow.MlflowClient()
    with mlrun("cell", output=False) as run:
        made = [client.create_run("0", run_name=f"made{n}").info.run_id for n in range(3)]
        client.log_metric(made[0], "acc", 1.0)
        for run_id in made:
            client.set_terminated(run_id)
    found = runs_of(store)
    assert found["cell"].data.tags["cvtrack.opened"] == " ".join(made)
    for n in range(3):
        assert found[f"made{n}"].data.tags["cvtrack.opened_in"] == run.run_id
    assert any("made0" in line and "acc" in line for line in run.summary.notices)


@pytest.mark.parametrize("fault", ["make", "open", "sender", "name"])
def test_taking_a_run_in_never_raises(
    fault: str, store: str, script: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtrack_magics.run import foreign_runs as guests

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("it broke")

    with mlrun("cell", output=False) as run:
        scope = run._scope
        if fault == "make":
            monkeypatch.setattr(guests, "KeptRun", broken)
        elif fault == "open":
            monkeypatch.setattr(scope.session.pump, "open", broken)
        elif fault == "sender":
            monkeypatch.setattr(scope.session.sender, "open", broken)
        else:
            monkeypatch.setattr(guests, "absolute", broken)
        with mlflow.start_run(run_name="theirs"):
            mlflow.log_param("p", 1)
        monkeypatch.undo()
    assert runs_of(store)["theirs"].data.params == {"p": "1"}
    assert any("it broke" in line for line in run.summary.notices)


GONE = {
    "a moment": ["clear", "run", "back"],
    "for good": ["clear", "run"],
    "between two runs": ["clear", "back", "run"],
    "before a plain call": ["clear", "active", "back", "run"],
}


def test_the_session_keeps_the_store_it_was_told(
    store: str, store_template: Path, tmp_path: Path, script: None
) -> None:
    kept, number = dict(os.environ), 0
    for nested in (False, True):
        for way, acts in GONE.items():
            number += 1
            outer = mlrun(f"outer-{number}", output=False) if nested else None
            for act in acts:
                if act == "clear":
                    os.environ.clear()
                elif act == "back":
                    os.environ.update(kept)
                elif act == "active":
                    mlflow.active_run()
                else:
                    with mlrun(f"during-{number}", nested=nested, output=False):
                        log(a=1)
            os.environ.update(kept)
            if outer:
                outer.end()
            with mlrun(f"after-{number}", output=False):
                log(a=1)
            assert {f"during-{number}", f"after-{number}"} <= set(runs_of(store)), way
            assert [p.name for p in tmp_path.glob("*.db")] == ["mlflow.db"], way
    shutil.copyfile(store_template, tmp_path / "moved.db")
    os.environ["MLFLOW_TRACKING_URI"] = moved = f"sqlite:///{tmp_path / 'moved.db'}"
    with mlrun("moved", output=False):
        log(a=1)
    assert set(runs_of(moved)) == {"moved"}
