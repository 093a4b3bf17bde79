"""``checkpoint()``: a training that is cut off goes on as if it had not been."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.checkpoint import objects as things
from cvtrack_magics.run.checkpoint import random_state
from cvtrack_magics.run.checkpoint.counters import counters_of, go_back
from cvtrack_magics.run.checkpoint.files import CheckpointFolder, Kept, tidy
from cvtrack_magics.run.checkpoint.newest import newest
from cvtrack_magics.run.checkpoint.plain import to_plain
from cvtrack_magics.run.checkpoint.position import Position
from cvtrack_magics.run.checkpoint.saver import Saver
from cvtrack_magics.run.checkpoint.tensors import Copies

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.step_axis import Loop

AT_THE_END = 8.0  # seconds that a checkpoint may take once the process was told to go


class Checkpoint:
    """The state of one training, saved every so many steps and restored by ``--resume``.

    Made by :func:`checkpoint`.

    Attributes
    ----------
    state : dict
        Values of your own that are saved and restored too, such as ``ckpt.state["best"]``.
    """

    def __init__(
        self, scope: RunScope, objects: Mapping[str, Any], loader: Any, every: int, keep: int
    ) -> None:
        self._scope = scope
        self._objects = things.checked(objects)
        self._loader = loader
        self._every, self._keep = every, keep
        self._folder = CheckpointFolder(scope.session.config.state, scope.key)
        self._saver = Saver(lambda line: scope.tell("checkpoint", line))
        self._at = Position()
        self._due = False
        self._ends = False
        self._epochs_open = False
        self._passes = 0
        self.is_active = False
        """Whether a loop comes back to this checkpoint soon."""
        self.state: dict[str, Any] = {}
        self._generators = random_state.generators_of(loader)
        self._at_pass = random_state.capture(self._generators)
        self._restored: dict[str, Any] | None = None
        self._counting: dict[str, Any] | None = None
        """Which loop counted the steps at the checkpoint, until that loop is entered again."""
        self._places: dict[str, str] = {}
        tidy(scope.session.config.state)
        if not scope.stretch.resumed:
            self._folder.clear()
        if not (scope.stretch.resumed and self._go_on()):
            self._save(first=True)

    # -- what is read

    @property
    def next_step(self) -> int:
        """The step that the loop does next: 0 in a new run."""
        return self._at.done

    @property
    def epoch(self) -> int:
        """The pass over the loader that the training is in, from 0."""
        return self._at.epoch

    def kept(self) -> list[Kept]:
        """Return the checkpoints on this disk, the newest first."""
        return self._folder.kept()

    # -- the loop

    def epochs(self, count: int) -> Iterator[int]:
        """Go through passes over the loader, from the one that was cut off on.

        Parameters
        ----------
        count : int
            How many there are in all.

        Yields
        ------
        int
            The pass, from 0.
        """
        control = self._scope.control
        loop = control.enter("epoch", count, ("epochs", id(self)))
        loop.done = self._at.epoch
        self._count_on("epochs", loop)
        self._epochs_open = True
        try:
            for epoch in range(self._at.epoch, count):
                if loop.asked and not control.go_on(loop):
                    break
                if epoch != self._at.epoch:
                    self._at = Position(self._at.done, epoch)
                yield epoch
                loop.done += 1
        finally:
            self._epochs_open = False
            control.leave(loop)

    def steps(self, loader: Iterable[Any] | None = None) -> Iterator[tuple[int, Any]]:
        """Go through the loader's batches, from the one that was cut off on.

        ``log()`` without a step takes the step that is given. *Stop* and *Pause* work on it as
        on a loop of :func:`track`.

        Parameters
        ----------
        loader : iterable, optional
            Otherwise the one that :func:`checkpoint` was given.

        Yields
        ------
        int
            The step, counted over all passes from 0.
        object
            The batch.

        Raises
        ------
        UsageProblem
            There is no loader, it has fewer batches than were done, or the training was cut off
            in a later pass and the loop around this one is not :meth:`epochs`.
        """
        batches = self._batches(self._loader if loader is None else loader)
        control = self._scope.control
        loop = control.enter("step", things.length(self._loader), ("steps", id(self)))
        loop.before, loop.done = self._at.done - self._at.in_epoch, self._at.in_epoch
        self._count_on("steps", loop)
        self.is_active = True
        try:
            for batch in batches:
                if loop.asked and not control.go_on(loop):
                    self._save(wait=True)
                    break
                yield self._at.done, batch
                loop.done += 1
                self._at.in_epoch += 1
                self.step()
        finally:
            self.is_active = False
            control.leave(loop)
            self._passes += 1

    def step(self) -> None:
        """Count one step of a loop of your own, and save the state when it is due."""
        self._at.done += 1
        self.is_active = True
        if self._due or self._at.done % self._every == 0 or self._ends:
            self._save(wait=self._ends)
        if self._ends:
            self._scope.session.process.end_now()

    # -- at the end

    def ask_to_end(self) -> bool:
        """Let the next step be the last; False where no step is to be expected."""
        self._ends = self.is_active
        return self._ends

    def finish(self, timeout: float) -> list[Kept]:
        """Wait until all is written; return what is kept."""
        self.is_active = False
        self._saver.wait(timeout)
        return self.kept()

    def forget(self) -> None:
        """Keep the newest on this disk: the others are files of the run."""
        for old in self.kept()[1:]:
            old.path.unlink(missing_ok=True)

    # -- saving

    def _save(self, *, wait: bool = False, first: bool = False) -> None:
        if self._saver.is_busy and not wait:
            self._due = True  # at the first step at which the one before is written
            return
        self._due = False
        copies = Copies()
        try:
            state = self._state(copies)
        except Exception as error:
            if first and isinstance(error, UsageProblem):
                raise
            line = f"No checkpoint of step {self._at.done}: {kind_and_line(error)}"
            self._scope.tell("checkpoint", line)
            return
        done = self._at.done

        def write() -> None:
            copies.settle()
            self._folder.write(done, state, self._keep)

        self._saver.save(write)
        if wait:
            self._saver.wait(AT_THE_END)

    def _state(self, copies: Copies) -> dict[str, Any]:
        loader, at = self._loader, self._at
        placed = (at.begun or at.done) and things.keeps_its_place(loader)
        found = {
            "position": asdict(at),
            "objects": {name: things.state_of(one) for name, one in self._objects.items()},
            "state": self.state,
            "random": random_state.capture(self._generators),
            "random_at_pass": self._at_pass,
            "loader": loader.state_dict() if placed else None,
            "log": counters_of(self._scope),
            "counting": self._counting_now(),
            "saved": time.time(),
        }
        return {name: to_plain(one, name, copies.copy) for name, one in found.items()}

    def _counting_now(self) -> dict[str, Any]:
        """Return which of the loops counts the steps, and from where."""
        place, shift, reached = self._scope.control.counting
        return {"by": self._places.get(place, ""), "shift": shift, "reached": reached}

    def _count_on(self, kind: str, loop: Loop) -> None:
        """Let a loop count the steps of what is logged if it did so at the checkpoint."""
        self._places[loop.place] = kind
        counting = self._counting
        if counting is not None and counting["by"] == kind:
            self._counting = None
            self._scope.control.count_by(loop, counting["shift"], counting["reached"])

    # -- going on

    def _go_on(self) -> bool:
        """Take up the newest checkpoint; False where there is none."""
        scope = self._scope
        found = newest(self._folder, scope)
        if found is None:
            go_back(scope, {})
            scope.notices.append(
                f"Run {scope.name!r} has no checkpoint to go on from: it begins at step 0 again."
            )
            return False
        kept, state = found
        things.load(self._objects, state["objects"], kept.step)
        self._at = Position(**state["position"])
        self.state.update(state["state"])
        self._at_pass = state["random_at_pass"]
        go_back(scope, state["log"])
        self._counting = state["counting"]
        if (
            not self._at.begun
            and state["loader"] is not None
            and things.keeps_its_place(self._loader)
        ):
            self._loader.load_state_dict(state["loader"])
        random_state.restore(state["random"], self._generators)
        self._restored = state
        self._folder.clear(kept.step)
        scope.notices.append(f"Run {scope.name!r} goes on from its checkpoint of step {kept.step}.")
        return True

    def _batches(self, loader: Any) -> Iterator[Any]:
        """Return what is left of the pass."""
        if loader is None:
            raise UsageProblem("steps() has no loader.", "Say ckpt.steps(loader).")
        self._check_pass()
        restored, self._restored = self._restored, None
        self._generators = random_state.generators_of(loader)
        self._loader = loader
        if restored is None and self._at.begun:
            raise UsageProblem(
                "steps() was called twice in one pass of epochs().",
                "Go through another loader, such as that of the validation, without it.",
            )
        if restored is None or not self._at.begun:
            self._at_pass = random_state.capture(self._generators)
            self._at.begun = True
            fresh: Iterator[Any] = iter(loader)
            return fresh
        random_state.restore(restored["random_at_pass"], self._generators)
        batches = things.in_place(loader, restored["loader"], self._at.in_epoch)
        random_state.restore(restored["random"], self._generators)
        return batches

    def _check_pass(self) -> None:
        """Raise where a pass that is done would be done again, or say that it would be."""
        if self._epochs_open:
            return
        hint = "Write 'for epoch in ckpt.epochs(N):' around ckpt.steps()."
        if self._restored is not None and self._at.epoch:
            raise UsageProblem(
                f"The training was cut off in pass {self._at.epoch} over the loader, and the loop "
                "around steps() begins with the first.",
                hint,
            )
        if self._passes:
            line = f"steps() began another pass, which --resume cannot go back to. {hint}"
            self._scope.tell("passes", line)
            self._at = Position(self._at.done, self._at.epoch + 1)
