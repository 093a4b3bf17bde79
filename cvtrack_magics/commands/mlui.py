"""``mlui()``: MLflow's own page of the current store."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.typed import joined
from cvtrack_magics.display.text import html_text, plain
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import redact
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import find
from cvtrack_magics.store import page
from cvtrack_magics.store.client import registry_uri
from cvtrack_magics.store.uris import absolute, page_path, sqlite_file

_SERVED = re.compile(r"/|[A-Za-z]:[\\/]|file:|sqlite:|postgresql|mysql|mssql")
ENDS = "It ends with this kernel; %mlui --stop ends it now."


@dataclass(frozen=True, slots=True)
class Page:
    """Where MLflow's page is; shows itself as a link.

    ``link`` is what a browser opens: an address, or a path behind Jupyter's own.
    """

    link: str
    text: str
    note: str = ""

    def __repr__(self) -> str:
        return "\n".join(
            plain(line) for line in (f"{self.text} {self.link}".strip(), self.note) if line
        )

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        shown = html_text(self.link)
        link = f'<a href="{shown}" target="_blank" rel="noopener">{shown}</a>' if self.link else ""
        note = f"<div>{html_text(self.note)}</div>" if self.note else ""
        html = (
            f'<div class="cvtrack-page-link"><div>{html_text(self.text)} {link}</div>{note}</div>'
        )
        return {"text/plain": repr(self), "text/html": html}


@command(run=Arg("RUN", joined, many="*"))
def mlui(run: str = "", *, stop: bool = False) -> Page:
    """Open MLflow's own page of the current experiment, or of a run.

    Where the store has no server, one is started on this machine for as long as the kernel runs;
    under JupyterHub it is reached through Jupyter's proxy, where jupyter-server-proxy is installed.

    Parameters
    ----------
    run : str
        Its name or id, or ``MODEL@ALIAS``; otherwise the experiment.
    stop : bool
        End the servers that were started.

    Returns
    -------
    Page
        Shows itself as a link.

    Raises
    ------
    UsageProblem
        The store lives in this process's memory; there is no such run.
    StoreUnavailable
        The store does not answer, or the server does not start.

    Examples
    --------
    ::

        %mlui baseline
    """
    if stop:
        ended = page.stop()
        return Page("", f"{ended} page{'s' if ended != 1 else ''} ended.")
    tracking = get_session().tracking
    where = page_path(tracking.experiment_here()[0])
    if run:
        found = tracking.run_of(find(run).run_id)
        where = page_path(found.experiment_id, found.run_id)
    uri = absolute(tracking.uri)
    text = f"MLflow's page of {tracking.place}:"
    if urlsplit(uri).scheme in ("http", "https"):
        return Page(f"{redact(uri).rstrip('/')}/{where}", text)
    if not _SERVED.match(uri):
        raise UsageProblem("Only of a local store, a database or an MLflow server is there a page.")
    if uri.startswith("sqlite") and sqlite_file(uri) is None:
        raise UsageProblem("This store is in the memory of this process: no server can read it.")
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
    proxied = hub if hub and importlib.util.find_spec("jupyter_server_proxy") else ""
    served = page.serve(uri, registry_uri(uri), proxied, elsewhere=bool(proxied))
    if proxied:
        return Page(f"{served.prefix}/{where}", text, ENDS)
    note = f"{ENDS} From another machine: pip install jupyter-server-proxy." if hub else ENDS
    return Page(f"{served.address}/{where}", text, note)
