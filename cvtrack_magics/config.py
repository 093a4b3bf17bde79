"""Every default in one place; ``%config CvTrack`` lists and sets them.

An environment variable ``CVTRACK_<OPTION>`` sets one for a whole process, scripts included.
"""

from __future__ import annotations

import os
import warnings
from ast import literal_eval
from pathlib import Path
from typing import Any

from traitlets import Bool, Enum, Float, Integer, List, TraitError, Unicode, default
from traitlets.config import Configurable

from cvtrack_magics.private import private_folder

ENVIRONMENT = "CVTRACK_"


class CvTrack(Configurable):
    """The settings of cvtrack_magics."""

    preload = Bool(True, help="Import MLflow in the background when the extension is loaded.").tag(
        config=True
    )
    offer_names = Bool(
        True, help="Have log, track and Predictions in the notebook without an import."
    ).tag(config=True)
    default_store = Unicode(
        "sqlite:///mlflow.db",
        help="Tracking URI used when neither MLFLOW_TRACKING_URI nor mlflow.set_tracking_uri() "
        "names one.",
    ).tag(config=True)
    connect_timeout = Float(
        3.0, help="Seconds to wait for the tracking store before a run is opened on disk only."
    ).tag(config=True)
    close_timeout = Float(
        2.0, help="Seconds a cell waits at its end for the store; the rest is sent afterwards."
    ).tag(config=True)
    exit_timeout = Float(
        60.0,
        help="Seconds a script, or IPython in a terminal, waits at its end until its runs are in "
        "the store.",
    ).tag(config=True)
    send_interval = Float(0.5, help="Seconds between two batches of metrics.").tag(config=True)
    sender = Enum(
        ("process", "thread"),
        help="Who sends a run that lasts: a process beside the kernel, which costs the training "
        "nothing, or a thread of the kernel.",
    ).tag(config=True)
    watch = Bool(
        help="Start a small process at the first run, which ends the runs of this kernel as "
        "KILLED in the store when the kernel is killed.",
    ).tag(config=True)
    watch_webhook = Unicode(
        help="An address that is told, as JSON by POST, what --watch says of a run. It is a "
        "secret, and is recorded nowhere; CVTRACK_WATCH_WEBHOOK in the environment sets it, too.",
    ).tag(config=True)
    plot_interval = Float(0.25, help="Seconds between two refreshes of the live plot.").tag(
        config=True
    )
    live_plot = Bool(True, help="Show the live plot under a %%mlrun cell.").tag(config=True)
    record_usage = Bool(True, help="Record processor, memory and GPU use of the run.").tag(
        config=True
    )
    usage_interval = Float(1.0, help="Seconds between two samples of what the run uses.").tag(
        config=True
    )
    record_code = Bool(True, help="Record the cell, the session and uncommitted changes.").tag(
        config=True
    )
    record_figures = Bool(True, help="Record matplotlib figures shown in the cell.").tag(
        config=True
    )
    record_output = Bool(True, help="Record stdout and stderr of the cell.").tag(config=True)
    record_auto = Bool(
        True,
        help="Record what a cell shows of itself: metrics that it prints where it logs none, "
        "settings in its names where it gives none.",
    ).tag(config=True)
    strict = Bool(
        False,
        help="Refuse a %%mlrun cell that reads what is stale, as its option --strict does.",
    ).tag(config=True)
    mask_secrets = Enum(
        ["on", "strict", "off"],
        default_value="on",
        help="Mask passwords and tokens in all that is recorded as text. 'strict' also masks "
        "short values and plain words under names such as password or token; 'off' masks nothing.",
    ).tag(config=True)
    secret_allow = List(
        Unicode(),
        help="Values, or kinds as the notice names them, that are recorded as they are; "
        "* and ? stand for any text and any character.",
    ).tag(config=True)
    grid_limit = Integer(
        8, help="Megabytes of pictures that %mlgrid puts into the notebook; the worst go first."
    ).tag(config=True)
    page_limit = Integer(
        64, help="Megabytes of pictures in the page of predictions that a run gets."
    ).tag(config=True)
    digits = Integer(4, help="Significant digits of a metric in the summary under a cell.").tag(
        config=True
    )
    state_folder = Unicode(
        help="Where runs are kept until the store has all of them (journal/), and where file "
        "hashes are cached.",
    ).tag(config=True)

    @default("sender")
    def _default_sender(self) -> str:
        return "thread" if os.name != "posix" else "process"

    @default("watch")
    def _default_watch(self) -> bool:
        return os.name == "posix"

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        for name, option in self.traits(config=True).items():
            said = os.environ.get(f"{ENVIRONMENT}{name.upper()}")
            if not said or name in values:
                continue
            try:
                is_list = isinstance(option, List)  # whose from_string wants an object
                setattr(self, name, literal_eval(said) if is_list else option.from_string(said))
            except (TraitError, ValueError, SyntaxError):
                problem = f"{ENVIRONMENT}{name.upper()}={said} is no value of this option"
                default = f"{getattr(self, name)!r} is used: {option.help}"
                warnings.warn(f"{problem}; {default}", stacklevel=2)

    state_problem = ""
    _state: tuple[Path, Path, str] | None = None

    @default("state_folder")
    def _default_state_folder(self) -> str:
        import platformdirs

        return str(platformdirs.user_state_dir("cvtrack_magics", appauthor=False))

    @property
    def state(self) -> Path:
        """The state folder, made when it does not exist yet.

        Where others can write to it, it is a private one of this session; ``state_problem``
        says so then.
        """
        wanted = Path(self.state_folder).expanduser()
        if self._state is None or self._state[0] != wanted:
            self._state = (wanted, *private_folder(wanted))
        _, path, self.state_problem = self._state
        return path
