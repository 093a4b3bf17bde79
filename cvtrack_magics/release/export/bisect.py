"""The layer where an export starts to differ: submodules are exported alone, from the top down."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvtrack_magics.release.export.compare import as_array, compared
from cvtrack_magics.release.export.facts import Tolerance
from cvtrack_magics.release.export.inputs import Inputs, slotted
from cvtrack_magics.release.export.pytree import leaves_of
from cvtrack_magics.release.export.running import loaded
from cvtrack_magics.release.export.subject import Subject
from cvtrack_magics.release.export.writers import FILE, Job, Writer

_TRIES = 24  # exports of submodules; each takes a second or more


@dataclass
class _Call:
    """The first call of a module: its inputs and its outputs."""

    inputs: Inputs
    outputs: list[Any]


def differing_layer(
    subject: Subject, job: Job, writer: Writer, failing: Sequence[Any], tolerance: Tolerance
) -> str:
    """Return the innermost module whose own export differs.

    Each child of a module is exported with the inputs that it got when the model was
    exported, and run with those that it got in the failing case. The first that differs is
    looked into; where no child differs, the module's own forward does.

    Parameters
    ----------
    subject : Subject
        The model.
    job : Job
        What was exported, and how.
    writer : callable
        The exporter.
    failing : sequence of torch.Tensor
        The inputs for which the export differs.
    tolerance : Tolerance
        How far apart outputs may be.
    """
    before, after = (_calls(subject, leaves) for leaves in (job.leaves, failing))
    budget = iter(range(_TRIES))
    module, wrong = None, subject.model
    while wrong is not None:
        module, wrong = wrong, None
        for child in _called(module, before):
            if next(budget, None) is None:
                return subject.named(module)
            if id(child) in after and _differs(
                replace(job, model=child), before[id(child)], after[id(child)], writer, tolerance
            ):
                wrong = child
                break
    return subject.named(module)


def _called(module: Any, calls: dict[int, _Call]) -> list[Any]:
    """Return the nearest modules below this one that were called, in the order of the calls."""
    found: list[Any] = []
    for child in module.children():
        found += [child] if id(child) in calls else _called(child, calls)
    order = list(calls)
    return sorted(found, key=lambda each: order.index(id(each)))


def _calls(subject: Subject, leaves: Sequence[Any]) -> dict[int, _Call]:
    import torch

    found: dict[int, _Call] = {}

    def keep(module: Any, args: Any, kwargs: Any, result: Any) -> None:
        outputs = [item for _, item in leaves_of(result) if isinstance(item, torch.Tensor)]
        if id(module) not in found:
            found[id(module)] = _Call(slotted(args, kwargs, ()), [o.clone() for o in outputs])

    hooks: list[Any] = []
    for module in subject.model.modules():
        if module is not subject.model and not isinstance(module, torch.jit.ScriptModule):
            hooks.append(module.register_forward_hook(keep, with_kwargs=True))
    try:
        subject.outputs(leaves)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _differs(job: Job, call: _Call, later: _Call, writer: Writer, tolerance: Tolerance) -> bool:
    if not call.inputs.leaves or len(call.inputs.leaves) != len(later.inputs.leaves):
        return False
    inputs = call.inputs.with_axes(
        [
            {at: f"axis_{number}_{at}" for at in range(one.ndim) if one.shape[at] != two.shape[at]}
            for number, (one, two) in enumerate(
                zip(call.inputs.leaves, later.inputs.leaves, strict=True)
            )
        ]
    )
    names = [f"output_{number}" for number in range(len(later.outputs))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE[job.format]
        try:
            writer(replace(job, inputs=inputs, leaves=inputs.leaves, output_names=names, path=path))
            run = loaded(job.format, path, inputs)
        except Exception:  # a part that cannot be exported alone tells nothing
            return False
        try:
            found = run(later.inputs.leaves)
        except Exception:
            return True
    wanted = [as_array(item) for item in later.outputs]
    return not all(check.ok for check in compared("", names, wanted, found, tolerance))
