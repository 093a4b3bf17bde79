"""Environment capture and data set hashing, beside pip, hashlib and sha256sum."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.rows import Row, in_turn
from cvtrack_magics.capture.data.folders import identify_folder
from cvtrack_magics.capture.data.hashing import sha256_file
from cvtrack_magics.capture.machine import packages as own

GIB = 2**30


def rows(
    file_bytes: int = 2 * GIB, files: int = 20_000, total_bytes: int = 600_000_000
) -> list[Row]:
    """Time ours and each peer in turn.

    Parameters
    ----------
    file_bytes : int
        Size of the one large file.
    files, total_bytes : int
        Number and size of the small files together.
    """
    return [*environment_rows(), *file_rows(file_bytes), *folder_rows(files, total_bytes)]


def environment_rows() -> list[Row]:
    """Compare the list of packages, read anew each time, with two ways to get it."""
    count = len(own.packages())

    def ours() -> None:
        own._cache = None
        own.requirements_text()

    def metadata() -> None:
        for found in importlib.metadata.distributions():
            found.metadata["Name"], found.version, found.read_text("direct_url.json")

    def freeze() -> None:
        command = [sys.executable, "-m", "pip", "freeze", "--disable-pip-version-check"]
        subprocess.run(command, check=True, capture_output=True)

    name = f"environment of {count} packages"
    mine, theirs = in_turn(ours, metadata)
    with_pip, pip = in_turn(ours, freeze, rounds=3)
    return [
        Row(name, mine, "importlib.metadata", theirs, "at most 60 ms", mine <= 0.060),
        Row(name, with_pip, "pip freeze", pip, "at most 60 ms", with_pip <= 0.060),
    ]


def one_thread(path: Path) -> str:
    """Hash a file with hashlib, 1 MiB at a time into one buffer: the fastest plain way."""
    hasher = hashlib.sha256()
    buffer = bytearray(2**20)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            hasher.update(view[:count])
    return hasher.hexdigest()


def file_rows(size: int) -> list[Row]:
    """Compare the hash of one large file, in the page cache, with one thread of hashlib."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large"
        block = os.urandom(2**24)
        with path.open("wb") as file:
            for start in range(0, size, len(block)):
                file.write(block[: size - start])
        assert sha256_file(str(path)).sha256 == one_thread(path)
        ours, peer = in_turn(lambda: sha256_file(str(path)), lambda: one_thread(path), rounds=5)
        name = f"SHA-256 of a file of {size / GIB:.2g} GiB"
        found = [Row(name, ours, "hashlib", peer, "at most 1.1 × hashlib", ours <= 1.1 * peer)]
        if shutil.which("sha256sum"):
            command = ["sha256sum", str(path)]
            ours, peer = in_turn(
                lambda: sha256_file(str(path)),
                lambda: subprocess.run(command, check=True, capture_output=True),
                rounds=1,
            )
            found.append(Row(name, ours, "sha256sum", peer, "", None))
    return found


@contextmanager
def small_files(count: int, total: int) -> Iterator[Path]:
    """Yield a folder of equal files, 500 to a subfolder, that look a day old."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "data"
        for index in range(count):
            path = root / f"{index // 500:03d}" / f"{index:06d}.jpg"
            if index % 500 == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(os.urandom(total // count))
            old = path.stat().st_mtime - 86_400
            os.utime(path, (old, old))
        yield root


def guides_way(root: Path) -> dict[str, str]:
    """Hash every file as the guide does: one after another, 64 KiB at a time."""
    found = {}
    for path in sorted(root.rglob("*.jpg")):
        hasher = hashlib.sha256()
        with path.open("rb") as file:
            for chunk in iter(lambda file=file: file.read(65536), b""):  # type: ignore[misc]
                hasher.update(chunk)
        found[path.relative_to(root).as_posix()] = hasher.hexdigest()
    return found


def folder_rows(count: int, total: int) -> list[Row]:
    """Compare a folder's first and second identification with plain ways to hash it."""
    found: list[Row] = []
    with small_files(count, total) as root:
        cache = root.parent / "cache"

        def first() -> None:
            shutil.rmtree(cache, ignore_errors=True)
            identify_folder(root, cache)

        def sums() -> None:
            listing = b"\0".join(os.fsencode(path) for path in root.rglob("*.jpg"))
            subprocess.run(
                ["xargs", "-0", "sha256sum"], input=listing, check=True, stdout=subprocess.DEVNULL
            )

        def stats() -> None:
            for folder in os.scandir(root):
                for entry in os.scandir(folder.path):
                    entry.stat()

        name = f"{count:,} files, {total / 1e6:.0f} MB"
        ours, peer = in_turn(first, lambda: guides_way(root), rounds=5)
        found.append(
            Row(f"{name}, first", ours, "the guide's loop", peer, "at most 0.30 s", ours <= 0.30)
        )
        if shutil.which("sha256sum") and shutil.which("xargs"):
            ours, peer = in_turn(first, sums, rounds=3)
            found.append(Row(f"{name}, first", ours, "sha256sum", peer, "", None))
        first()
        assert identify_folder(root, cache).hashed == 0
        ours, peer = in_turn(lambda: identify_folder(root, cache), stats)
        found.append(
            Row(f"{name}, unchanged", ours, "stat alone", peer, "at most 0.10 s", ours <= 0.10)
        )
    return found
