"""A worker's loop: takes a body, then one trial after the other."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.sweep.workers.messages import Link, Mailbox
from cvtrack_magics.variables import variables

CREDENTIALS = ("MLFLOW_TRACKING_", "MLFLOW_REGISTRY_", "MLFLOW_FLASK_", "DATABRICKS_")


def without_credentials(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment without what opens a store."""
    return {k: v for k, v in environment.items() if not k.startswith(CREDENTIALS)}


def serve(inbox: Mailbox, link: Link, scratch: Path) -> None:
    """Do what is asked until ``stop``.

    Parameters
    ----------
    inbox : Mailbox
        What the driver says.
    link : Link
        To the driver.
    scratch : Path
        A folder of this process's own.
    """
    for name in set(variables()) - set(without_credentials(variables())):
        os.environ.pop(name, None)
    from cvtrack_magics.run.sweep.workers import body as bodies
    from cvtrack_magics.run.sweep.workers.packing import unpacked

    bodies.begin(scratch)
    link.tell("ready")  # what the first trial needs is imported
    body, checkpoint = None, None
    while (message := inbox.get()).kind != "stop":
        if message.kind == "body":
            sys.path += [one for one in message.data["path"] if one not in sys.path]
            try:
                body = unpacked(message.blob)
            except Exception as error:
                link.tell("unread", why=kind_and_line(error))
        elif message.kind == "from":
            checkpoint = message
        elif message.kind == "play" and body is not None:
            try:
                bodies.Played(message.data, checkpoint, link).run(body)
            except Exception as error:  # of ours, and the run of this process may still be open
                why = f"it could not be recorded ({kind_and_line(error)})"
                link.tell("end", status="failed", kind="RuntimeError", why=why, is_last=True)
            checkpoint = None
