"""Small models that an export would get wrong, and some that it must not refuse."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional as F


class ActiveDropout(nn.Module):
    """Functional dropout, on in spite of eval."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(F.dropout(x, 0.5, training=True))


class Stubborn(nn.Module):
    """Its dropout never leaves training mode."""

    def __init__(self):
        super().__init__()
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(4, 3)

    def train(self, mode=True):
        super().train(mode)
        self.drop.training = True
        return self

    def forward(self, x):
        return self.head(self.drop(x))


class StubbornNorm(nn.Module):
    """Its batch norm never leaves training mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def train(self, mode=True):
        self.norm.train(True)
        return self

    def forward(self, x):
        return self.norm(x)


class ActiveNorm(nn.Module):
    """Functional batch norm by the batch's own statistics."""

    def forward(self, x):
        return F.batch_norm(x, None, None, training=True)


class Branch(nn.Module):
    """Another path when the mean is negative."""

    def forward(self, x):
        if x.mean() > 0:
            return x * 2
        return x - 1


class DeepBranch(nn.Module):
    """The branch is in the middle of a chain."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), Branch(), nn.Linear(4, 3))

    def forward(self, x):
        return self.body(x)


class NumpyBranch(nn.Module):
    """Decides by way of numpy, where no operator is seen."""

    def forward(self, x):
        return x * 2 if x.numpy().mean() > 0 else x - 1


class NumpyConstant(nn.Module):
    """A value of the example that goes through numpy becomes a constant."""

    def forward(self, x):
        return x + float(x.detach().numpy().max())


class RareBranch(nn.Module):
    """A path that few inputs take."""

    def forward(self, x):
        if x.sum() > 1e6:
            return x * 0
        return x + 1


class InPlace(nn.Module):
    """Changes the caller's tensor."""

    def forward(self, x):
        x.mul_(2)
        return x + 1


class InPlaceView(nn.Module):
    """Changes the caller's tensor through a view, to values that it has already."""

    def forward(self, x):
        x[:, :1].clamp_(-100, 100)
        return x + 1


class InPlaceNumpy(nn.Module):
    """Changes the caller's tensor through numpy."""

    def forward(self, x):
        x.numpy()[:, 0] = 7
        return x + 1


class HardBatch(nn.Module):
    """Takes no other batch than the example's."""

    def forward(self, x):
        return x.reshape(2, 4) * 2


class HardMix(nn.Module):
    """Runs with other batches, but mixes their rows."""

    def forward(self, x):
        return (x.reshape(2, -1) * 2).reshape(-1, 4) + x.flip(0)


class BatchBranch(nn.Module):
    """Another path from four rows on: in effect a constant that is no constant."""

    def forward(self, x):
        return x * 2 if x.shape[0] >= 5 else x * 2 + 0.5


class FarBatchBranch(nn.Module):
    """Another path for 100 rows and more."""

    def forward(self, x):
        return x * 2 if x.shape[0] >= 100 else x + 1


class OddBatch(nn.Module):
    """Another path for 7 rows."""

    def forward(self, x):
        return x * 2 if x.shape[0] == 7 else x + 1


class Random(nn.Module):
    """Adds noise."""

    def forward(self, x):
        return x + torch.randn_like(x)


class RareRandom(nn.Module):
    """Looks deterministic in nearly every call."""

    def forward(self, x):
        return x * 0 if random.random() < 1e-9 else x + 1


class Counter(nn.Module):
    """The output follows the number of calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + self.calls


class LateCounter(Counter):
    """The output changes after a thousand calls."""

    def forward(self, x):
        self.calls += 1
        return x * 2 if self.calls > 1000 else x


class Memory(nn.Module):
    """A running mean in a buffer, that the output does not show at once."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x):
        self.seen += 1
        return x * (self.seen < 1000)


class Carry(nn.Module):
    """The hidden state of the last call."""

    def __init__(self):
        super().__init__()
        self.hidden = None

    def forward(self, x):
        before = torch.zeros_like(x) if self.hidden is None else self.hidden
        self.hidden = x.mean() * torch.ones(1) + before.mean()
        return x + before.mean()


class NaN(nn.Module):
    """NaN whatever the input."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 3)
        with torch.no_grad():
            self.a.weight[0, 0] = float("nan")

    def forward(self, x):
        return self.b(self.a(x))


class Softmax0(nn.Module):
    """Softmax over the rows instead of the classes."""

    def forward(self, x):
        return x.softmax(0)


class PythonOutput(nn.Module):
    """Returns a Python number beside a tensor."""

    def forward(self, x):
        return {"logits": x * 2, "rows": x.shape[0]}


class Looping(nn.Module):
    """A loop as long as a value says."""

    def forward(self, x):
        for _ in range(int(x.abs().max())):
            x = x * 1.5
        return x


class Assigned(nn.Module):
    """A number of the example is kept as an attribute and used in the next call."""

    def __init__(self):
        super().__init__()
        self.scale = 1.0

    def forward(self, x):
        out = x * self.scale
        self.scale = float(x.abs().max())
        return out


class Clock(nn.Module):
    """The time of the day."""

    def forward(self, x):
        import time

        return x + time.perf_counter() % 1


class FixedHeight(nn.Module):
    """Flattens to the example's size."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 2, 3, padding=1), nn.Linear(2 * 16 * 16, 5)

    def forward(self, x):
        return self.head(self.conv(x).flatten(1))


class HeightBranch(nn.Module):
    """Another path for tall images."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x):
        y = self.conv(x).mean((2, 3))
        return y * 3 if x.shape[2] > 40 else y


class Untrained(nn.Module):
    """A head of zeros: the inputs do not matter, so nothing is compared."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 4), nn.Linear(4, 3)
        nn.init.zeros_(self.head.weight)

    def forward(self, x):
        return self.head(self.body(x))


def traps() -> dict[str, tuple[nn.Module, torch.Tensor, tuple[str, ...]]]:
    """Name, model, example and dynamic axes of every trap."""
    torch.manual_seed(0)
    row, two, image = torch.randn(1, 4) + 0.5, torch.randn(2, 4) + 0.5, torch.rand(1, 3, 16, 16)
    simple = [
        ActiveDropout, Stubborn, StubbornNorm, ActiveNorm, Branch, DeepBranch, NumpyBranch,
        NumpyConstant, RareBranch, InPlace, InPlaceView, InPlaceNumpy, HardMix, BatchBranch,
        FarBatchBranch, OddBatch, Random, RareRandom, Counter, LateCounter, Memory, Carry, NaN,
        Softmax0, PythonOutput, Untrained, Looping, Assigned, Clock,
    ]  # fmt: skip
    found = {kind.__name__: (kind(), row, ("batch",)) for kind in simple}
    found["HardBatch"] = HardBatch(), two, ("batch",)
    found["ActiveNormFixed"] = ActiveNorm(), two, ()
    found["BranchFixed"] = Branch(), row, ()
    found["DeepBranchFixed"] = DeepBranch(), row, ()
    found["NumpyBranchFixed"] = NumpyBranch(), row, ()
    found["NumpyConstantFixed"] = NumpyConstant(), row, ()
    found["LoopingFixed"] = Looping(), row, ()
    found["AssignedFixed"] = Assigned(), row, ()
    found["FixedHeight"] = FixedHeight(), image, ("batch", "height")
    found["HeightBranch"] = HeightBranch(), image, ("height", "width")
    return found


# these keep Python's control flow, so they are right in TorchScript
KEPT_BY_SCRIPT = {
    "BranchFixed", "DeepBranchFixed", "LoopingFixed", "RareBranch", "BatchBranch", "FarBatchBranch",
    "OddBatch", "HeightBranch",
}  # fmt: skip
