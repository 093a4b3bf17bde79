"""Two processes that each have a stretch of one run send it to one run, and delete nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from mlflow import MlflowClient

from cvtrack_magics.journal.folder import RunNote
from cvtrack_magics.store.deferred_runs import JOURNAL, RUN_KEY, create_run, remove_twins

FIRST = "a" * 8


def note(uri: str, key: str) -> RunNote:
    tags = {} if key == FIRST else {RUN_KEY: FIRST}
    return RunNote(key, "d", uri, 1_700_000_000_000, "here", 1, 0.0, tags=tags)


def test_stretches_that_come_at_once_are_one_run(store: str) -> None:
    together = threading.Barrier(6)

    def create(key: str) -> str:
        together.wait()
        return create_run(store, note(store, key), "")[0]

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(create, [FIRST, *(letter * 8 for letter in "bcdef")]))
    assert len(found) == 1
    assert len(MlflowClient(store).search_runs(["0"])) == 1


def test_only_what_was_left_empty_by_the_same_journal_is_deleted(store: str) -> None:
    client = MlflowClient(store)
    kept = create_run(store, note(store, FIRST), "")[0]
    made = {
        "late answer": {RUN_KEY: FIRST, JOURNAL: FIRST},
        "late answer of an opening": {RUN_KEY: FIRST},
        "other stretch": {RUN_KEY: FIRST, JOURNAL: "b" * 8},
        "with points": {RUN_KEY: FIRST, JOURNAL: FIRST},
        "with params": {RUN_KEY: FIRST},
        "other run": {RUN_KEY: "c" * 8},
    }
    ids = {name: client.create_run("0", tags=tags).info.run_id for name, tags in made.items()}
    client.log_metric(ids["with points"], "loss", 1.0)
    client.log_param(ids["with params"], "lr", 0.1)
    remove_twins(store, "0", FIRST, kept)
    left = {run.info.run_id for run in client.search_runs(["0"])}
    assert left == {kept} | {
        ids[name] for name in ("other stretch", "with points", "with params", "other run")
    }
