"""Run every benchmark and print one table; the same table is kept in RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import platform
from pathlib import Path

import benchmarks
from benchmarks.rows import Row

HERE = Path(__file__).parent


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table; times are medians in milliseconds."""
    lines = [
        "| what | ours (ms) | beside | its time (ms) | ratio | bar | met |",
        "|---|--:|---|--:|--:|---|:-:|",
    ]
    for row in rows:
        met = {True: "yes", False: "no", None: ""}[row.met]
        lines.append(
            f"| {row.name} | {milliseconds(row.ours_s)} | {row.peer} "
            f"| {milliseconds(row.peer_s)} "
            f"| {row.ratio:.2f} | {row.bar} | {met} |"
        )
    return "\n".join(lines)


def milliseconds(seconds: float) -> str:
    """Return a time with one decimal, and a very short one with four."""
    return f"{seconds * 1000:.{1 if seconds > 1e-4 else 4}f}"


def machine() -> str:
    """Say what was measured on, in one line."""
    from cvtrack_magics.capture.machine.environment import environment_facts
    from cvtrack_magics.capture.machine.hardware import hardware_facts

    facts = {**hardware_facts(), **environment_facts()}
    words = [f"{key} {value}" for key, value in list(facts.items())[:16] if value]
    return f"Measured on {platform.system()}: " + "; ".join(words) + "."


def main() -> None:
    """Run the modules named bench_*, in turn; all of them write RESULTS.md."""
    modules = [info.name for info in pkgutil.iter_modules(benchmarks.__path__)]
    names = [name.removeprefix("bench_") for name in modules if name.startswith("bench_")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(names)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes, where there are such")
    given = parser.parse_args()
    rows: list[Row] = []
    sections: list[str] = []
    for name in given.names or names:
        print(f"{name} …", flush=True)
        module = importlib.import_module(f"benchmarks.bench_{name}")
        sized = hasattr(module, "section")
        rows += module.rows(quick=given.quick) if sized else module.rows()
        if sized:
            sections.append(module.section(quick=given.quick))
    text = "\n\n".join([table(rows), *sections])
    print()
    print(text)
    if not given.names and not given.quick:
        (HERE / "RESULTS.md").write_text(
            "# Ours beside the peers\n\nWritten by `make bench`, ours and the peer in turn, "
            f"medians.\n{machine()}\n\n{text}\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
