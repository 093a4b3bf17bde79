"""Runs a guest's cells in a real kernel, with and without ``%%mlrun`` on top."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.guests.guest import Guest
from tests.kernels import Kernel, Ran

ROOT = Path(__file__).parents[2]
EXPERIMENT = "guests"
CELL_SECONDS = 900
ENDINGS = {"train": "FINISHED", "fails": "FAILED", "stops": "KILLED"}
"""The runs of a trial, in order, and the status that each must have."""

STATE = """
def _cvtrack_state():
    import os, sys, mlflow
    from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS
    active = mlflow.active_run()
    return dict(
        environment=dict(os.environ),
        uri=mlflow.get_tracking_uri(),
        experiment=mlflow.tracking.fluent._active_experiment_id,
        active=active and active.info.run_id,
        autologging=sorted(
            name for name, said in AUTOLOGGING_INTEGRATIONS.items()
            if said and not said.get("disable")
        ),
        streams=[type(sys.stdout).__name__, type(sys.stderr).__name__],
    )
"""
TELL = """
import json as _json
print("STATE " + _json.dumps(_cvtrack_state()))
"""
CURVES = """
print("CURVES " + _json.dumps(
    {name: [[int(s), float(v)] for s, v in points] for name, points in curves.items()}
))
print("PARAMS " + _json.dumps({k: str(v) for k, v in globals().get("params", {}).items()}))
"""
FAULT = """
import os as _os, signal as _signal, time as _time
{imports}
_plain, _calls = {target}, [0]
def _faulty(*args, **kwargs):
    _calls[0] += 1
    if _calls[0] == {at}:
        {act}
    return _plain(*args, **kwargs)
{target} = _faulty
"""
ACTS = {
    "fails": "raise RuntimeError('no luck')",
    "stops": "_os.kill(_os.getpid(), _signal.SIGINT); _time.sleep(5)",
}
MEND = "{target} = _plain"


@dataclass
class Trial:
    """What a guest's cells did in one kernel."""

    said: dict[str, Ran] = field(default_factory=dict)
    curves: dict[str, list[list[float]]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    states: list[dict[str, Any]] = field(default_factory=list)
    """Before the first run, and after each."""


def alone(guest: Guest, folder: Path) -> Trial:
    """Run a guest's cells as they are."""
    trial = Trial()
    with Kernel(folder, **_world(folder)) as kernel:
        kernel.run(STATE, CELL_SECONDS).check()
        _told(kernel, trial, f"import mlflow; mlflow.set_experiment({EXPERIMENT!r})\n{guest.setup}")
        trial.said["train"] = kernel.run(guest.train, CELL_SECONDS)
        trial.said["train"].check()
        _told(kernel, trial)
        _read_curves(kernel, guest, trial)
    return trial


def with_us(guest: Guest, folder: Path) -> Trial:
    """Run a guest's cells with our line on top: to its end, into an error, into an interrupt."""
    trial = Trial()
    with Kernel(folder, **_world(folder)) as kernel:
        kernel.run(STATE, CELL_SECONDS).check()
        kernel.run(f"%load_ext cvtrack_magics\n%mlexperiment {EXPERIMENT}", CELL_SECONDS).check()
        _told(kernel, trial, guest.setup)
        for name in ENDINGS:
            if name in ACTS:
                kernel.run(_fault(guest, name), CELL_SECONDS).check()
            trial.said[name] = kernel.run(f"%%mlrun {name}\n{guest.train}", CELL_SECONDS)
            if name in ACTS:
                kernel.run(MEND.format(target=guest.fault), CELL_SECONDS).check()
            else:
                trial.said[name].check()
                _read_curves(kernel, guest, trial)
            _told(kernel, trial)
    return trial


def _world(folder: Path) -> dict[str, str]:
    """Return the environment of a guest's kernel: its own store, and no network."""
    return {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "YOLO_CONFIG_DIR": str(folder / "config"),
        "YOLO_OFFLINE": "true",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "huggingface"),
        "FASTAI_HOME": str(folder / "fastai"),
        "KERAS_HOME": str(folder / "keras"),
        "CVTRACK_CLOSE_TIMEOUT": "60",
        "MPLBACKEND": "agg",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }


def _fault(guest: Guest, name: str) -> str:
    target = guest.fault
    module = target.split(".")[0]
    imports = f"import {guest.fault_module or module}"
    return FAULT.format(imports=imports, target=target, at=guest.fault_at, act=ACTS[name])


def _told(kernel: Kernel, trial: Trial, first: str = "") -> None:
    if first:
        kernel.run(first, CELL_SECONDS).check()
    trial.states.append(_json(kernel.run(TELL, CELL_SECONDS).check(), "STATE"))


def _read_curves(kernel: Kernel, guest: Guest, trial: Trial) -> None:
    ran = kernel.run(f"import json as _json\n{guest.curves}\n{CURVES}", CELL_SECONDS).check()
    trial.curves, trial.params = _json(ran, "CURVES"), _json(ran, "PARAMS")


def _json(ran: Ran, word: str) -> Any:
    lines = [line for line in ran.text.splitlines() if line.startswith(word + " ")]
    return json.loads(lines[-1].removeprefix(word))
