"""A real kernel for tests: run cells, look at what came back, interrupt, kill."""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def _forked() -> Iterator[None]:
    """Let Jupyter's client fork the kernels that it starts."""
    from jupyter_client.provisioning import local_provisioner

    from tests import warm

    plainly = local_provisioner.launch_kernel
    local_provisioner.launch_kernel = warm.Kernel
    try:
        yield
    finally:
        local_provisioner.launch_kernel = plainly


@dataclass
class Ran:
    """What came back from one cell."""

    status: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All the plain text a person would see, final states."""
        parts = []
        for output in self.outputs:
            if output["type"] == "stream":
                parts.append(output["content"]["text"])
            elif output["type"] == "error":
                parts.append("\n".join(output["content"]["traceback"]))
            else:
                parts.append(str(output["content"]["data"].get("text/plain", "")))
        return ANSI.sub("", "\n".join(parts))

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The error messages, as the front end gets them."""
        return [o["content"] for o in self.outputs if o["type"] == "error"]

    @property
    def results(self) -> list[str]:
        """The Out[] values."""
        return [
            o["content"]["data"]["text/plain"]
            for o in self.outputs
            if o["type"] == "execute_result"
        ]

    def check(self) -> Ran:
        """Fail when the cell failed."""
        assert self.status == "ok", self.text
        return self


class Kernel:
    """A python3 kernel in a folder.

    ``warm`` says that it is a fork of an interpreter that has imported MLflow and this package.
    """

    def __init__(self, folder: Path, *, warm: bool = False, **environment: str) -> None:
        from jupyter_client.manager import KernelManager

        self.manager = KernelManager(kernel_name="python3")
        with _forked() if warm else nullcontext():
            self.manager.start_kernel(
                cwd=str(folder),
                env={**os.environ, "JPY_SESSION_NAME": str(folder / "test.ipynb"), **environment},
            )
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def start(self, code: str, cell_id: str = "") -> str:
        """Send a cell without waiting for it, with its id as JupyterLab sends it."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,  # as every front end sends it
            "stop_on_error": True,
        }
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def wait_output(self, message: str, text: str, timeout: float = 60) -> None:
        """Wait until the running cell has printed a text."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                got = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if got["msg_type"] == "stream" and text in got["content"]["text"]:
                return
        raise TimeoutError(f"{message}: {text!r} was not printed")

    def finish(self, message: str, timeout: float = 120) -> Ran:
        """Wait for a cell and collect what is left of its output."""
        ran = Ran()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                got = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if got["parent_header"].get("msg_id") != message:
                continue
            kind = got["msg_type"]
            if kind == "status" and got["content"]["execution_state"] == "idle":
                break
            if kind in ("stream", "error", "display_data", "execute_result"):
                ran.outputs.append({"type": kind, "content": got["content"]})
            elif kind == "update_display_data":
                ran.updates.append(got["content"])
        else:
            raise TimeoutError(f"the cell did not finish in {timeout} s")
        while True:
            reply = self.client.get_shell_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == message:
                ran.status = reply["content"]["status"]
                return ran

    def run(self, code: str, timeout: float = 120) -> Ran:
        """Run a cell to its end."""
        return self.finish(self.start(code), timeout)

    def close(self) -> None:
        """Stop the kernel at once."""
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
