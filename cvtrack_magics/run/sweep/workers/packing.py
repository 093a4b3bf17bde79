"""A sweep's body as bytes: a function, or a cell with those names of the notebook that it reads."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from cvtrack_magics.capture.code.code_names import names_in
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.text import kind_of

Body = Callable[[Any], Any]
_ITS_OWN = ("get_ipython", "In", "Out", "exit", "quit", "trial")


class CellBody:
    """A cell as a function of its trial.

    Parameters
    ----------
    code : str
        Its Python.
    compiled : CodeType
        The same, with the cell's own line numbers.
    names : dict
        The names that it runs in.
    """

    def __init__(self, code: str, compiled: CodeType, names: dict[str, Any]) -> None:
        self.code = code
        self.compiled = compiled
        self._names = names

    def __call__(self, trial: Any) -> None:
        """Run the cell for a trial."""
        names = self._names
        before = names.get("trial")
        names["trial"] = trial
        try:
            exec(self.compiled, names)  # noqa: S102 (the user's own cell)
        finally:
            if before is None:
                names.pop("trial", None)
            else:
                names["trial"] = before

    def read(self) -> dict[str, Any]:
        """Return the names of the notebook that it may read."""
        wanted = {name for name in names_in(self.compiled) if name not in _ITS_OWN}
        return {name: self._names[name] for name in sorted(wanted) if name in self._names}


def packed(body: Body) -> bytes:
    """Return a body as bytes, with the modules of this folder that it uses.

    Raises
    ------
    UsageProblem
        Something that it reads cannot be sent; the name is said.
    """
    import cloudpickle  # comes with MLflow

    what: Any = body
    if isinstance(body, CellBody):
        if "get_ipython" in names_in(body.compiled):
            raise UsageProblem(
                "The cell has a magic or a ! line, which only this notebook's own process runs.",
                "Put it into a cell above.",
            )
        what = {"code": body.code, "file": body.compiled.co_filename, "names": body.read()}
    with _by_value(cloudpickle):
        try:
            return bytes(cloudpickle.dumps(what))
        except Exception as error:
            name, value, why = _culprit(cloudpickle, body, error)
            raise UsageProblem(
                f"{name!r} ({kind_of(value)}), which the body reads, cannot be sent to the "
                f"processes of the sweep: {in_one_line(why, 160)}.",
                "Make it in the body, from what can be sent: a path, a name, an array.",
            ) from error


def _culprit(cloudpickle: Any, body: Body, error: Exception) -> tuple[str, Any, Exception]:
    """Return the name, and the object, that could not be sent."""
    for name, value in _read_by(body).items():
        try:
            cloudpickle.dumps(value)
        except Exception as why:
            return name, value, why
    return getattr(body, "__name__", "the body"), body, error


def _read_by(body: Body) -> Mapping[str, Any]:
    if isinstance(body, CellBody):
        return body.read()
    with suppress(Exception):
        found = inspect.getclosurevars(body)
        return {**found.globals, **found.nonlocals}
    return {}


@contextmanager
def _by_value(cloudpickle: Any) -> Iterator[None]:
    """Send modules of this folder along: other machines do not have them."""
    own = [module for module in list(sys.modules.values()) if _is_of_here(module)]
    sent = []
    for module in own:
        with suppress(Exception):
            cloudpickle.register_pickle_by_value(module)
            sent.append(module)
    try:
        yield
    finally:
        for module in sent:
            with suppress(Exception):
                cloudpickle.unregister_pickle_by_value(module)


def _is_of_here(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or module.__name__.partition(".")[0] in (
        "cvtrack_magics",
        "__main__",
    ):
        return False
    with suppress(OSError, ValueError):
        path, here = Path(file).resolve(), Path.cwd()
        return path.is_relative_to(here) and "site-packages" not in path.parts
    return False


def unpacked(data: bytes) -> Body:
    """Return a body again, in the process that runs it; the sweep's own process wrote it."""
    import cloudpickle

    found: Any = cloudpickle.loads(data)
    if not isinstance(found, dict):
        body: Body = found
        return body
    names = {"__name__": "__main__", **found["names"]}
    return CellBody(found["code"], compile(found["code"], found["file"], "exec"), names)
