"""Optuna's trial in another process: each question is answered where the study is."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from functools import partial
from typing import Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.sweep.workers.messages import Link

ANSWERED = (
    "suggest_float",
    "suggest_int",
    "suggest_categorical",
    "report",
    "should_prune",
    "set_user_attr",
)
_PLAIN = (str, int, float, bool, type(None))


class RemoteTrial:
    """A trial as its body asks it.

    Parameters
    ----------
    link : Link
        To the process that has the study.
    number : int
        Its number.
    final : bool
        Whether it is the winner, measured on data that was not used to choose.
    user_attrs : dict
        What is known of it.
    """

    def __init__(self, link: Link, number: int, final: bool, user_attrs: dict[str, Any]) -> None:
        self.number = number
        self.final = final
        self.user_attrs = user_attrs
        self.params: dict[str, Any] = {}
        self._link = link

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ANSWERED:
            return partial(self._call, name)
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"trial.{name} is not there in another process; {', '.join(ANSWERED)}, number, params, "
            "user_attrs and final are."
        )

    def _call(self, method: str, *args: Any, **options: Any) -> Any:
        if method == "suggest_categorical":
            _check_choices(*args, **options)
        answer = self._link.ask("call", method=method, args=args, options=options).data
        if "error" in answer:
            kind, text = answer["error"]
            made = getattr(builtins, kind, None)
            is_error = isinstance(made, type) and issubclass(made, Exception)
            raise (made if is_error else RuntimeError)(text)  # type: ignore[misc]
        value = answer.get("value")
        if method.startswith("suggest_"):
            self.params[str(args[0] if args else options.get("name"))] = value
        if method == "set_user_attr":
            self.user_attrs[str(args[0] if args else options.get("key"))] = (*args, value)[1]
        return value


def _check_choices(name: str, choices: Any = ()) -> None:
    odd = next((one for one in choices if not isinstance(one, _PLAIN)), None)
    if odd is not None:
        raise UsageProblem(
            f"A choice of {name!r} is of type {type(odd).__name__}, which Optuna keeps as text.",
            "Let the choices be names or numbers, and look the objects up by them.",
        )
