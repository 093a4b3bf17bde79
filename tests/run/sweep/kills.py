"""Kill sweeps in the middle, let them go on, and count: ``python -m tests.run.sweep.kills``.

Each schedule has a fault and a place in the life of a trial (``FAULTS``, ``PLACES``); odd rounds
meet it in a repeat of ``--seeds``, even ones in the search. Then the same call is made again by a
new process, as a person would run the cell again. In the end every trial is counted, none is there
twice, none is RUNNING, and each is as its run is.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import mlflow
import optuna

from cvtrack_magics.run.sweep.trials import label_of
from tests.faults.proxy import Fault, Proxy
from tests.faults.servers import MlflowServer
from tests.run.sweep.broken import (
    AWAY,
    FAULTS,
    PLACES,
    REPEATS,
    TRIALS,
    Job,
    ended,
    mend,
    start,
)


def play(job: Job, proxy: Proxy | None = None) -> list[str]:
    """Play one schedule; return what is wrong in the end."""
    if job.fault == "second process":
        first = start(job, struck=False)
        codes = [ended(start(job, struck=True, wait=0.3)), ended(first)]
        wanted: tuple[tuple[int, ...], ...] = ((-9, 0),)
    else:
        stop = threading.Event()
        watch = threading.Thread(target=_server, args=(job, proxy, stop)) if proxy else None
        child = start(job, struck=True)
        if watch:
            watch.start()
        codes = [ended(child)]
        stop.set()
        if watch:
            watch.join()
        wanted = {"kernel": ((-9,),), "server": ((0,),)}.get(job.fault, ((0,), (1,)))
    wrong = [] if (Path(job.folder) / "met").exists() else ["the fault was not met"]
    wrong += [] if tuple(codes) in wanted else [f"it ended with {codes}"]
    if job.fault == "second process" and not wrong:
        # the first one went on alone: nothing may be left for anybody else
        wrong += [f"before anybody looked again: {line}" for line in left_over(job)]
    mend(job)
    last = ended(start(job, struck=False))
    wrong += [] if last == 0 else [f"the next call ended with {last}"]
    return [*wrong, *left_over(job)]


def _server(job: Job, proxy: Proxy, stop: threading.Event) -> None:
    away = Path(job.folder) / "away"
    while not stop.is_set():
        if away.exists():
            proxy.set(Fault("refuse"))
            stop.wait(AWAY)
            proxy.set(None)
            return
        time.sleep(0.02)


# -- what is there in the end


def left_over(job: Job) -> list[str]:
    """Return what is wrong with the trials and their runs."""
    backend = optuna.storages.journal.JournalFileBackend(str(job.studies / "studies.log"))
    storage = optuna.storages.JournalStorage(backend)
    wrong, values = [], {}
    for suffix, count in (("s#1", TRIALS), ("s#1+seeds", REPEATS)):
        (name,) = [
            one
            for one in optuna.study.get_all_study_names(storage)
            if one.rpartition("/")[2] == suffix
        ]
        trials = optuna.load_study(study_name=name, storage=storage).get_trials()
        states = Counter(one.state.name for one in trials if not one.user_attrs.get("again"))
        if states != {"COMPLETE": count}:
            wrong.append(f"{suffix} has {dict(states)}")
        for one in trials:
            if one.state.name == "COMPLETE":
                values[f"s-{label_of(one.user_attrs, one.number)}"] = one.value
    return [*wrong, *_runs_wrong(job, values)]


def _runs_wrong(job: Job, values: dict[str, float]) -> list[str]:
    client = mlflow.MlflowClient(tracking_uri=job.store)
    experiment = client.get_experiment_by_name(job.experiment)
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    wrong = []
    states = Counter(run.info.status for run in runs)
    if states != {"FINISHED": 1 + TRIALS + REPEATS}:
        told = sorted((run.info.run_name, run.info.status) for run in runs)
        wrong.append(f"runs are {told}")
    named = Counter(run.info.run_name for run in runs)
    wrong += [f"{name} is there {n} times" for name, n in named.items() if n > 1]
    parents = {run.info.run_id for run in runs if run.info.run_name == "s"}
    known = {run.info.run_name: run for run in runs}
    best = Path(job.folder, "best").read_text(encoding="utf-8")
    if best not in {run.info.run_id for run in runs}:
        wrong.append(f"the best run is {best!r}")
    for name, value in values.items():
        run = known.get(name)
        if run is None:
            wrong.append(f"run {name!r} of a trial is not there")
        elif not math.isclose(run.data.metrics.get("val/loss", math.nan), value, abs_tol=1e-9):
            wrong.append(f"{run.info.run_name} has another value than its trial")
        elif run.data.tags.get("mlflow.parentRunId") not in parents:
            wrong.append(f"{run.info.run_name} is not nested under the sweep's")
    return wrong


def main() -> int:
    """Play what was asked for, and print a table; 1 where anything fell."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--first", type=int, default=0, help="number of the first round")
    options.add_argument("--faults", default=",".join(FAULTS))
    options.add_argument("--places", default=",".join(PLACES))
    asked = options.parse_args()
    faults, places = asked.faults.split(","), asked.places.split(",")
    root = Path(tempfile.mkdtemp(prefix="cvtrack-sweep-kills-"))
    print(f"files are in {root}", flush=True)
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db").search_experiments()
    _drop_connections()
    server = MlflowServer(root, f"sqlite:///{root}/mlflow.db") if "server" in faults else None
    proxy = None
    if server:
        proxy = Proxy(server.port)
    fell: dict[tuple[str, str], list[list[str]]] = {}
    try:
        for number in range(asked.first, asked.first + asked.rounds):
            for fault in faults:
                for place in places:
                    job = _job(root, fault, place, number, proxy)
                    wrong = play(job, proxy if fault == "server" else None)
                    fell.setdefault((fault, place), []).append(wrong)
                    print(f"{fault:15} {place:8} {number}: {wrong or 'right'}", flush=True)
                    if not wrong:
                        shutil.rmtree(job.folder, ignore_errors=True)
    finally:
        if proxy:
            proxy.close()
        if server:
            server.kill()
    _table(fell, faults, places)
    return int(any(wrong for some in fell.values() for wrong in some))


def _drop_connections() -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    engines = getattr(SqlAlchemyStore, "_engine_map", {})
    for uri in list(engines):
        engines.pop(uri).dispose()


def _job(root: Path, fault: str, place: str, number: int, proxy: Proxy | None) -> Job:
    folder = root / f"{fault}-{place}-{number}".replace(" ", "-")
    folder.mkdir()
    uri = f"http://127.0.0.1:{proxy.port}" if fault == "server" and proxy else ""
    if not uri:
        shutil.copyfile(root / "mlflow.db", folder / "mlflow.db")
    return Job(str(folder), fault, place, number, uri)


def _table(
    fell: dict[tuple[str, str], list[list[str]]], faults: list[str], places: list[str]
) -> None:
    print(f"\n{'':15}" + "".join(f"{place:>10}" for place in places))
    for fault in faults:
        cells = [fell[fault, place] for place in places]
        right = [f"{sum(not wrong for wrong in some)}/{len(some)}" for some in cells]
        print(f"{fault:15}" + "".join(f"{cell:>10}" for cell in right))
    played = [wrong for some in fell.values() for wrong in some]
    print(f"{sum(not wrong for wrong in played)} of {len(played)} schedules ended right")


if __name__ == "__main__":
    sys.exit(main())
