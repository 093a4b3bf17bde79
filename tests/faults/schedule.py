"""What one schedule does and when: drawn from a seed, printed in one line, replayed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tests.faults.company import company_of
from tests.faults.proxy import Fault

COUNT = 200
STORES = ("sqlite", "postgresql")
ENDS = ("normal", "exception", "exit", "sigterm", "_exit", "term", "int", "kill", "kill", "kill")
BY_PARENT = ("term", "int", "kill")
"""Ends that come from outside, at a moment the victim does not know."""

SETTLES = ("sync", "sync", "sync", "three at once", "killed sync", "sync under fault", "load")
ROUGH = ("kill", "stop", "lock", "kill", "stop", "database")
"""What happens to a real server; one group of schedules lives through it together."""

ROUGH_FROM = 152
ROUGH_SIZE = 8


@dataclass(frozen=True)
class RunPlan:
    """One run: how many calls of ``log()`` in each of its threads, and how fast."""

    name: str
    calls: int
    pace: float
    threads: int = 1
    counted: bool = False
    child: int = 0
    """Calls in a run nested under it; 0 for none."""
    company: tuple[str, ...] = ()
    """What else goes on in it (:mod:`tests.faults.company`)."""


@dataclass(frozen=True)
class VictimPlan:
    """One process: its runs, one after the other, and how it ends."""

    name: str
    runs: tuple[RunPlan, ...]
    end: str
    end_at: float = 0.0
    """Seconds on the schedule's clock, for an end that comes from outside."""
    start_at: float = 0.0
    close_timeout: float = 3.0


@dataclass(frozen=True)
class Event:
    """From ``at`` (seconds) on, this fault; ``None`` means that all is well again."""

    at: float
    fault: Fault | None


@dataclass(frozen=True)
class Schedule:
    """One randomised test."""

    seed: int
    store: str
    host: str
    victims: tuple[VictimPlan, ...]
    events: tuple[Event, ...]
    settle: str
    settle_events: tuple[Event, ...] = ()
    syncs_beside: tuple[float, ...] = ()
    """When other processes sync the same state folder while the victims live."""
    rough: str = ""
    clock: str = "open"
    """Whether time counts from the "start" of a process or from its first run being "open"."""

    @property
    def sender(self) -> str:
        """Who sends what lasts: a process in three of four, else a thread of the victim."""
        return "thread" if self.seed % 4 == 3 else "process"

    @property
    def kinds(self) -> set[str]:
        """The faults that this schedule means to bring, for the summary."""
        ends = {f"end: {victim.end}" for victim in self.victims}
        met = {f"proxy: {event.fault.kind}" for event in self.events if event.fault}
        server = {f"server: {self.rough}"} if self.rough else set()
        beside = {"sync beside a living run"} if self.syncs_beside else set()
        company = {f"company: {c}" for v in self.victims for r in v.runs for c in r.company}
        return (
            ends
            | met
            | server
            | beside
            | company
            | {
                f"settle: {self.settle}",
                f"host: {self.host}",
                f"sender: {self.sender}",
            }
        )

    def __str__(self) -> str:
        parts = [f"seed={self.seed} {self.store} {self.host} by {self.sender} from {self.clock}"]
        if self.rough:
            parts.append(f"server:{self.rough}")
        for victim in self.victims:
            runs = ", ".join(
                f"{r.calls}x{r.threads}@{r.pace * 1000:.1f}ms"
                + ("#" if r.counted else "")
                + (f"+child {r.child}" if r.child else "")
                + "".join(f"+{kind}" for kind in r.company)
                for r in victim.runs
            )
            at = f"@{victim.end_at:.2f}" if victim.end in BY_PARENT else ""
            parts.append(f"{victim.name}[{runs}; {victim.end}{at}]")
        parts.append(" ".join(_said(event) for event in self.events))
        parts += [f"sync@{at:.2f}" for at in self.syncs_beside]
        parts.append(" ".join([self.settle, *(_said(event) for event in self.settle_events)]))
        return " | ".join(part for part in parts if part)


def _said(event: Event) -> str:
    if event.fault is None:
        return f"@{event.at:.2f} well"
    share = f"*{event.fault.share:.1f}" if event.fault.share < 1 else ""
    return f"@{event.at:.2f} {event.fault.kind}{share}"


def schedule_of(seed: int) -> Schedule:
    """Draw the schedule of a seed."""
    draw = random.Random(f"schedule {seed}")
    rough = ""
    store = STORES[seed % 2]
    if seed >= ROUGH_FROM:
        group = (seed - ROUGH_FROM) // ROUGH_SIZE % len(ROUGH)
        rough, store = ROUGH[group], STORES[group // 3]
    host = "kernel" if not rough and seed % 13 == 5 else "script"
    length = draw.uniform(0.6, 3.0)
    count = 1 if host == "kernel" else draw.choice((1, 1, 1, 2))
    victims = tuple(_victim(draw, f"p{n}", length, host, rough) for n in range(count))
    events = () if rough else _events(draw, length)
    settle = draw.choice(SETTLES)
    if not rough and _comes_back_in_time(events, length, victims) and draw.random() < 0.5:
        settle = "nothing"
        victims = tuple(_patient(victim) for victim in victims)
    elif draw.random() < 0.06:
        settle = "command line"
    if rough and settle == "sync under fault":
        settle = "sync"  # it is the server that is harmed here, not what lies before it
    settle_events: tuple[Event, ...] = ()
    if settle in ("killed sync", "sync under fault"):
        settle_events = (Event(0.0, _fault(draw)), Event(draw.uniform(0.3, 2.0), None))
    beside: tuple[float, ...] = ()
    if draw.random() < 0.2:
        beside = tuple(sorted(draw.uniform(0.1, length) for _ in range(draw.choice((1, 2)))))
    clock = draw.choice(("start", "open", "open"))
    victims = tuple(_with_company(seed, victim, host) for victim in victims)
    return Schedule(seed, store, host, victims, events, settle, settle_events, beside, rough, clock)


def _victim(draw: random.Random, name: str, length: float, host: str, rough: str) -> VictimPlan:
    number = 1 if host == "kernel" else draw.choice((1, 1, 1, 2))
    spread = 8.0 if rough else 0.0
    runs = []
    for n in range(number):
        calls = draw.choice((1, 20, 60, 120, 250))
        pace = length / number / calls
        threads = draw.choice((1, 1, 1, 2, 4))
        if draw.random() < 0.08:
            calls, pace, threads = 2500, 0.0, 1
        child = draw.choice((0, 0, 0, 15)) if host == "script" else 0
        counted = draw.random() < 0.4
        runs.append(RunPlan(f"{name}-r{n}", calls, pace, threads, counted, child))
    ends = [e for e in ENDS if host == "script" or e not in ("exit", "sigterm", "_exit")]
    return VictimPlan(
        name,
        tuple(runs),
        draw.choice(ends),
        end_at=draw.uniform(0.05, length * 1.15),
        start_at=draw.uniform(0.0, spread),
        close_timeout=draw.choice((0.5, 1.0, 3.0)),
    )


def _with_company(seed: int, victim: VictimPlan, host: str) -> VictimPlan:
    draw = random.Random(f"company {seed} {victim.name}")
    runs = tuple(replace(run, company=company_of(draw, host)) for run in victim.runs)
    return replace(victim, runs=runs)


def _fault(draw: random.Random) -> Fault:
    kind = draw.choice(
        (
            "refuse",
            "refuse",
            "slow",
            "hang",
            "late",
            "cut",
            "cut",
            "torn",
            "half",
            "500",
            "503",
            "429",
        )
    )
    share = 1.0 if kind == "refuse" else draw.choice((0.3, 0.6, 1.0))
    return Fault(kind, share, draw.uniform(0.05, 0.6) if kind == "slow" else 0.0)


def _events(draw: random.Random, length: float) -> tuple[Event, ...]:
    """Up to three faults, one after the other; the first may be there from the start."""
    events: list[Event] = []
    at = draw.choice((-1.0, draw.uniform(0.0, length * 0.7)))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        events.append(Event(at, _fault(draw)))
        at = max(at, 0.0) + draw.uniform(0.1, length * 0.6)
        if draw.random() < 0.85:
            events.append(Event(at, None))
            at += draw.uniform(0.05, length * 0.4)
    if draw.random() < 0.3:
        # the server is still away when the process ends
        events = events[:-1] if events and events[-1].fault is None else events
    return tuple(events)


def _comes_back_in_time(
    events: tuple[Event, ...], length: float, victims: tuple[VictimPlan, ...]
) -> bool:
    well = not events or (events[-1].fault is None and events[-1].at < length * 0.7)
    return well and all(v.end in ("normal", "exception", "exit", "sigterm") for v in victims)


def _patient(victim: VictimPlan) -> VictimPlan:
    return replace(victim, close_timeout=30.0)
