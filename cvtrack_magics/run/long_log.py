"""The longer way of ``log()``: names, values and steps of any kind, and nothing that raises."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics import standard
from cvtrack_magics.artifacts.paths import PICTURES
from cvtrack_magics.delivery.numbers import as_name, as_number, as_step
from cvtrack_magics.records import Artifact
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.exception_source import TRIES, Repeats, is_ours
from cvtrack_magics.secrets.stored import stored_part
from cvtrack_magics.text import kind_of, text_of

if TYPE_CHECKING:
    import numpy as np

    from cvtrack_magics.delivery.channel import Channel
    from cvtrack_magics.run.writing import Place

SMALLEST = 8  # pixels on a side of floats between 0 and 1 that are taken for an image


def log_any(
    metrics: Any, behind: tuple[Any, ...], step: Any, every: Any, named: Mapping[str, Any]
) -> None:
    """Log what :func:`log` was called with; says what it cannot record, and does not raise.

    ``behind`` are its arguments by place after the first.

    What it raises is what arrived from outside (:mod:`cvtrack_magics.run.exception_source`).
    """
    if standard.are_builtins_replaced():  # a test of the user's own costs no point
        with standard.AsAtLoad():
            _log_any(metrics, behind, step, every, named)
    else:
        _log_any(metrics, behind, step, every, named)


def _log_any(
    metrics: Any, behind: tuple[Any, ...], step: Any, every: Any, named: Mapping[str, Any]
) -> None:
    repeats = Repeats()
    found = repeats.of(_written_to).result
    if found is None:
        if repeats.arrived is not None:
            raise repeats.arrived
        return
    place, channel = found
    failed: Exception | None = None
    for _ in range(TRIES):
        before = channel.written()
        try:
            _Call(place, channel, repeats).log(metrics, behind, step, every, named)
        except Exception as error:
            failed = failed or error
            if channel.written() == before:
                continue  # what comes again is a fault of ours
            if not is_ours(error):
                raise
            break  # some of it is written, and would be twice
        arrived = failed or repeats.arrived
        if arrived is not None:
            raise arrived
        return
    if failed is not None:  # nothing of ours ends a training
        place.tell("log", f"log() could not record a call ({kind_and_line(failed)}).")


def _written_to() -> tuple[Place, Channel] | None:
    return get_session().writing.now()


class _Call:
    """One call."""

    def __init__(self, place: Place, channel: Channel, repeats: Repeats) -> None:
        self._place = place
        self._channel = channel
        self._repeats = repeats

    def log(
        self,
        metrics: Any,
        behind: tuple[Any, ...],
        step: Any,
        every: Any,
        named: Mapping[str, Any],
    ) -> None:
        value, *steps = behind if isinstance(metrics, str) else (None, *behind)
        step = self._placed(steps, step)
        values = self._values(metrics, value, named)
        step, every = self._step(step, values), self._every(every)
        if not values:
            return
        numbers, others = self._sorted_out(values)
        if numbers:
            self._channel.record(numbers, step, every)
        if not others:
            return
        at = self._place.step_of(step)
        if at % every == 0:
            for key, other in others.items():
                self._other(key, other, at)

    def _values(self, metrics: Any, value: Any, named: Mapping[str, Any]) -> dict[Any, Any]:
        if isinstance(metrics, str):
            return {metrics: value, **named}
        if metrics is None or isinstance(metrics, Mapping):
            return {**(metrics or {}), **named}
        self._say("log", f"log() takes a dict of metrics, not {_seen(metrics)}; it is not recorded")
        return dict(named)

    def _placed(self, steps: Sequence[Any], step: Any) -> Any:
        """Return the step, which other trackers take as the last argument by place."""
        given = [one for one in steps if one is not None]
        if given and step is None:
            step = given.pop(0)
        if given:
            self._say(
                "arguments",
                "log() takes a name, a value and a step, or a dict and a step; "
                f"{', '.join(map(_shown, given[:3]))} behind them is not recorded",
            )
        return step

    def _step(self, step: Any, values: Mapping[Any, Any]) -> int | None:
        if step is None:
            return None
        tried = self._repeats.of(lambda: as_step(step))
        if tried.failed is not None:
            self._say(
                "step",
                f"step={_shown(step)} of {_names(values)} is not a step: a whole number is wanted, "
                "for example step=epoch; the calls were counted instead",
            )
        return tried.result

    def _every(self, every: Any) -> int:
        if isinstance(every, int) and every >= 1:
            return every
        self._say("every", f"every={text_of(every)[:40]} keeps no step; every call is kept")
        return 1

    def _other(self, key: Any, value: Any, step: int) -> None:
        if not (isinstance(key, str) and key):
            seen = "empty" if isinstance(key, str) else f"{_shown(key)} {_seen(key)}, not text"
            self._say(
                f"name {kind_of(key)}",
                f"the name of a metric is {seen}: text is wanted, for example "
                f"log({{'val/acc': 0.97}}); its value {_shown(value)} is not recorded",
            )
            return
        tried = self._repeats.of(lambda: _png_of(value) or _summary(value))
        if tried.failed is not None:
            self._say(key, f"{key!r} could not be read ({kind_and_line(tried.failed)})")
            return
        found = tried.result
        if isinstance(found, bytes):
            path = f"{PICTURES}/{stored_part(key)}/step-{step:06d}.png"
            self._place.add([Artifact(path, found)])
            return
        if found is None:
            self._say(key, f"{key!r} is {_seen(value)}, not one number; it is not recorded")
            return
        self._channel.record({f"{key}/{name}": one for name, one in found.items()}, step, 1)
        self._say(
            key,
            f"{key!r} is {_seen(value)}, not one number: {key}/min, {key}/mean and {key}/max are "
            "recorded",
        )

    def _sorted_out(self, values: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[Any, Any]]:
        """Return what is numbers, and the rest."""
        numbers: dict[str, Any] = {}
        others: dict[Any, Any] = {}
        for key, value in values.items():
            tried = self._repeats.of(partial(_named, key, value))
            if tried.result is None:
                others[key] = value
            else:
                name, number = tried.result
                numbers[name] = number
        return numbers, others

    def _say(self, key: str, line: str) -> None:
        self._place.tell(f"log {key}", f"{line} ({_where()}).")


def _named(key: Any, value: Any) -> tuple[str, Any]:
    return as_name(key), as_number(key, value)


def _png_of(value: Any) -> bytes | None:
    """Return a figure or an image as a PNG; None for anything else."""
    home = type(value).__module__.partition(".")[0]
    buffer = io.BytesIO()
    if home == "matplotlib" and hasattr(value, "savefig"):
        value.savefig(buffer, format="png", bbox_inches="tight")
        return buffer.getvalue()
    if home == "PIL" and hasattr(value, "save"):
        value.save(buffer, format="PNG")
        return buffer.getvalue()
    array = _array_of(value)
    pixels = _pixels(array) if array is not None else None
    if pixels is None:
        return None
    from PIL import Image

    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _array_of(value: Any) -> np.ndarray[Any, Any] | None:
    """Return an array, a tensor or a list of numbers as a NumPy array."""
    import numpy as np

    if not (hasattr(value, "shape") or isinstance(value, (list, tuple))):
        return None
    for step in ("detach", "cpu"):
        act = getattr(value, step, None)
        value = act() if act is not None else value
    if text_of(getattr(value, "dtype", "")) == "torch.bfloat16":  # NumPy has no such type
        value = value.float()
    try:
        array: np.ndarray[Any, Any] = np.asarray(value)
    except ValueError:  # of parts that differ in length, as a histogram's counts and edges
        if isinstance(value, (list, tuple)):
            return None
        raise
    numeric = array.dtype.kind in "biuf" and array.size > 0
    return array if numeric else None


def _pixels(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Return (H, W) or (H, W, 3 or 4) uint8 of what is an image; None for other arrays.

    Images are (H, W), (H, W, C), (C, H, W) of uint8 or bool, or of floats from 0 to 1 with
    sides of at least 8.
    """
    import numpy as np

    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        return None
    if array.dtype == np.bool_:
        return np.asarray(np.where(array, 255, 0), dtype=np.uint8)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    within = array.dtype.kind == "f" and bool((array >= 0).all() and (array <= 1).all())
    if not within or min(array.shape[:2]) < SMALLEST:
        return None
    return np.asarray(np.rint(array * 255), dtype=np.uint8)


def _summary(value: Any) -> dict[str, float] | None:
    """Return least, mean and greatest of the finite values of an array; None for no array."""
    import numpy as np

    array = _array_of(value)
    if array is None:
        return None
    numbers = array.astype(np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    finite = finite if finite.size else numbers[:1]
    return {"min": float(finite.min()), "mean": float(finite.mean()), "max": float(finite.max())}


def _shown(value: Any) -> str:
    """Return a value as it stands in code, cut short."""
    text = text_of(value)[:40]
    return repr(text) if isinstance(value, str) else text


def _names(values: Mapping[Any, Any]) -> str:
    """Name the first few metrics of a call."""
    names = [_shown(key) for key in values]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _seen(value: Any) -> str:
    """Say what a value is."""
    try:
        shape = getattr(value, "shape", None)
        kind = kind_of(value)
        return f"{kind} of shape {tuple(shape)}" if shape is not None else f"of type {kind}"
    except Exception:
        return f"of type {kind_of(value)}"


def _where() -> str:
    """Return the line of the user's code that called."""
    frame: Any = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(
        "cvtrack_magics."
    ):
        frame = frame.f_back
    if frame is None:
        return "in a call without a line"
    name = frame.f_code.co_filename
    if name.startswith("<ipython") or "ipykernel_" in name:
        return f"line {frame.f_lineno} of the cell"
    return f"{Path(name).name}, line {frame.f_lineno}"
