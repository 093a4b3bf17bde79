"""``checkpoint()``: lets a training that is cut off go on with ``--resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.ranks.identity import is_other_rank

if TYPE_CHECKING:
    from cvtrack_magics.run.checkpoint.checkpoint import Checkpoint


def checkpoint(
    *,
    model: Any = None,
    optimizer: Any = None,
    scheduler: Any = None,
    scaler: Any = None,
    loader: Any = None,
    every: int = 500,
    keep: int = 3,
    **others: Any,
) -> Checkpoint:
    """Save the state of a training every so many steps; a run opened with ``--resume`` goes on.

    Saved are the states of what is given, every random generator (Python, NumPy, torch on all
    devices, the loader's), the loader's place, and the counters of :func:`log`. The loop is held
    for the copy only; another thread writes it. In a run that is resumed the newest one is
    restored at once, and :meth:`steps` goes on with the batch that follows.

    Parameters
    ----------
    model, optimizer, scheduler, scaler : object, optional
        Things with ``state_dict()`` and ``load_state_dict()``.
    loader : torch.utils.data.DataLoader, optional
        What :meth:`steps` goes through. A ``torchdata`` ``StatefulDataLoader`` goes back to its
        place; with any other the batches that were done are loaded once more and left out.
    every : int
        Steps from one checkpoint to the next. The beginning is one, too.
    keep : int
        How many are kept. They lie in the state folder, and become files of the run, below
        ``checkpoints/``, when it ends.
    **others
        More things with a state, an EMA or a second model, or random generators of your own.

    Returns
    -------
    Checkpoint
        Its ``steps()``, ``epochs()`` and ``step()`` are the loop's side, ``state`` is a dict for
        values of your own.

    Raises
    ------
    UsageProblem
        No run is open, a thing has no state or one that only pickle could keep, or the
        checkpoint does not fit.

    Notes
    -----
    Told to end (SIGTERM), the process gets 10 s to come to the end of its step, saves that, and
    ends the run as KILLED. A checkpoint is read by ``torch.load(weights_only=True)`` and nothing
    else. Points that a resumed run logs again with equal values stand once; other values are
    recorded beside the earlier ones, which ``superseded/`` names.

    Examples
    --------
    >>> ckpt = checkpoint(model=model, optimizer=optimizer, loader=loader, every=500)
    >>> for epoch in ckpt.epochs(10):
    ...     for step, (images, labels) in ckpt.steps():
    ...         log({"train/loss": train_step(images, labels)})
    """
    from cvtrack_magics.run.checkpoint.checkpoint import Checkpoint

    session = get_session()
    scope = session.current
    if scope is None and (session.member is not None or is_other_rank()):
        raise UsageProblem(
            "checkpoint() is of a training in one process, and this is one of several ranks.",
            "Under torchrun call it on rank 0; in a cell with --ranks save there by torch.save().",
        )
    if scope is None:
        raise UsageProblem(
            "checkpoint() belongs into a run, and none is open.",
            "Write %%mlrun NAME above the cell, or 'with mlrun(NAME):' around it in a script.",
        )
    for name, number in (("every", every), ("keep", keep)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise UsageProblem(f"{name}={number!r} is no number of {_of[name]}.", f"Say {name}=3.")
    given = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
    scope.checkpoint = Checkpoint(scope, {**given, **others}, loader, every, keep)
    scope.session.process.last_wish = scope.checkpoint.ask_to_end
    return scope.checkpoint


_of = {"every": "steps", "keep": "checkpoints"}
