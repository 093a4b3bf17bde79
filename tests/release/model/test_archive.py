"""An archive that two readers could read differently is refused."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import pytest
import torch

from cvtrack_magics.release.model.serving.archive import entries
from cvtrack_magics.release.model.serving.checking import check_pt2
from cvtrack_magics.release.model.serving.rejected import Rejected


def made(names: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return buffer.getvalue()


GOOD = made({"a/x": b"good", "a/y": b"other"})
EVIL = made({"a/x": b"evil", "a/z": b"more!"})


def directory(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return an archive's entries, its directory and its end."""
    end = data.rindex(b"PK\5\6")
    size, start = struct.unpack("<2I", data[end + 12 : end + 20])
    return data[:start], data[start : start + size], data[end:]


def two_directories() -> bytes:
    body, own, end = directory(EVIL)
    other, theirs, _ = directory(GOOD)
    return body + own + other + theirs + end


def twice() -> bytes:
    buffer = io.BytesIO(GOOD)
    with zipfile.ZipFile(buffer, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the double name
        archive.writestr("a/x", b"evil")
    return buffer.getvalue()


def other_name() -> bytes:
    return GOOD.replace(b"a/x", b"a/q", 1)


def other_place() -> bytes:
    body, own, end = directory(GOOD)
    at = own.rindex(b"PK\1\2") + 42
    return body + own[:at] + struct.pack("<I", 0) + own[at + 4 :] + end


def hidden_entry() -> bytes:
    body, own, _ = directory(GOOD)
    at = own.rindex(b"PK\1\2")
    size = len(own[:at])
    return body + own[:at] + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, size, len(body), 0)


def with_sixty_four(start: int) -> bytes:
    body, own, end = directory(GOOD)
    extra = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, len(own), start)
    where = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(own), 1)
    return body + own + extra + where + end


def saturated() -> bytes:
    data = with_sixty_four(len(directory(GOOD)[0]))
    return data[:-14] + struct.pack("<2H2IH", 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


REFUSED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"PK nothing" * 10,
    "two directories": two_directories,
    "bytes in front": lambda: b"MZ" + GOOD,
    "another archive in front": lambda: EVIL + GOOD,
    "bytes behind": lambda: GOOD + b"x",
    "another archive behind": lambda: GOOD + EVIL,
    "a comment": lambda: GOOD[:-2] + b"\5\0hello",
    "one name twice": twice,
    "another name in the entry": other_name,
    "another place": other_place,
    "an entry that is not in the directory": hidden_entry,
    "compressed": lambda: made({"a/x": b"0" * 10_000}, zipfile.ZIP_DEFLATED),
    "cut": lambda: GOOD[:-30],
    "no entries": lambda: made({}),
    "a large directory that differs": lambda: with_sixty_four(3),
    "a disk of its own": lambda: GOOD[:-18] + b"\1\0" + GOOD[-16:],
    "an encrypted entry": lambda: GOOD[:6] + b"\1" + GOOD[7:],
    "wild count": lambda: GOOD[:-14] + b"\xff\xff\xff\xff" + GOOD[-10:],
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_archive_that_could_be_read_in_two_ways(case: str) -> None:
    data = REFUSED[case]()
    with pytest.raises(Rejected) as caught:
        entries(data)
    assert "\n" not in str(caught.value)
    with pytest.raises(Rejected):
        check_pt2(data)


@pytest.mark.parametrize("make", [lambda: GOOD, saturated], ids=["plain", "large"])
def test_an_archive_with_one_meaning(make: Callable[[], bytes]) -> None:
    found = {name: bytes(view) for name, view in entries(make()).items()}
    assert found == {"a/x": b"good", "a/y": b"other"}


def test_every_flipped_bit_of_a_directory_is_refused_or_changes_nothing() -> None:
    body, own, end = directory(GOOD)
    expected = {"a/x": b"good", "a/y": b"other"}
    for at in range(len(body), len(GOOD)):
        for bit in range(8):
            data = bytearray(GOOD)
            data[at] ^= 1 << bit
            try:
                found = {name: bytes(view) for name, view in entries(bytes(data)).items()}
            except Rejected:
                continue
            assert found == expected, (at, bit)
    assert own
    assert end


def test_what_torch_export_saves_is_accepted() -> None:
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.rand(2, 3),))
    program._example_inputs = None
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    assert any(name.endswith("models/model.json") for name in entries(buffer.getvalue()))
