"""Run every benchmark and print one table; the same table is kept in RESULTS.md."""

from __future__ import annotations

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
            f"| {row.name} | {row.ours_s * 1000:.1f} | {row.peer} | {row.peer_s * 1000:.1f} "
            f"| {row.ratio:.2f} | {row.bar} | {met} |"
        )
    return "\n".join(lines)


def machine() -> str:
    """Say what was measured on, in one line."""
    from cvtrack_magics.capture.environment import environment_facts
    from cvtrack_magics.capture.hardware import hardware_facts

    facts = {**environment_facts(), **hardware_facts()}
    words = [f"{key} {value}" for key, value in list(facts.items())[:12] if value]
    return f"Measured on {platform.system()}: " + "; ".join(words) + "."


def main() -> None:
    """Run all modules named bench_*, in turn."""
    rows: list[Row] = []
    for info in pkgutil.iter_modules(benchmarks.__path__):
        if info.name.startswith("bench_"):
            print(f"{info.name} …", flush=True)
            rows += importlib.import_module(f"benchmarks.{info.name}").rows()
    text = table(rows)
    print()
    print(text)
    (HERE / "RESULTS.md").write_text(
        "# Ours beside the peers\n\nWritten by `make bench`, ours and the peer in turn, medians.\n"
        f"{machine()}\n\n{text}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
