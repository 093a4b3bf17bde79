"""The model that is exported: a copy in eval mode on the CPU, called without a trace."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.errors import CvtrackError, UsageProblem, chain_of
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.export.inputs import Inputs
from cvtrack_magics.release.export.pytree import leaves_of, port_names
from cvtrack_magics.vision.networks import unwrapped


@dataclass(frozen=True)
class Subject:
    """A model and how it is called.

    Attributes
    ----------
    model : torch.nn.Module
        A copy that nobody else holds.
    inputs : Inputs
        Structure, example and dynamic axes.
    names : mapping of int to str
        Dotted names of the modules, by their identity.
    """

    model: Any
    inputs: Inputs
    names: dict[int, str]

    def raw(self, leaves: Sequence[Any]) -> Any:
        """Call the model with these very tensors."""
        args, kwargs = self.inputs.call(leaves)
        return self.model(*args, **kwargs)

    def outputs(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the tensors that the model makes of copies of the leaves."""
        return [item for _, item in self.named_outputs([leaf.clone() for leaf in leaves])]

    def named_outputs(self, leaves: Sequence[Any]) -> list[tuple[str, Any]]:
        """Return names and tensors of the outputs.

        Raises
        ------
        UsageProblem
            An output is no tensor: a graph has nothing else.
        """
        import torch

        found = [(path, item) for path, item in leaves_of(self.raw(leaves))]
        for path, item in found:
            if not isinstance(item, torch.Tensor):
                where = f"output {'.'.join(path)!r}" if path else "its output"
                raise UsageProblem(
                    f"{where} is of type {type(item).__name__}, not a tensor.",
                    "Return tensors from forward; a graph has no other values.",
                )
        names = port_names([path for path, _ in found], "output", self.inputs.names)
        return [(name, item.detach()) for name, (_, item) in zip(names, found, strict=True)]

    def named(self, module: Any) -> str:
        """Return ``features.3 (Dropout)``, or the class of the model itself."""
        name, kind = self.names.get(id(module), ""), type(module).__name__
        return f"{name} ({kind})" if name else f"the model's own forward ({kind})"

    def culprit(self, error: BaseException | None) -> str:
        """Return the innermost module that was running when an error was raised, or ``""``."""
        seen: list[Any] = []
        for one in chain_of(error):
            trace = one.__traceback__
            while trace is not None:
                holder = trace.tb_frame.f_locals.get("self")
                if id(holder) in self.names:
                    seen.append(holder)
                trace = trace.tb_next
            if seen:
                return self.named(seen[-1])
        return ""


def subject_of(model: Any, inputs: Inputs) -> Subject:
    """Return the subject: a copy of the model in eval mode, on the CPU.

    Raises
    ------
    CvtrackError
        The model cannot be copied.
    """
    model = unwrapped(model)
    try:
        own = copy.deepcopy(model).to("cpu")
    except Exception as error:  # whatever a part of the model raises when it is copied
        raise CvtrackError(
            f"The model cannot be copied: {kind_and_line(error)}.",
            "Replace tensors kept as attributes by buffers; use torch.nn.utils.parametrizations.",
        ) from error
    own.eval()
    return Subject(own, inputs, {id(module): name for name, module in own.named_modules()})


def quantized(model: Any) -> bool:
    """Tell if a module of the model computes with quantised numbers."""
    return any(".quantized." in f"{type(each).__module__}." for each in model.modules())


@contextmanager
def undisturbed(seed: int) -> Iterator[None]:
    """Seed the random number generators and compute without gradients; put all back after."""
    import numpy as np
    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    before = random.getstate(), np.random.get_state()
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        with (
            torch.random.fork_rng(devices=list(devices)),
            torch.inference_mode(False),
            torch.no_grad(),
        ):
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
