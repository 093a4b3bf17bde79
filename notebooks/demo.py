"""Execute the quickstart headless, with a line for each cell, and print the runs it made."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "demo"


def execute(source: Path, work: Path) -> Path:
    """Run a notebook in a folder of its own; return the executed copy."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(source, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    done = 0
    started = 0.0

    def before(cell: nbformat.NotebookNode, cell_index: int) -> None:
        del cell_index
        nonlocal started
        started = time.monotonic()
        first = cell.source.split("\n", 1)[0][:56]
        print(f"  [{done + 1:>2}/{len(cells)}] {first:<56}", end=" ", flush=True)

    def after(cell: nbformat.NotebookNode, cell_index: int, execute_reply: object) -> None:
        del cell, cell_index, execute_reply
        nonlocal done
        done += 1
        print(f"{time.monotonic() - started:6.1f} s", flush=True)

    client = NotebookClient(
        notebook,
        timeout=600,
        store_widget_state=False,
        kernel_name="python3",
        resources={"metadata": {"path": str(work)}},
        on_cell_execute=before,
        on_cell_executed=after,
    )
    target = work / source.name
    try:
        client.execute()
    except CellExecutionError as error:
        print()
        print(error)
        raise SystemExit(1) from None
    finally:
        nbformat.write(notebook, target)
    return target


def tree(uri: str, since: int) -> list[str]:
    """Return the runs started since a time (Unix ms), children under their parents."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    experiments = {e.experiment_id: e.name for e in client.search_experiments()}
    runs = client.search_runs(
        list(experiments),
        f"attributes.start_time >= {since}",
        order_by=["attributes.start_time ASC"],
        max_results=200,
    )
    ids = {run.info.run_id for run in runs}
    children: dict[str, list[object]] = {}
    for run in runs:
        parent = run.data.tags.get("mlflow.parentRunId", "")
        children.setdefault(parent if parent in ids else "", []).append(run)
    lines: list[str] = []

    def walk(parent: str, depth: int) -> None:
        for run in children.get(parent, []):
            info = run.info
            seconds = ((info.end_time or info.start_time) - info.start_time) / 1000
            metrics = "  ".join(
                f"{key} {value:.4g}"
                for key, value in sorted(run.data.metrics.items())
                if not key.startswith(("resources/", "system/", "best_", "total_"))
            )
            name = "  " * depth + ("└ " if depth else "") + info.run_name
            lines.append(f"  {name:<24} {info.status:<9} {seconds:6.1f} s  {metrics}".rstrip())
            walk(info.run_id, depth + 1)

    walk("", 0)
    if runs:
        lines.insert(0, f"Experiment {experiments[runs[0].info.experiment_id]}")
    return lines


def main() -> None:
    """Run the quickstart and show what is in the store afterwards."""
    WORK.mkdir(exist_ok=True)
    store = WORK / "mlflow.db"
    uri = f"sqlite:///{store.as_posix()}"
    os.environ["MLFLOW_TRACKING_URI"] = uri
    # what other notebooks left to be sent is none of the demo's business
    os.environ["XDG_STATE_HOME"] = str(WORK / "state")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    since = int(time.time() * 1000)
    source = HERE / "01_quickstart.ipynb"
    print(f"Executing {source.name} …")
    executed = execute(source, WORK)
    print()
    print("\n".join(tree(uri, since)))
    print()
    print(f"Store     {os.path.relpath(store)}")
    print(f"Notebook  {os.path.relpath(executed)}")
    mlflow = os.path.relpath(Path(sys.executable).parent / "mlflow")
    print(f"Browse    {mlflow} ui --backend-store-uri sqlite:///{os.path.relpath(store)}")


if __name__ == "__main__":
    main()
