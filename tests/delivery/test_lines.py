"""Lines are whole, however the bytes of a stream are cut into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cvtrack_magics.delivery.lines import Lines


@given(st.lists(st.binary(max_size=8).map(lambda part: part.replace(b"\r", b"\n")), max_size=12))
def test_pieces_give_the_lines_of_the_whole(pieces: list[bytes]) -> None:
    lines = Lines()
    found = [line for piece in pieces for line in lines.take(piece)]
    *whole, rest = b"".join(pieces).split(b"\n")
    assert found == whole
    assert lines.take(b"end\n") == [rest + b"end"]
