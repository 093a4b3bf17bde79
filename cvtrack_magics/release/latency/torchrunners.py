"""PyTorch's ways of running a model: as it is, traced, compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache, partial
from typing import Any

from cvtrack_magics.capture.machine.hardware import cpu_model
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.latency.inputs import Example
from cvtrack_magics.release.latency.runner import Absent, Runner, at_once
from cvtrack_magics.vision.eval_mode import evaluating
from cvtrack_magics.vision.networks import unwrapped

TORCH_KINDS = ("eager", "torchscript", "compile")
_RECOMPILES = 256  # PyTorch's own 8 are used up by a few measurements of one class


def torch_runners(
    model: Any, example: Example, kinds: tuple[str, ...], threads: int
) -> dict[str, Runner | Absent]:
    """Return those of ``eager``, ``torchscript`` and ``compile`` that are asked for.

    The example is copied to the model's device once for each batch size; no copy is timed.
    """
    import torch

    model = unwrapped(model)
    device = _device_of(model, example)
    moved = example.mapped(lambda value: torch.as_tensor(value).to(device))
    inputs = lru_cache(maxsize=None)(moved.at)
    hold = partial(_held, model, device, threads)
    runner = partial(
        Runner,
        wait=_waiter(device),
        facts={
            "device": str(device),
            "device_name": _device_name(device),
            "precision": _precision(model, moved),
            "threads": threads,
            "runtime": f"torch {torch.__version__}",
        },
    )
    made: dict[str, Runner | Absent] = {}
    for kind in kinds:
        if kind == "eager":
            made[kind] = runner(ready=_calls(model, inputs), hold=hold)
        elif kind == "compile":
            compiled = torch.compile(model, dynamic=False)
            made[kind] = runner(ready=_calls(compiled, inputs), hold=partial(_compiling, hold))
        elif kind == "torchscript":
            try:
                with hold():
                    traced = _traced(model, moved)
            except Exception as error:  # whatever the model's own code raises
                made[kind] = Absent(f"it cannot be traced: {kind_and_line(error)}")
            else:
                made[kind] = runner(ready=_calls(traced, inputs), hold=hold)
    return made


def _calls(
    function: Callable[..., Any], inputs: Callable[[int], Example]
) -> Callable[[int], Callable[[], Any]]:
    def ready(batch: int) -> Callable[[], Any]:
        given = inputs(batch)
        args, kwargs = given.args, given.kwargs
        return lambda: function(*args, **kwargs)

    return ready


def _traced(model: Any, example: Example) -> Any:
    """Return the model as optimised TorchScript, which is deprecated and warns so."""
    import torch

    given = {"example_kwarg_inputs": dict(example.kwargs)} if example.kwargs else {}
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(
            model, example.args or None, check_trace=False, strict=False, **given
        )
        if not isinstance(traced, torch.nn.Module):  # a plain function has nothing to freeze
            return traced
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced.eval()))


@contextmanager
def _held(model: Any, device: Any, threads: int) -> Iterator[None]:
    """Put the model in eval mode, without gradients, and everything back afterwards."""
    import torch

    before = torch.get_num_threads()
    own = [device] if device.type == "cuda" else []
    with evaluating(model), torch.random.fork_rng(devices=own), ExitStack() as stack:
        if threads != before:
            stack.callback(torch.set_num_threads, before)
            torch.set_num_threads(threads)
        stack.enter_context(torch.inference_mode())
        yield


@contextmanager
def _compiling(hold: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Fail where PyTorch would go on without compiling, which would be measured as compiled."""
    from torch._dynamo import config

    wanted = {
        "recompile_limit": _RECOMPILES,  # PyTorch 2.6 and newer
        "cache_size_limit": _RECOMPILES,
        "fail_on_recompile_limit_hit": True,
        "fail_on_cache_limit_hit": True,
        "suppress_errors": False,
    }
    known = {name: value for name, value in wanted.items() if hasattr(config, name)}
    with hold(), config.patch(**known):
        yield


def _device_of(model: Any, example: Example) -> Any:
    import torch

    parameters = getattr(model, "parameters", None)
    first = next(iter(parameters()), None) if callable(parameters) else None
    if first is None:
        first = next((leaf for leaf in example.leaves() if isinstance(leaf, torch.Tensor)), None)
    return torch.device("cpu") if first is None else first.device


def _waiter(device: Any) -> Callable[[], None]:
    import torch

    module = getattr(torch, device.type, None)
    synchronize = getattr(module, "synchronize", None)
    if device.type == "cpu" or synchronize is None:
        return at_once
    return synchronize if device.type == "mps" else partial(synchronize, device)


def _device_name(device: Any) -> str:
    import torch

    name = getattr(getattr(torch, device.type, None), "get_device_name", None)
    return cpu_model() if device.type == "cpu" or name is None else str(name(device))


def _precision(model: Any, example: Example) -> str:
    """Return the dtypes of the parameters, or of the inputs where there are none."""
    parameters = getattr(model, "parameters", None)
    held = list(parameters()) if callable(parameters) else []
    found = {str(value.dtype).removeprefix("torch.") for value in held or example.leaves()}
    return ", ".join(sorted(found))
