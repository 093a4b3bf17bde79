"""Copies of tensors that the training goes on changing."""

from __future__ import annotations

from typing import Any


class Copies:
    """Copies tensors to the host without waiting for the device.

    Notes
    -----
    Of a CUDA tensor the copy goes into pinned memory, in the order of the stream that the next
    step is queued on: it holds the values of now. ``settle`` waits until all are there, and
    belongs on another thread.
    """

    def __init__(self) -> None:
        self._events: dict[Any, Any] = {}
        self._copied: dict[tuple[Any, ...], tuple[Any, Any]] = {}
        """Originals with their copies: one that were freed could lend its address to another."""

    def copy(self, tensor: Any) -> Any:
        """Return a copy of a tensor on the host; tensors that share memory share the copy."""
        import torch

        key = (tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
        known = self._copied.get(key) if tensor.layout == torch.strided else None
        if known is not None and tensor.numel():
            return known[1]
        found = self._new(tensor.detach())
        if tensor.layout == torch.strided:
            self._copied[key] = (tensor, found)
        return found

    def _new(self, tensor: Any) -> Any:
        import torch

        if tensor.device.type != "cuda" or tensor.layout != torch.strided:
            return tensor.to("cpu", copy=True)
        found = torch.empty_like(tensor, device="cpu", pin_memory=True)
        found.copy_(tensor, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(tensor.device))
        self._events[tensor.device] = event  # all before it on the stream are done with it
        return found

    def settle(self) -> None:
        """Wait until all copies are whole."""
        for event in self._events.values():
            event.synchronize()
