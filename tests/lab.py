"""A real JupyterLab and a page of it in Chromium, for tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SCREENSHOTS = Path(__file__).resolve().parent.parent / "screenshots"

# Words that tell a complaint about our code or our comms from one about Lab itself.
_OURS = ("cvtrack", "anywidget", "uplot", "mlrun", "blob:", "widget model", "comm")

# JupyterLab's own objects, for what a person does by menus; what is seen is read off the page.
_HELPERS = """
window.cv = {
  panel: (path) => [...jupyterapp.shell.widgets("main")].find(
    (w) => w.context?.path === path && w.content?.widgets),
  cells: (path) => cv.panel(path).content.widgets,
  node: (path, at) => cv.cells(path)[at].node,
  look: (path, at) => {
    const node = cv.node(path, at);
    const texts = (css) => [...node.querySelectorAll(css)].map((n) => n.textContent);
    const canvas = node.querySelector(".cvtrack-plot canvas");
    return {
      prompt: node.querySelector(".jp-InputPrompt")?.textContent ?? "",
      status: texts(".cv-status"),
      panels: texts(".cv-title"),
      legend: texts(".cv-value"),
      canvas: canvas ? canvas.toDataURL() : "",
      text: node.querySelector(".jp-Cell-outputWrapper")?.innerText ?? "",
      connected: node.isConnected,
    };
  },
};
"""


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def notebook_of(*cells: str) -> nbformat.NotebookNode:
    """Return a notebook with these code cells."""
    from nbformat.v4 import new_code_cell, new_notebook

    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return new_notebook(
        cells=[new_code_cell(source, id=f"cell-{at:02}") for at, source in enumerate(cells)],
        metadata={"kernelspec": kernel},
    )


def stripped(path: Path) -> nbformat.NotebookNode:
    """Return a notebook as it is before anybody ran it."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.pop("execution", None)
    return notebook


class Lab:
    """A JupyterLab server with settings, store and state of its own.

    Parameters
    ----------
    folder : Path
        An empty folder; notebooks are served from ``folder / "notebooks"``.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir()
        self.store = f"sqlite:///{folder / 'mlflow.db'}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "lab.log").open("w")
        self._answer_the_question_about_news(folder / "jupyter" / "config")
        own = {
            "MLFLOW_TRACKING_URI": self.store,
            "XDG_STATE_HOME": str(folder / "state"),
            "JUPYTER_CONFIG_DIR": str(folder / "jupyter" / "config"),
            "JUPYTER_DATA_DIR": str(folder / "jupyter" / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "jupyter" / "run"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ServerApp.token=", "--ServerApp.password="),
                "--ServerApp.disable_check_xsrf=True",
                *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"),
                *("--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={self.root}"),
                "--LabApp.expose_app_in_browser=True",
            ],
            cwd=self.root,
            env={**os.environ, **own},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait_until_up(60)
        except BaseException:
            self.stop()
            raise

    def _answer_the_question_about_news(self, config: Path) -> None:
        settings = config / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        said = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(said))

    def _wait_until_up(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.api("GET", "status")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(Path(self._log.name).read_text()) from None
                time.sleep(0.1)

    def api(self, method: str, path: str) -> Any:
        """Ask the server's REST interface."""
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def write(self, name: str, notebook: nbformat.NotebookNode) -> Path:
        """Put a notebook into the served folder."""
        path = self.root / name
        nbformat.write(notebook, path)
        return path

    def kernels(self) -> int:
        """Return how many kernels are running."""
        return len(self.api("GET", "kernels"))

    def shut_kernels_down(self) -> None:
        """Shut all kernels down, as a person would in the side bar."""
        for session in self.api("GET", "sessions"):
            try:
                self.api("DELETE", f"sessions/{session['id']}")
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise

    def stop(self) -> None:
        """Stop the server and its kernels."""
        if self.process.poll() is None:
            with suppress(OSError):
                self.shut_kernels_down()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        self._log.close()


class LabPage:
    """One notebook in one browser page.

    Parameters
    ----------
    lab : Lab
        The running server.
    page : playwright's Page
        A fresh page.
    path : str
        The notebook, below the server's folder.
    kernel : bool
        Whether to start its kernel, as a double click in the file browser does.
    theme : str
        ``"JupyterLab Light"`` or ``"JupyterLab Dark"``.
    """

    def __init__(
        self,
        lab: Lab,
        page: Any,
        path: str,
        *,
        kernel: bool = True,
        theme: str = "JupyterLab Light",
    ) -> None:
        self.lab = lab
        self.page = page
        self.path = path
        self.complaints: list[str] = []
        self.dialogs: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self._note("pageerror", f"{error}\n{error.stack}"))
        page.on("dialog", self._asked)
        self._open(kernel, theme)

    # -- what the page says

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            where = (message.location or {}).get("url", "")
            self._note("console", f"{message.text} ({where})")

    def _note(self, kind: str, text: str) -> None:
        self.complaints.append(f"{kind}: {text}")

    def _asked(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.accept()

    def errors_of_ours(self) -> list[str]:
        """Return the errors about our code; print the others."""
        ours = [text for text in self.complaints if any(word in text.lower() for word in _OURS)]
        for text in self.complaints:
            if text not in ours:
                print("not ours:", text[:500])
        return ours

    # -- what a person does

    def _open(self, kernel: bool, theme: str) -> None:
        self.page.goto(f"{self.lab.url}/lab?reset")
        self._ready()
        self.set_theme(theme)
        args: dict[str, Any] = {"path": self.path, "factory": "Notebook"}
        if not kernel:
            args["kernelPreference"] = {"shouldStart": False, "canStart": False}
        else:
            args["kernelPreference"] = {"name": "python3", "autoStartDefault": True}
        self.command("docmanager:open", args)
        if self.page.evaluate("!jupyterapp.shell.leftCollapsed"):
            self.command("application:toggle-left-area")
        self._notebook_ready(kernel)

    def _ready(self) -> None:
        self.page.wait_for_function("window.jupyterapp?.restored", timeout=60_000)
        self.page.evaluate("async () => { await jupyterapp.restored }")
        self.page.evaluate(_HELPERS + "0")

    def _notebook_ready(self, kernel: bool, idle: bool = True) -> None:
        self.page.wait_for_function("path => cv.panel(path)", arg=self.path, timeout=30_000)
        self.page.evaluate(
            """async ([path, kernel, idle]) => {
              const panel = cv.panel(path);
              await panel.context.ready;
              await panel.revealed;
              if (!kernel) return;
              await panel.sessionContext.ready;
              if (idle) await panel.sessionContext.session.kernel.info;
            }""",
            [self.path, kernel, idle],
        )

    def reload(self) -> None:
        """Press F5; the kernel may be busy."""
        self.page.reload()
        self._ready()
        self._notebook_ready(True, idle=False)

    def set_theme(self, theme: str) -> None:
        """Choose a theme, as Settings → Theme does."""
        if self.page.evaluate("document.body.dataset.jpThemeName") == theme:
            return
        self.command("apputils:change-theme", {"theme": theme})
        self.page.wait_for_function(
            "theme => document.body.dataset.jpThemeName === theme", arg=theme, timeout=20_000
        )

    def command(self, name: str, args: dict[str, Any] | None = None) -> None:
        """Do what a menu item or a shortcut does, and wait until it is done."""
        self.page.evaluate(
            "async ([name, args]) => { await jupyterapp.commands.execute(name, args) }",
            [name, args or {}],
        )

    def run_all(self) -> None:
        """Choose Run → Run All Cells; returns at once."""
        self.page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")

    def run_cell(self, at: int) -> None:
        """Select a cell and press Ctrl+Enter; returns at once."""
        self.page.evaluate(
            """([path, at]) => {
              cv.panel(path).content.activeCellIndex = at;
              void jupyterapp.commands.execute("notebook:run-cell");
            }""",
            [self.path, at],
        )

    def run_to_end(self, at: int, timeout: float = 60) -> dict[str, Any]:
        """Run a cell and wait for it."""
        self.run_cell(at)
        return self.wait_done(at, timeout)

    def save(self) -> None:
        """Press Ctrl+S."""
        self.command("docmanager:save")

    # -- what a person sees

    def look(self, at: int) -> dict[str, Any]:
        """Return what is seen of a cell: prompt, plot, text."""
        return dict(self.page.evaluate("([path, at]) => cv.look(path, at)", [self.path, at]))

    def node(self, at: int) -> Any:
        """Return the element of a cell."""
        return self.page.evaluate_handle(
            "([p, at]) => cv.node(p, at)", [self.path, at]
        ).as_element()

    def scroll_to(self, at: int) -> None:
        """Bring a cell into view."""
        self.page.evaluate(
            """async ([path, at]) => {
              const cell = cv.cells(path)[at];
              await cv.panel(path).content.scrollToItem(at, "smart");
              cell.node.scrollIntoView({ block: "start" });
              await new Promise((done) => setTimeout(done, 150));
            }""",
            [self.path, at],
        )

    def wait(
        self,
        at: int,
        what: str,
        test: Callable[[dict[str, Any]], Any],
        timeout: float = 60,
        every: float = 0.1,
    ) -> dict[str, Any]:
        """Look at a cell until a test holds."""
        deadline = time.monotonic() + timeout
        while True:
            seen = self.look(at)
            if test(seen):
                return seen
            if time.monotonic() > deadline:
                shot = self.shot("timeout")
                raise TimeoutError(f"cell {at}: {what}; {seen | {'canvas': '…'}}; see {shot}")
            self.page.wait_for_timeout(every * 1000)

    def wait_done(self, at: int, timeout: float = 60) -> dict[str, Any]:
        """Wait until a cell has a number for a prompt."""
        number = lambda seen: seen["prompt"].strip("[]: ").isdigit()  # noqa: E731
        return self.wait(at, "did not finish", number, timeout)

    def shot(self, name: str) -> Path:
        """Keep a picture of the window."""
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=str(path))
        return path


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
