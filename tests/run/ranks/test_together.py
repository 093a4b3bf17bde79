"""Loops of ranks that are asked to stop end before the same round, whichever is ahead."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cvtrack_magics.records import Artifact, Dataset, Notice, Param, Record, Tag
from cvtrack_magics.run.ranks.member import Board, RankControl
from cvtrack_magics.run.ranks.wire import packed, unpacked

EPOCHS, STEPS = 4, 3
ROUNDS = 2 * EPOCHS * STEPS


class _Rank:
    """Two trainings, each of two loops, one in the other."""

    def __init__(self, board: Board, number: int) -> None:
        self.control = RankControl(board, number == 0, lambda: 0, lambda: None)
        self.done: list[tuple[int, int, int]] = []

    def rounds(self) -> Iterator[None]:
        for training in range(2):
            for epoch in self._loop("epoch", EPOCHS):
                for step in self._loop("step", STEPS):
                    yield
                    self.done.append((training, epoch, step))

    def _loop(self, desc: str, total: int) -> Iterator[int]:
        loop = self.control.enter(desc, total, desc)
        try:
            for number in range(total):
                if loop.asked and not self.control.go_on(loop):
                    break
                yield number
        finally:
            self.control.leave(loop)


@given(asked=st.integers(1, 3 * ROUNDS), turns=st.lists(st.integers(0, 2), max_size=3 * ROUNDS))
def test_all_ranks_stop_before_the_same_round(asked: int, turns: list[int]) -> None:
    """Whoever is ahead, and by how much."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stop")
        Board.make(path, 3)
        ranks = [_Rank(Board(path, number), number) for number in range(3)]
        going = [rank.rounds() for rank in ranks]
        over = set[int]()
        for turn, number in enumerate([*turns, *range(3)] + [0, 1, 2] * ROUNDS):
            ranks[0].control.is_asked |= turn == asked
            if number not in over and next(going[number], over) is over:
                over.add(number)
        assert over == {0, 1, 2}
        first, *others = (rank.done for rank in ranks)
        assert others == [first, first]
        stopped = [one for one in (0, 1) if not _is_whole(first, one)]
        assert len(stopped) <= 1  # what begins after it goes on
        assert stopped or ranks[0].control.is_asked or not _was_asked(first, asked)


def _is_whole(done: list[tuple[int, int, int]], training: int) -> bool:
    return sum(one == training for one, _, _ in done) == EPOCHS * STEPS


def _was_asked(done: list[tuple[int, int, int]], asked: int) -> bool:
    """Whether rank 0 had more than its last rounds before it when the button was pressed."""
    return asked < len(done) - 2 * STEPS


def test_what_rank_0_records_arrives_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"\x00\xff")
    sent: list[Record] = [
        Param("lr", "0.1"),
        Tag("team", "cv"),
        Artifact("a/b.txt", "text"),
        Artifact("a/b.png", b"\x89PNG"),
        Dataset("digits", "here", "training", "0" * 64, {"x": 1}),
        Notice("said"),
    ]
    assert unpacked(packed(sent)) == sent
    of_a_file = unpacked(packed([Artifact("c.bin", source=tmp_path / "file.bin")]))
    assert of_a_file == [Artifact("c.bin", b"\x00\xff")]
    assert unpacked([["unknown", {}]]) == []
