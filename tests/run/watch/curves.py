"""Curves of trainings that are well, and of some that are not; the same every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Curves = dict[str, Floats]


def decay(n: int, start: float, end: float, power: float = 1.0) -> Floats:
    """Return a loss that falls like a power law."""
    steps = np.arange(n) / max(1, n / 50)
    return end + (start - end) / (1 + steps) ** power


def noisy(values: Floats, rng: np.random.Generator, share: float, tails: bool = False) -> Floats:
    """Add noise in proportion to the values."""
    drawn = rng.standard_t(2.5, len(values)) if tails else rng.standard_normal(len(values))
    return np.maximum(values * (1 + share * drawn), 1e-6)


def healthy() -> Iterator[tuple[str, Curves]]:
    """Yield 50 trainings that are well."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        n = (300, 1000, 4000, 12_000, 30_000)[seed]
        base = decay(n, 2.3, 0.2)
        steps = np.arange(n)
        yield f"noisy {n}", {"train/loss": noisy(base, rng, 0.1)}
        yield f"very noisy {n}", {"loss": noisy(base, rng, 0.4)}
        yield f"heavy tails {n}", {"loss": noisy(base, rng, 0.1, tails=True)}
        hump = 1 + 0.6 * np.exp(-(((steps - n / 20) / (n / 40)) ** 2))
        yield f"warm-up hump {n}", {"train_loss": noisy(base * hump, rng, 0.08)}
        cycle = steps % (n // 4) / (n // 4)
        restarts = base + 0.45 * (2.3 - base) * np.exp(-12 * cycle) * (steps >= n // 4)
        yield f"warm restarts {n}", {"train/loss": noisy(restarts, rng, 0.08)}
        drops = np.select([steps < n * 0.4, steps < n * 0.7], [1.0, 0.5], 0.25)
        flat = 0.3 + 1.2 * drops + 0.8 * np.exp(-steps / (n / 60))
        yield f"step decay {n}", {"train/loss": noisy(flat, rng, 0.06)}
        end = np.where(steps < n * 0.3, decay(n, 3.0, 0.1, 1.5), 0.1)
        end = 0.1 + (end - end[-1]).clip(0) * np.cos(np.minimum(steps / n, 0.99) * np.pi / 2)
        yield f"long flat end {n}", {"train/loss": noisy(end, rng, 0.05)}
        rival = 0.7 + 2.5 * steps / n + 0.5 * np.sin(steps / (n / 40))
        yield (
            f"two rivals {n}",
            {"g_loss": noisy(rival, rng, 0.3), "d_loss": noisy(1.4 - 0.3 * rival / 3, rng, 0.4)},
        )
        epochs = 20 + 40 * seed
        seen = decay(epochs, 2.3, 0.01)
        over = decay(epochs, 2.3, 0.6) + np.linspace(0, 3, epochs) ** 2
        every = np.where(np.arange(epochs) % 5 == 0, over, np.nan)
        yield (
            f"overfitting {epochs}",
            {"train/loss": noisy(seen, rng, 0.02), "val/loss": over, "val/mAP50": every},
        )
        scaled = noisy(decay(n, 50, 1), rng, 0.5)
        scaled[rng.choice(n, 4, replace=False)] = np.inf
        slow = np.linspace(8.0, 7.2, n)
        yield f"scaled gradients {n}", {"grad_norm": scaled, "loss": noisy(slow, rng, 0.03)}


def _late(kind: str, n: int, at: int, values: Floats, more: Callable[[Floats], Floats]) -> Curves:
    found = values.copy()
    found[at:] = more(np.arange(n - at, dtype=float))
    return {kind: found}


def sick() -> Iterator[tuple[str, str, int, Curves]]:
    """Yield what it is, the kind that is to be said, the step from which it is so, the curves."""
    for seed, n in enumerate((60, 400, 5000)):
        rng = np.random.default_rng(seed)
        base = noisy(decay(n, 2.3, 0.2), rng, 0.15)
        at = n // 2
        for name, bad in (("train/loss", np.nan), ("loss", np.inf)):
            yield (
                f"{bad} {n}",
                "not_finite",
                at,
                _late(name, n, at, base, lambda t, bad=bad: np.full(len(t), bad)),
            )
        yield (
            f"explodes {n}",
            "diverged",
            at,
            _late("loss", n, at, base, lambda t, last=base[at]: last * 1.5 ** np.minimum(t, 80)),
        )
        yield (
            f"back to chance {n}",
            "diverged",
            at,
            _late("loss", n, at, base, lambda t: 2.3 + 0.05 * np.sin(t)),
        )
        slow = np.linspace(0, 12, n - at)
        yield (
            f"drifts away {n}",
            "diverged",
            at,
            _late("train/loss", n, at, base, lambda t, slow=slow: 0.3 + slow),
        )
    yield "NaN from the start", "not_finite", 0, {"loss": np.full(5, np.nan)}
    val = np.concatenate([np.linspace(0.5, 0.8, 12), np.full(4, np.nan)])
    yield "an evaluation breaks", "not_finite", 12, {"val/mAP50": val}
    ends = np.append(np.linspace(2, 1, 30), np.nan)
    yield "the last value is none", "not_finite", 30, {"loss": ends}
    rng = np.random.default_rng(9)
    yield "dead and quiet", "not_falling", 0, {"loss": 2.3026 + 1e-3 * rng.standard_normal(60)}
    yield "dead and noisy", "not_falling", 0, {"loss": 2.3 + 0.4 * rng.standard_normal(3000)}
    rising = np.linspace(2.0, 9.0, 300) + 0.1 * rng.standard_normal(300)
    yield "rises from the start", "diverged", 0, {"train/loss": rising}
