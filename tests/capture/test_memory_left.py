"""How much memory may still be used, by the machine's count and by a container's."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from cvtrack_magics.capture.machine import hardware

LIMITS = {
    "version 2": (
        {
            "memory.max": "1000000000\n",
            "memory.current": "900000000\n",
            "memory.stat": "anon 600000000\ninactive_file 250000000\n",
        },
        350_000_000,
    ),
    "version 2, more used than allowed": (
        {"memory.max": "1000\n", "memory.current": "2000\n", "memory.stat": ""},
        0,
    ),
    "version 1": (
        {
            "memory/memory.limit_in_bytes": "800000000",
            "memory/memory.usage_in_bytes": "700000000",
            "memory/memory.stat": "cache 1\ntotal_inactive_file 50000000\n",
        },
        150_000_000,
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_a_containers_limit_counts_without_the_files_it_caches(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, left = LIMITS[case]
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    assert hardware.memory_left() == left


@pytest.mark.parametrize("text", ["max\n", "", "9223372036854771712"])
def test_without_a_limit_the_machines_count_holds(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(text)
    (tmp_path / "memory.current").write_text("5\n")
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    assert abs(hardware.memory_left() - psutil.virtual_memory().available) < 2e9
