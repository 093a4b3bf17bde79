"""Whether a zip archive reads the same to every reader.

What was checked must be what PyTorch opens. Readers differ in how they find the directory, in
what they make of bytes that no entry owns, and in which of two entries of one name they take;
an archive passes here only where none of these questions arises.
"""

from __future__ import annotations

import io
import struct
import zipfile

from .rejected import Rejected

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIBED = 0x8  # sizes stand behind the data too
_DESCRIPTORS = (0, 12, 16, 20, 24)  # bytes


def entries(content: bytes) -> dict[str, memoryview]:
    """Return the entries of an archive by name, as views of its bytes.

    Raises
    ------
    Rejected
        It is no archive, entries are compressed, encrypted, doubled or overlap, or there are
        bytes that belong to none.
    """
    start, count, end = _directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if archive.start_dir != start or len(infos) != count:
                raise Rejected("the archive has more than one directory.")
            found = _parts(content, infos, start)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        if isinstance(error, Rejected):
            raise
        raise Rejected("the archive is damaged.") from error
    if sum(_length_in_directory(info) for info in infos) != end - start:
        raise Rejected("the archive has bytes that belong to no entry.")
    return found


def _directory(content: bytes) -> tuple[int, int, int]:
    """Return where the directory starts, how many entries it has, and where it ends."""
    at = len(content) - _END.size
    if at < 0 or content[at : at + 4] != b"PK\5\6":
        raise Rejected("the archive does not end with its directory.")
    _, disk, disk2, here, count, size, start, comment = _END.unpack_from(content, at)
    end = at
    if content[max(at - _LOCATOR.size, 0) : at][:4] == b"PK\6\7":
        end = at - _LOCATOR.size - _END64.size
        if end < 0 or content[end : end + 4] != b"PK\6\6":
            raise Rejected("the archive's directory cannot be found.")
        _, own, _, _, disk64, disk65, here64, count64, size64, start64 = _END64.unpack_from(
            content, end
        )
        _, disk66, where, _ = _LOCATOR.unpack_from(content, at - _LOCATOR.size)
        short = [(here, here64, 0xFFFF), (count, count64, 0xFFFF)]
        short += [(size, size64, 0xFFFFFFFF), (start, start64, 0xFFFFFFFF)]
        agree = all(a in (b, full) for a, b, full in short)
        if not agree or where != end or own != _END64.size - 12 or disk64 or disk65 or disk66:
            raise Rejected("the archive has two directories that differ.")
        here, count, size, start = here64, count64, size64, start64
    if disk or disk2 or comment or here != count or start + size != end:
        raise Rejected("the archive's directory is not where it says.")
    return start, count, end


def _parts(content: bytes, infos: list[zipfile.ZipInfo], directory: int) -> dict[str, memoryview]:
    """Return the entries, which lie one behind the other from the first byte on."""
    found: dict[str, memoryview] = {}
    view = memoryview(content)
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in ordered[1:]), directory]
    if not ordered or ordered[0].header_offset != 0:
        raise Rejected("the archive has bytes that belong to no entry.")
    for info, end in zip(ordered, ends, strict=True):
        if info.header_offset + _LOCAL.size > directory:
            raise Rejected("the archive is damaged.")
        mark, _, flags, method, *_, name, extra = _LOCAL.unpack_from(content, info.header_offset)
        begin = info.header_offset + _LOCAL.size + name + extra
        written = content[info.header_offset + _LOCAL.size : begin - extra]
        stored = method == info.compress_type == zipfile.ZIP_STORED
        if not stored or info.compress_size != info.file_size or flags & 1:
            raise Rejected(f"the entry {info.filename[:80]!r} is compressed or encrypted.")
        gap = end - begin - info.file_size
        allowed = _DESCRIPTORS if flags & _DESCRIBED else (0,)
        if mark != b"PK\3\4" or written != info.orig_filename.encode() or gap not in allowed:
            raise Rejected(f"the entry {info.filename[:80]!r} is not what the directory says.")
        if info.filename in found:
            raise Rejected(f"the archive has {info.filename[:80]!r} twice.")
        found[info.filename] = view[begin : begin + info.file_size]
    return found


def _length_in_directory(info: zipfile.ZipInfo) -> int:
    return 46 + len(info.orig_filename.encode()) + len(info.extra) + len(info.comment)
