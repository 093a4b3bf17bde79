"""Runs to compare, made by hand."""

from __future__ import annotations

import json
from typing import Any

from cvtrack_magics.release.facts import Candidate, DataFact, Point

ENVIRONMENT = {
    "software": {"Python": "3.11.7 (CPython)", "OS": "Debian", "packages": "2"},
    "hardware": {"CPU": "Xeon", "Memory": "23.5 GiB"},
    "packages": {"numpy": "2.4.6", "torch": "2.14.1"},
}


def run(name: str, **more: Any) -> Candidate:
    """Return a finished run that has all that is recorded of one."""
    texts = {
        "code/cell.py": f"%%mlrun {name} --seed 1\nfit(lr)\n",
        "code/session.ipy": f"# %% [1]\nlr = 0.1\n\n# %% [2]\n{called(name)}\n",
        "environment/environment.json": json.dumps(ENVIRONMENT),
        **more.pop("texts", {}),
    }
    params = {"global_seed": "1", "lr": "0.1", **more.pop("params", {})}
    metrics = {k: Point(v, 0, 1) for k, v in more.pop("metrics", {}).items()}
    whole = {"params": params, "metrics": metrics, "texts": texts, **more}
    return Candidate(f"{name:0<32}", name, "digits", "FINISHED", 0, 1, **whole)


def called(name: str) -> str:
    return f'get_ipython().run_cell_magic(\'mlrun\', \'{name} --seed 1\', r"""fit(lr)\n""")'


def environment(**changed: Any) -> dict[str, str]:
    """Return the environment's file with other parts."""
    whole = {key: {**part, **changed.get(key, {})} for key, part in ENVIRONMENT.items()}
    return {"environment/environment.json": json.dumps(whole)}


def data(name: str, digest: str, context: str = "train", samples: str = "") -> DataFact:
    return DataFact(name, context, digest, "", samples)


def points(values: list[float], name: str = "loss", start: int = 0) -> list[Any]:
    """Return a curve as the store gives it."""
    return [(name, value, 1000 + step, step + start) for step, value in enumerate(values)]
