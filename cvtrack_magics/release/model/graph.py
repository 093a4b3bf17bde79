"""The network as a graph that needs no class: exported, or TorchScript where that fails.

A graph is kept only if it passes the check that loading makes, and gives the network's own
numbers for batches of other sizes than the one it was made with.
"""

from __future__ import annotations

import contextlib
import copy
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.release import torchexport
from cvtrack_magics.release.export.attempt import frozen_places
from cvtrack_magics.release.export.captured_output import Chatter, quiet
from cvtrack_magics.release.model.examples import Arguments
from cvtrack_magics.release.model.plain_outputs import plain_output
from cvtrack_magics.release.model.purity import Pure, pure
from cvtrack_magics.release.model.serving import checking, network
from cvtrack_magics.release.model.serving.rejected import Rejected
from cvtrack_magics.release.scripted import resized_exactly
from cvtrack_magics.release.traceless import strip_script, without_traces

RELATIVE, ABSOLUTE = 1e-3, 1e-4
_KINDS = {"export": "pt2", "script": "torchscript", "trace": "torchscript"}
_SAID = {"export": "torch.export", "script": "TorchScript (script)", "trace": "TorchScript (trace)"}

_NEEDS_TRUST = (
    "Kept as TorchScript, which runs code when it is opened: %mlload takes it with --trust only."
)


@dataclass(frozen=True)
class Graph:
    """A stored network.

    Attributes
    ----------
    way : {'export', 'script', 'trace'}
        How it was made.
    kind : {'pt2', 'torchscript'}
        The format of ``content``.
    content : bytes
        The file.
    max_abs : float
        The largest difference from the network's own output.
    free_size : bool
        Whether height and width may be others than the example's.
    notes : tuple of str
        Why a better way was not taken.
    """

    way: str
    kind: str
    content: bytes
    max_abs: float
    free_size: bool
    notes: tuple[str, ...]

    @property
    def said(self) -> str:
        """The way in words."""
        return _SAID[self.way]


def made(model: Any, samples: Arguments, others: Sequence[Arguments] = ()) -> Graph:
    """Return a network's graph.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is: mode, device and gradients.
    samples : Arguments
        A batch of real samples.
    others : sequence of Arguments
        Batches of other heights and widths, which the graph should take if the network does.

    Raises
    ------
    CvtrackError
        No way gives a graph with the network's own numbers; the line says why of each.
    UsageProblem
        The network cannot be run on the example.
    """
    import torch

    reasons: list[str] = []
    with _at_rest(model) as network_:
        others = [batch for batch in others if _is_taken(network_, batch)]
        batches = [_rows(samples, 2), _rows(samples, 1), _rows(samples, 3), *others]
        try:
            first = _outputs(network_, batches[0])
            module = network_ if _is_plain(first) else _named(network_, first)
            expected = [_outputs(module, batch) for batch in batches]
        except UsageProblem:
            raise
        except Exception as error:
            raise UsageProblem(
                f"The model fails on the example: {in_one_line(error)}",
                "It is tried with 1, 2 and 3 samples: forward has to take any number of them, as "
                "x.flatten(1) and x.shape[0] do.",
            ) from error
        with quiet():
            own = pure(module, samples, free_size=bool(others))
        for way, make in _ways(samples, free_size=bool(others)):
            try:
                with quiet() as chatter, torch.no_grad():
                    content = make(module, _rows(samples, 2).of(slice(None)))
                if way == "trace":
                    _check_frozen(own, chatter)
                if way == "export":
                    checking.check_pt2(content)
                with quiet():
                    loaded = _loaded(content, way)
                worst = _worst(loaded, batches, expected, samples.takes_list)
                _check_cases(own, loaded, samples.takes_list)
            except (CvtrackError, Rejected) as error:
                reasons.append(f"{_SAID[way]}: {error}")
            except Exception as error:
                reasons.append(f"{_SAID[way]}: {in_one_line(error, 160)}")
            else:
                said = tuple(f"Not {reason}" for reason in reasons)
                if way != "export":
                    said = (_NEEDS_TRUST, *said)
                return Graph(way, _KINDS[way], content, worst, bool(others), said)
    raise CvtrackError(
        f"The network gives no graph that agrees with it. {' · '.join(reasons)}",
        "Export it yourself, or simplify what forward does with sizes.",
    )


def _check_frozen(own: Pure, chatter: Chatter) -> None:
    """Raise where a trace has taken a decision once and for all."""
    if own.function.decides:
        raise CvtrackError(f"a decision on values would be taken once, in {own.function.decides}")
    fixed = [place for place, library in frozen_places(chatter.warned).items() if not library]
    if fixed:
        raise CvtrackError(f"a decision would be taken once, at {fixed[0]}")


def _check_cases(own: Pure, loaded: Any, takes_list: bool) -> None:
    """Raise where a graph answers otherwise than the network in one of an export's cases."""

    def run(*arguments: Any) -> Any:
        inputs = arguments[0] if takes_list else arguments
        return network.run(loaded, inputs, takes_list=takes_list)

    with quiet():
        unlike = own.unlike(run)
    if unlike:
        raise CvtrackError(unlike)


def _is_taken(model: Any, batch: Arguments) -> bool:
    """Whether a network can be run on a batch of another size."""
    try:
        _outputs(model, batch)
    except Exception:
        return False
    return True


def _ways(samples: Arguments, *, free_size: bool) -> list[tuple[str, Callable[..., bytes]]]:
    """Return the ways in order of preference."""
    ways: list[tuple[str, Callable[..., bytes]]] = []
    if not samples.takes_list and torchexport.dynamic() is not None:
        ways.append(("export", lambda model, inputs: _export(model, inputs, free_size)))
    ways.append(("script", _script))
    if not samples.takes_list:
        ways.append(("trace", _trace))
    return ways


def _export(model: Any, inputs: tuple[Any, ...], free_size: bool) -> bytes:
    """Return the bytes of a ``.pt2`` with a dynamic batch, and nothing of this machine in it."""
    import torch

    batch = torch.export.Dim("batch")
    shapes = []
    for tensor in inputs:
        dynamic = {0: batch}
        if free_size and tensor.ndim == 4:
            dynamic |= {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
        shapes.append(dynamic)
    # the network that names outputs takes *inputs, which is one argument to torch.export
    nested: tuple[Any, ...] = (tuple(shapes),) if hasattr(model, "names_outputs") else tuple(shapes)
    exported = torch.export.export(model, inputs, dynamic_shapes=nested, strict=False)
    # sample inputs would be pickled, guards are code, and traces name files and source lines
    exported._example_inputs = None
    if hasattr(exported, "_guards_code"):
        exported._guards_code = []
    without_traces(exported)
    buffer = io.BytesIO()
    torch.export.save(exported, buffer)
    return buffer.getvalue()


def _script(model: Any, inputs: tuple[Any, ...]) -> bytes:
    import torch

    del inputs
    with resized_exactly(model):
        return _jit_bytes(torch.jit.script(model))


def _trace(model: Any, inputs: tuple[Any, ...]) -> bytes:
    import torch

    return _jit_bytes(torch.jit.trace(model, inputs, check_trace=False, strict=False))


def _jit_bytes(module: Any) -> bytes:
    import torch

    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        path = Path(folder) / "network.pt"
        torch.jit.save(module, str(path))
        strip_script(path)
        return path.read_bytes()


def _loaded(content: bytes, way: str) -> Any:
    import torch

    if way == "export":
        return torch.export.load(io.BytesIO(content)).module()
    return torch.jit.load(io.BytesIO(content)).eval()


def _worst(
    graph: Any, batches: Sequence[Arguments], expected: Sequence[Any], takes_list: bool
) -> float:
    """Return the largest difference of all batches; an error where it is too large."""
    import torch

    worst = 0.0
    for batch, wanted in zip(batches, expected, strict=True):
        inputs = list(batch.tensors[0]) if takes_list else list(batch.tensors)
        with quiet():
            got = network.run(graph, inputs, takes_list=takes_list)
        ours, theirs = _leaves(got), _leaves(wanted)
        if [v.shape for v in ours] != [v.shape for v in theirs]:
            raise CvtrackError(f"other shapes for a batch of {len(batch.tensors[0])}")
        for a, b in zip(ours, theirs, strict=True):
            if not torch.allclose(a.double(), b.double(), RELATIVE, ABSOLUTE, equal_nan=True):
                raise CvtrackError(f"other numbers for a batch of {len(batch.tensors[0])}")
            if a.numel():
                worst = max(worst, float((a.double() - b.double()).abs().nan_to_num().max()))
    return worst


def _leaves(value: Any) -> list[Any]:
    """Return the tensors of an output; of a mapping by sorted names."""
    if isinstance(value, Mapping):
        return [leaf for key in sorted(value) for leaf in _leaves(value[key])]
    if isinstance(value, (list, tuple)):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value.detach()] if hasattr(value, "detach") else []


def _rows(samples: Arguments, count: int) -> Arguments:
    """Return so many samples, repeated where there are fewer."""
    import torch

    index = torch.arange(count) % len(samples.tensors[0])
    return Arguments(
        tuple(tensor[index] for tensor in samples.tensors), samples.names, samples.takes_list
    )


def _outputs(model: Any, batch: Arguments) -> Any:
    import torch

    with torch.no_grad():
        output = model(*batch.of(slice(None)))
    if not _leaves(output if _is_plain(output) else plain_output(output)):
        raise CvtrackError(f"it returns a {type(output).__name__} without tensors")
    return output


def _is_plain(value: Any) -> bool:
    """Whether an output is nested in nothing but built-in containers."""
    if type(value).__name__ == "OrderedDict" or type(value) is dict:
        return all(_is_plain(inner) for inner in value.values())
    if type(value) in (list, tuple):
        return all(_is_plain(inner) for inner in value)
    return hasattr(value, "detach")


def _named(model: Any, output: Any) -> Any:
    """Return a network whose output, with classes of its own in it, is plain dicts and lists."""
    import torch

    plain_output(output)

    class Plain(torch.nn.Module):  # type: ignore[misc]
        names_outputs = True

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            return plain_output(self.model(*inputs))

    return Plain().eval()


@contextlib.contextmanager
def _at_rest(model: Any) -> Iterator[Any]:
    """Give the network in evaluation mode on the CPU; the user's own is put back as it was."""
    tensors = [*model.parameters(), *model.buffers()]
    if any(tensor.device.type != "cpu" for tensor in tensors):
        yield copy.deepcopy(model).cpu().eval()
        return
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes.items():
            module.training = training
