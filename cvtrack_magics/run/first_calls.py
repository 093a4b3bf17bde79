"""Where a cell says that its run belongs, by the MLflow calls it begins with.

``mlflow.set_experiment("x")`` as the first thing that a cell does is what the user means for the
run that the cell is, although the run is opened before it. So the cell is read beforehand: only
its first calls, and only where their arguments are plain values.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cvtrack_magics.syntax import tree_of

PLAIN = (
    *(ast.Constant, ast.Name, ast.Load, ast.JoinedStr, ast.FormattedValue),
    *(ast.BinOp, ast.Add, ast.Attribute, ast.Subscript, ast.Dict, ast.Tuple, ast.List),
)
"""What an argument may be made of: nothing in it calls anything."""

CALLS = ("set_experiment", "set_tracking_uri")


@dataclass(frozen=True)
class FirstAct:
    """What a cell says first; empty where it says nothing."""

    experiment: str = ""
    experiment_id: str = ""
    tracking_uri: str = ""


def first_act(source: str, namespace: Mapping[str, Any]) -> FirstAct:
    """Read the MLflow calls that a cell begins with.

    Parameters
    ----------
    source : str
        The cell; lines of magics before the calls are passed over.
    namespace : mapping
        The notebook's names.

    Returns
    -------
    FirstAct
        Empty when the cell does anything else first than import, assign plain values and
        make these calls, or when an argument is not a plain value.
    """
    lines = source.splitlines()
    code = "\n".join("" if line.startswith(("%", "!")) else line for line in lines)
    try:
        body = tree_of(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return FirstAct()
    names, act = dict(namespace), FirstAct()
    for statement in body:
        try:
            act, goes_on = _read(statement, names, act)
        except Exception:  # a name that is not there, an attribute that raises
            return act
        if not goes_on:
            return act
    return act


def _read(statement: ast.stmt, names: dict[str, Any], act: FirstAct) -> tuple[FirstAct, bool]:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        _imported(statement, names)
        return act, True
    assigned = _assigned(statement)
    call = _call(assigned[1] if assigned else getattr(statement, "value", None), names)
    if call is None and assigned is not None:
        targets, value = assigned
        return act, all(_bound(target, value, names) for target in targets)
    if call is not None and (assigned is not None or isinstance(statement, ast.Expr)):
        name, argument = call
        if name == "set_tracking_uri":
            return replace(act, tracking_uri=argument), not (act.experiment or act.experiment_id)
        if name == "experiment_id":
            return replace(act, experiment="", experiment_id=argument), True
        return replace(act, experiment=argument, experiment_id=""), True
    plain = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return act, plain or (isinstance(statement, ast.AnnAssign) and statement.value is None)


def _imported(statement: ast.Import | ast.ImportFrom, names: dict[str, Any]) -> None:
    """Take up the names that an import gives MLflow and its functions."""
    if isinstance(statement, ast.Import):
        names.update({a.asname or a.name: _MLFLOW for a in statement.names if a.name == "mlflow"})
    elif statement.module == "mlflow":
        names.update({a.asname or a.name: _Call(a.name) for a in statement.names})


def _assigned(statement: ast.stmt) -> tuple[list[ast.expr], ast.expr] | None:
    """Return the targets and the value of an assignment, annotated or not."""
    if isinstance(statement, ast.Assign):
        return statement.targets, statement.value
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return [statement.target], statement.value
    return None


def _bound(target: ast.expr, value: ast.expr, names: dict[str, Any]) -> bool:
    """Give names the plain values that an assignment gives them; whether it does no more."""
    if isinstance(target, ast.Name):
        names[target.id] = _value(value, names)
        return True
    if not isinstance(target, (ast.Tuple, ast.List)):
        return False
    given = _value(value, names)
    if not isinstance(given, (tuple, list)) or len(given) != len(target.elts):
        return False
    for one, part in zip(target.elts, given, strict=True):
        if not isinstance(one, ast.Name):
            return False
        names[one.id] = part
    return True


def _call(node: Any, names: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return which of the calls a node is, and what it names; ``experiment_id`` for an id."""
    if not isinstance(node, ast.Call):
        return None
    function = node.func
    name = ""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        module = names.get(function.value.id)
        if module is _MLFLOW or getattr(module, "__name__", "") == "mlflow":
            name = function.attr
    elif isinstance(function, ast.Name):
        name = _name_of(names.get(function.id))
    words = {keyword.arg or "**": keyword.value for keyword in node.keywords}
    if name not in CALLS or len(node.args) > 1 or "**" in words:
        return None
    if node.args:
        words = {"": node.args[0], **words}
    values = {word: _value(one, names) for word, one in words.items()}
    for word in ("", "experiment_name", "uri"):
        said = values.get(word)
        if isinstance(said, str) and said.strip():
            return name, said
    by_id = values.get("experiment_id")
    return ("experiment_id", str(by_id)) if isinstance(by_id, (str, int)) else None


def _name_of(function: Any) -> str:
    if isinstance(function, _Call):
        return function.name
    home = str(getattr(function, "__module__", ""))
    return str(getattr(function, "__name__", "")) if home.startswith("mlflow.") else ""


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if not all(isinstance(part, PLAIN) for part in ast.walk(node)):
        raise ValueError("not a plain value")
    code = compile(ast.Expression(node), "<cell>", "eval")
    return eval(code, {"__builtins__": {}}, dict(names))  # noqa: S307 (the user's own words)


@dataclass(frozen=True)
class _Call:
    name: str


_MLFLOW = object()
