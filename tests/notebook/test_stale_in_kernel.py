"""A kernel with cell ids, as JupyterLab gives them, and the file that it saves."""

from __future__ import annotations

from pathlib import Path

from tests.kernels import Kernel, Ran
from tests.notebook.test_stale_state import save
from tests.store_views import artifact, runs_of


def run(kernel: Kernel, key: str, text: str) -> Ran:
    """Run a cell as a front end does, with its id."""
    return kernel.finish(kernel.start(text, cell_id=key))


def test_a_kernel_knows_when_its_notebook_is_stale(
    kernel: Kernel, store: str, tmp_path: Path
) -> None:
    run(kernel, "a", "path = 'one'").check()
    run(kernel, "b", "data = path.upper()").check()
    assert "stale" not in run(kernel, "run", "%%mlrun fine\nlog(x=len(data))").check().text
    run(kernel, "a", "path = 'two'").check()
    said = run(kernel, "run", "%%mlrun edited\nlog(x=len(data))").check()
    line = "`data` was made with an earlier `path`; run cell [3] again"
    assert f"stale: {line}" in said.text
    assert line in runs_of(store)["edited"].data.tags["stale"]
    refused = run(kernel, "run", "%%mlrun refused --strict\nran = log(x=len(data))")
    assert refused.status == "error"
    assert line in refused.text
    assert "NameError" in run(kernel, "z", "ran").text
    assert "refused" not in runs_of(store)
    run(kernel, "b", "data = path.upper()").check()
    run(kernel, "run", "%%mlrun mended --strict\nlog(x=len(data))").check()
    minimal = artifact(store, runs_of(store)["mended"], "code/minimal.py")
    assert "path = 'two'" in minimal
    save(tmp_path / "test.ipynb", [("a", "path = 'two'"), ("run", "")])
    run(kernel, "run", "%%mlrun deleted\nlog(x=len(data))").check()
    assert "which the saved notebook does not have" in runs_of(store)["deleted"].data.tags["stale"]
