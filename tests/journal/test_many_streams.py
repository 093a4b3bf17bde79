"""A run that many workers log into: how much is sent is noted whatever their number."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.delivery.children import child_names
from cvtrack_magics.journal.acknowledged import FILE, LARGE, Acknowledgements, Sent


def sent(points: int, streams: int) -> Sent:
    return Sent(
        3, points, {f"p{number}x18ab3c4d5e6f7a8b": (number, 64) for number in range(streams)}
    )


@pytest.mark.parametrize("counts", [[1], [300], [1, 300], [300, 1], [2, 300, 301, 302, 3, 400]])
def test_the_newest_note_counts(tmp_path: Path, counts: list[int]) -> None:
    notes = Acknowledgements(tmp_path)
    for points, streams in enumerate(counts):
        notes.write(sent(points, streams))
        assert Acknowledgements(tmp_path).read() == sent(points, streams)


@pytest.mark.parametrize("at", [0, 4, 12, 20, 5_000, -1])
def test_a_large_note_that_is_damaged_is_not_believed(tmp_path: Path, at: int) -> None:
    notes = Acknowledgements(tmp_path)
    notes.write(sent(1, 2))
    notes.write(sent(2, 400))
    data = bytearray((tmp_path / LARGE).read_bytes())
    data[at] ^= 0x10
    (tmp_path / LARGE).write_bytes(bytes(data))
    assert Acknowledgements(tmp_path).read() == sent(1, 2)
    (tmp_path / FILE).unlink()
    assert Acknowledgements(tmp_path).read() == Sent()


class OnDevice:
    """A value that waits for its device when it is read."""

    ndim = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


def test_a_worker_reads_what_is_on_a_device_at_once(tmp_path: Path) -> None:
    workers, own = Channel(tmp_path, None, child_names()), Channel(tmp_path)
    for step in range(3):
        for channel in (workers, own):
            channel.record({"loss": OnDevice(step / 2)}, step, 1)
    assert (workers.written()[-1], own.written()[-1]) == (0, 3)  # nobody drains a worker's
    own.settle()
    assert own.written()[-1] == 0
