"""What a page would see of a kernel's widgets."""

from __future__ import annotations

import queue
import time
from array import array
from typing import Any

from tests.kernels import Kernel

SETUP = """
import threading, time
from array import array as column
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display import live
from cvtrack_magics.display.live import LivePlot

def points(start, values):
    s, steps = Series(), range(start, start + len(values))
    s.add(column("q", steps), column("d", values), column("d", (1.7e9 + step for step in steps)))
    return s

def grown_up(title="t"):
    plot = LivePlot(title)
    plot._born -= 60
    return plot
"""


class Wire:
    """What a page would see of a kernel's widgets."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.opened: list[str] = []

    def run(self, code: str, wait: bool = True) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Run a cell and return the plot messages it sent."""
        message = self.kernel.start(code)
        return self.messages(lambda got: is_end(got, message)) if wait else []

    def messages(
        self, is_last: Any, timeout: float = 60
    ) -> list[tuple[dict[str, Any], list[bytes]]]:
        sent = []
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                got = self.kernel.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            assert got["msg_type"] != "error", got["content"]
            data = got["content"].get("data", {})
            if got["msg_type"] == "comm_open" and "_esm" in data.get("state", {}):
                self.opened.append(got["content"]["comm_id"])
            if got["msg_type"] == "comm_msg" and data.get("method") == "custom":
                sent.append((data["content"], [bytes(b) for b in got["buffers"]]))
            if is_last(got):
                return sent
        raise TimeoutError("the kernel went silent")

    def send(self, content: object, subshell: str | None = None) -> str:
        """Send a message to the newest plot, as its page does."""
        client = self.kernel.client
        data = {"method": "custom", "content": content}
        message = client.session.msg("comm_msg", {"comm_id": self.opened[-1], "data": data})
        if subshell:
            message["header"]["subshell_id"] = subshell
        client.shell_channel.send(message)
        return str(message["header"]["msg_id"])


def is_end(got: dict[str, Any], message: str) -> bool:
    """Say whether the kernel is done with a message."""
    return (
        got["msg_type"] == "status"
        and got["content"]["execution_state"] == "idle"
        and got["parent_header"].get("msg_id") == message
    )


def decoded(message: dict[str, Any], buffers: list[bytes]) -> dict[str, list[tuple[Any, ...]]]:
    """Read a message by nothing but what it says about itself."""
    columns = {}
    for column, buffer in zip(message["columns"], buffers, strict=True):
        numbers = array({"int64": "q", "float64": "d"}[column["dtype"]])
        numbers.frombytes(buffer)
        assert [len(numbers)] == column["shape"]
        columns[column["name"]] = numbers
    rows = list(zip(columns["steps"], columns["values"], columns["times"], strict=True))
    out, at = {}, 0
    for entry in message["series"]:
        out[entry["name"]] = rows[at : at + entry["count"]]
        at += entry["count"]
    assert at == len(rows)
    return out
