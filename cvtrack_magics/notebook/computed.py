"""What torchmetrics' ``compute()`` and scikit-learn's metric functions give a run's cell.

Only where they are called at the cell's own level, and not in a function of it. The call is as
before; its value is looked at on its way, in an expression around it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.run import current

SEEN = "_cvtrack_computed"
"""The attribute of the shell that looks at a value on its way."""
_FUNCTION = re.compile(r"(?:_score|_loss|_error|_coef|corrcoef|_deviance|auc)$")
_MAY_HAVE = re.compile(r"\.compute\(\)|(?:_score|_loss|_error|_coef|corrcoef|_deviance|auc)\(")


class ComputedMetrics(ast.NodeTransformer):
    """Looks at the calls of metrics at the top of a cell; IPython hands it each cell's tree.

    Parameters
    ----------
    is_run : callable
        Says of the cell that is about to run whether a run is open in it.
    """

    def __init__(self, is_run: Callable[[], bool]) -> None:
        self._is_run = is_run
        self._sites: Counter[str] = Counter()
        self._target = ""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Look at a cell."""
        if not self._is_run():
            return node
        self._sites = Counter(map(_name_of, _calls_in(node)))
        self.generic_visit(node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        """Remember what a value is called."""
        only = node.targets[0] if len(node.targets) == 1 else None
        self._target = only.id if isinstance(only, ast.Name) else ""
        self.generic_visit(node)
        self._target = ""
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Put the look around a call that may be one of a metric."""
        target, self._target = self._target, ""
        self.generic_visit(node)
        name = _name_of(node)
        if not name:
            return node
        if self._sites[name] > 1 and target:
            name = f"{name}/{target}"
        return ast.copy_location(_looked_at(node, name), node)

    def _own(self, node: Any) -> Any:
        return node  # what is in it is not the cell's own level

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _own


def may_have_metrics(source: str) -> bool:
    """Say in little time whether a cell may call a metric."""
    return _MAY_HAVE.search(source) is not None


def seen(value: Any, thing: Any, name: str) -> Any:
    """Record a value if a metric gave it, and return it as it is.

    Parameters
    ----------
    value : object
        What the call returned.
    thing : object
        The function that was called, or the object whose ``compute()`` was.
    name : str
        What it is called in the cell.
    """
    try:
        found = _metrics_in(value, thing, name)
        place = current.get_session().writing.now(quietly=True) if found else None
        if place is not None and place[0].auto:
            place[0].shown(found)
    except Exception:  # nothing of ours ends a cell
        return value
    return value


def _metrics_in(value: Any, thing: Any, name: str) -> dict[str, float]:
    from cvtrack_magics.run.adapters.following import numbers_in

    torchmetrics = loaded("torchmetrics")
    if torchmetrics is not None and isinstance(
        thing, (torchmetrics.Metric, torchmetrics.MetricCollection)
    ):
        values = value if isinstance(value, Mapping) else {name: value}
        return {f"torchmetrics/{key}": one for key, one in numbers_in(values).items()}
    if str(getattr(thing, "__module__", "")).startswith("sklearn.metrics."):
        return {f"sklearn/{key}": one for key, one in numbers_in({name: value}).items()}
    return {}


def _calls_in(node: ast.AST) -> list[ast.Call]:
    """Return the calls at a cell's own level."""
    found = [node] if isinstance(node, ast.Call) else []
    own = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, own):
            found += _calls_in(child)
    return found


def _name_of(node: ast.Call) -> str:
    """Return the name of the metric that a call may be of; empty where it is none."""
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr == "compute":
        plain = not node.args and not node.keywords
        return _text_of(function.value) if plain else ""
    name = function.attr if isinstance(function, ast.Attribute) else ""
    name = function.id if isinstance(function, ast.Name) else name
    return name if _FUNCTION.search(name) and _text_of(function) else ""


def _text_of(node: ast.expr) -> str:
    """Return a name, dotted or with a text in brackets: what may be read twice."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and _text_of(node.value):
        return f"{_text_of(node.value)}.{node.attr}"
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value) if _text_of(node.value) else ""
    return ""


def _looked_at(call: ast.Call, name: str) -> ast.expr:
    """Return ``get_ipython()._cvtrack_computed(call, function or object, name)``."""
    function = call.func
    is_compute = isinstance(function, ast.Attribute) and function.attr == "compute"
    thing = function.value if is_compute and isinstance(function, ast.Attribute) else function
    shell = ast.Call(ast.Name("get_ipython", ast.Load()), [], [])
    look = ast.Attribute(shell, SEEN, ast.Load())
    return ast.Call(look, [call, thing, ast.Constant(name)], [])
