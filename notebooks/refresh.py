"""Execute the tutorials and write what their cells gave into the notebooks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = re.compile(r"[\w./-]*/site-packages/")  # where a warning's library is installed
sys.path.insert(0, str(HERE))


def committed(work: Path) -> None:
    """Make the folder a clean git repository, as the notebooks of a careful person are."""
    who = ("-c", "user.name=cvtrack", "-c", "user.email=cvtrack@example.org")
    for arguments in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "tutorials")):
        subprocess.run(["git", *who, *arguments], cwd=work, check=True)


def main(names: list[str]) -> None:
    from demo import execute

    wanted = [HERE / name for name in names] or sorted(HERE.glob("*.ipynb"))
    with tempfile.TemporaryDirectory(prefix="cvtrack-tutorials-") as folder:
        work = Path(folder).resolve() / "notebooks"
        shutil.copytree(HERE, work, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        committed(work)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        os.environ["XDG_STATE_HOME"] = str(work.parent / "state")
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        for source in wanted:
            print(source.name, flush=True)
            text = execute(source, work).read_text(encoding="utf-8")
            # A folder that is gone by now means nothing to a reader.
            text = PACKAGES.sub("", text.replace(f"{work}{os.sep}", "./"))
            source.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
