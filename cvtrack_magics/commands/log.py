"""``log()``: what a training loop calls at every step."""

from __future__ import annotations

from collections.abc import Mapping
from threading import get_ident
from typing import Any

from cvtrack_magics.run.current import _current


def log(
    metrics: Mapping[str, Any] | str | None = None,
    value: Any = None,
    /,
    *more: Any,
    step: int | None = None,
    every: int = 1,
    **kw: Any,
) -> None:
    """Log metrics of the open run; made for loops, and never ends one.

    When it returns, the points are in a file that outlives the process, even one that is
    killed. They reach the store and the plot later, from other threads.

    Parameters
    ----------
    metrics : mapping or str, optional
        Names to numbers, NumPy scalars or 0-d tensors. NaN and infinities are kept. A
        tensor on a GPU is not waited for: it is copied on the GPU and read later, and is
        safe from a kill only from then on. Figures and images (PIL; (H, W), (H, W, 3) or
        (3, H, W) arrays of uint8, bool, or floats from 0 to 1) become PNG files under
        ``visualisations/NAME/``; of other arrays of many values ``NAME/min``, ``NAME/mean``
        and ``NAME/max`` are recorded.
    value : object, optional
        The value, where ``metrics`` is one name: ``log("loss", 0.3)``.
    *more
        The step, as other trackers take it: ``log("loss", 0.3, epoch)``; behind a mapping it
        is the second argument, ``log({"loss": 0.3}, epoch)``.
    step : int, optional
        The step of these points. When it is not given: in :func:`track` loops, the round of
        the innermost one that something is logged in, counted over all its passes; what is
        logged around or beside that loop has the step it has reached. Outside of loops each
        metric counts for itself, from 0, and never below that. A resumed run
        goes on after its highest stored steps. ``docs/steps.md`` has the rule with an example.
    every : int
        Keep only steps that this number divides.
    **kw
        Metrics whose names are Python identifiers.

    Notes
    -----
    What is no number, no step and no picture is set aside; the run's card says so once for
    each name, with the line of the call.

    The points go to the run that the code was started in: what a thread, a task or a worker
    process logs after the end of its run goes to that run, and one line says so. The threads and
    processes of pools are reused, and follow the run that is open. ``docs/durability.md`` has
    the rule.

    Examples
    --------
    >>> log({"train/loss": loss}, every=10)
    >>> log(val_acc=0.97, step=epoch)
    """
    channel = _current.channel
    # the short way: Python floats, a given step, and the thread that logged first
    if (
        channel is not None
        and every == 1
        and not kw
        and value is None
        and not more
        and channel.owner == get_ident()
        and channel.main.write(metrics, step)  # type: ignore[arg-type]
    ):
        return
    long = _current.log_any
    if long is None:
        try:
            from cvtrack_magics.run.long_log import log_any
        except Exception:
            if channel is not None:
                raise
            # before a run is open: a signal's handler logs while this is imported, or the import
            # fails for what code has patched, or for want of a file; the run's opening says so
            return
        long = log_any
    long(metrics, (value, *more), step, every, kw)
