"""What a user asked for when opening a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from cvtrack_magics.records import Record


@dataclass(frozen=True, slots=True)
class RunSpec:
    """The options of ``%%mlrun``, already checked.

    ``records`` are the params and tags given with the run, ``implied`` those read off
    objects given with it, ``seeds`` what its own seed is recorded as. ``until`` says what ends a
    run that goes on after its cell. ``auto`` asks for what a cell shows of itself without a call:
    numbers that it prints, settings in its names. ``plot`` is None where the setting decides, and
    nothing is shown at all of a ``quiet`` one. ``watch`` looks for more in the curves than NaN.
    Of one whose body runs ``elsewhere``, the machine and what it uses are told from there.
    """

    name: str
    nested: bool = False
    resume: bool = False
    until: str = ""
    seed: int | None = None
    deterministic: bool = False
    code: bool = True
    figures: bool = True
    output: bool = True
    auto: bool = True
    plot: bool | None = None
    quiet: bool = False
    watch: bool = False
    elsewhere: bool = False
    baseline: str = ""
    records: tuple[Record, ...] = field(default_factory=tuple)
    implied: tuple[Record, ...] = ()
    seeds: tuple[Record, ...] = ()
