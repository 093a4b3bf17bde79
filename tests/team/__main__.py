"""A team's back end on this machine, until Ctrl-C: ``make team``."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from tests.team.stack import Team

HOW = """
The team's server is up:  {uri}

  In the shell that starts Jupyter:   . {env}
  Then as ever:                       %load_ext cvtrack_magics
  Runs of your own store, to it:      cvtrack move sqlite:///mlflow.db

  Runs, curves, models, users are in PostgreSQL, files in the bucket 'mlflow' of an S3 server,
  both in {folder}; only MLflow's server has their passwords.
  The page asks for a name and a password: they are in {env}.
  More people have files of their own: make team TEAM="ada grace"

Ctrl-C stops all of it; 'make team' goes on with what is there.
"""


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def shortest(path: Path) -> str:
    """Return a path as a person types it here."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here


def main() -> None:
    """Start it, say how to connect, and stop it."""
    parser = argparse.ArgumentParser(prog="make team", description=__doc__)
    parser.add_argument("names", nargs="*", default=["ada"], help="who may log in")
    parser.add_argument("--folder", type=Path, default=Path(".team"))
    parser.add_argument("--port", type=int, default=5000)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    print("starting PostgreSQL, an S3 server and MLflow's server …", flush=True)
    team = Team(options.folder.resolve(), options.port, workers=2)
    try:
        files = [shortest(team.env_file(name)) for name in options.names]
        print(HOW.format(uri=team.uri, env=files[0], folder=options.folder), flush=True)
        team.server.process.wait()
        print(f"MLflow's server ended; {team.server.log} says why.")
    except KeyboardInterrupt:
        print("stopping …", flush=True)
    finally:
        team.stop()


if __name__ == "__main__":
    main()
