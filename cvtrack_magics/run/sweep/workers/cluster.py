"""Workers that are actors of a Ray cluster. Ray runs bodies; the study and the store stay here."""

from __future__ import annotations

import importlib.util
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.run.sweep.spec import EngineSpec
from cvtrack_magics.run.sweep.workers.messages import Link, Mailbox, Message, WorkerGone
from cvtrack_magics.run.sweep.workers.serve import serve
from cvtrack_magics.threads import started

ANSWERS = 5.0  # seconds that an address has to answer
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def found_ray() -> Any:
    """Import Ray; :class:`UsageProblem` where it is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise UsageProblem(
            "--engine ray needs Ray, which is not installed.",
            "pip install 'cvtrack_magics[ray]', here and on the nodes.",
        )
    import ray

    return ray


def probe(address: str) -> None:
    """Raise :class:`UsageProblem` at once where nobody listens at an address."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise UsageProblem(f"{address!r} is no address.", "Say --address HOST:PORT.")
    try:
        socket.create_connection((host, port), ANSWERS).close()
    except OSError as error:
        raise UsageProblem(
            f"No Ray cluster answers at {address}: {error.strerror or error}.",
            "'ray start --head --port=6379' starts one, or say another --address HOST:PORT.",
        ) from None


class Desk:
    """What runs in an actor: a worker's loop in a thread, and its messages both ways."""

    def __init__(self) -> None:
        self._said = Mailbox()
        self._inbox = Mailbox()
        pid = os.getpid()

        def put(message: Message) -> None:
            if os.getpid() == pid:  # a child that the body forked has nothing to say
                self._said.put(message)

        self._link = Link(put)
        scratch = Path(tempfile.mkdtemp(prefix="cvtrack-trial-"))
        started(serve, self._inbox, self._link, scratch, name="cvtrack-trial")

    def hello(self) -> int:
        """Return the number of the process, once it can be given a trial."""
        assert self._said.get().kind == "ready"
        return os.getpid()

    def give(self, head: bytes, blob: bytes) -> None:
        """Take a message of the driver."""
        message = Message.of(head, blob)
        if message.kind == "answer":
            self._link.answered(message)
        else:
            self._inbox.put(message)

    def take(self, timeout: float) -> list[tuple[bytes, bytes]]:
        """Return what was said since; waits for the first."""
        return [(one.head(), one.blob) for one in self._said.take(timeout)]


class RayWorker:
    """An actor; it is made by the first :meth:`ready`."""

    def __init__(self, ray: Any, gpus: float) -> None:
        self._ray = ray
        self._gpus = gpus
        self._actor: Any = None
        self._hello: Any = None
        self._taking: Any = None

    def ready(self, timeout: float) -> bool:
        """Wait until there is room for it in the cluster, and it has begun."""
        if self._actor is None:
            made = self._ray.remote(num_cpus=1, num_gpus=self._gpus, max_concurrency=4)(Desk)
            self._actor = made.remote()
            self._hello = self._actor.hello.remote()
        if self._hello is None:
            return True
        if not self._ray.wait([self._hello], timeout=timeout)[0]:
            return False
        self._get(self._hello)
        self._hello = None
        return True

    def send(self, message: Message) -> None:
        """Give it a message; bytes may be what :meth:`Cluster.put` returned."""
        self._get(self._actor.give.remote(message.head(), message.blob))

    def take(self, timeout: float) -> list[Message]:
        """Return what it said since; waits for the first."""
        if self._taking is None:
            self._taking = self._actor.take.remote(timeout)
        # a body that holds the interpreter lock may be late, and what it said must not be lost
        if not self._ray.wait([self._taking], timeout=2 * timeout)[0]:
            return []
        taking, self._taking = self._taking, None
        return [Message.of(head, blob) for head, blob in self._get(taking)]

    def kill(self) -> None:
        """End it at once."""
        actor, self._actor, self._hello, self._taking = self._actor, None, None, None
        if actor is not None:
            with suppress(Exception):
                self._ray.kill(actor)

    def _get(self, future: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(future)
        except (errors.RayActorError, errors.ObjectLostError, errors.RaySystemError) as error:
            self.kill()
            if "No module named" in str(error):
                raise UsageProblem(
                    "A node of the Ray cluster cannot import cvtrack_magics: "
                    f"{in_one_line(error, 160)}",
                    "Install it, as it is here, on all nodes.",
                ) from None
            raise WorkerGone(type(error).__name__) from None


class Cluster:
    """A Ray cluster that runs already.

    Parameters
    ----------
    ray : module
        Ray.
    spec : EngineSpec
        Its address, and how many trials at once.
    tell : callable
        Says a line.
    """

    def __init__(self, ray: Any, spec: EngineSpec, tell: Callable[[str], None]) -> None:
        self._ray = ray
        self._gpus = spec.gpus
        self._workers: list[RayWorker] = []
        if not ray.is_initialized():
            _connect(ray, spec.address)
        has = ray.cluster_resources()
        fit = int(has.get("CPU", 0))
        if spec.gpus:
            fit = min(fit, int(has.get("GPU", 0) / spec.gpus))
        elif has.get("GPU"):
            tell(
                f"The Ray cluster has {has['GPU']:g} GPUs, and no trial sees one: --trial-gpus 1 "
                "gives each its own."
            )
        if fit < 1:
            wanted = f"1 CPU and {spec.gpus:g} GPUs" if spec.gpus else "1 CPU"
            raise UsageProblem(
                f"A trial takes {wanted}, and the Ray cluster has {has.get('CPU', 0):g} CPUs and "
                f"{has.get('GPU', 0):g} GPUs.",
                "Start nodes with room, or say a smaller --trial-gpus.",
            )
        self.size = min(fit, spec.jobs or fit)

    def put(self, data: bytes) -> Any:
        """Put a body into the cluster's object store, once for all workers."""
        return self._ray.put(data)

    def worker(self) -> RayWorker:
        """Return one more."""
        self._workers.append(RayWorker(self._ray, self._gpus))
        return self._workers[-1]

    def close(self) -> None:
        """End all actors; the connection stays for the next sweep."""
        for one in self._workers:
            one.kill()


def _connect(ray: Any, address: str) -> None:
    address = address or os.environ.get("RAY_ADDRESS", "")
    options: dict[str, Any] = {}
    if address and address != "auto":
        probe(address)
        if urlsplit(f"//{address}").hostname in _LOOPBACK:
            options["_node_ip_address"] = "127.0.0.1"
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level="ERROR", **options)
    except Exception as error:
        raise UsageProblem(
            f"The Ray cluster{f' at {address}' if address else ''} cannot be joined: "
            f"{in_one_line(error, 200)}",
            "'ray start --head' starts one on this machine; --address HOST:PORT names another.",
        ) from None
