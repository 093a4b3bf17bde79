"""The files of a batch of facts: laid out as the run's artifacts are to be, each with a check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from cvtrack_magics.journal.stored import Damage
from cvtrack_magics.records import Artifact

FILES = "files"


def lay_out(artifacts: Iterable[Artifact], folder: Path) -> dict[str, int]:
    """Write artifacts into a folder, by their paths in the run; return each one's CRC-32."""
    checks = {}
    for artifact in artifacts:
        target = folder.joinpath(*artifact.path.split("/"))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if artifact.source is not None:
            check = _copy(Path(artifact.source), target)
        else:
            content = artifact.content or b""
            if isinstance(content, str):
                content = content.encode("utf-8", "replace")
            target.write_bytes(content)
            check = crc32(content)
        checks[artifact.path] = check
    return checks


def _copy(source: Path, target: Path) -> int:
    check = 0
    with open(source, "rb") as read, open(target, "wb") as write:
        while chunk := read.read(1 << 20):
            write.write(chunk)
            check = crc32(chunk, check)
    return check


def keep_apart(folder: Path, files: Path, checks: Mapping[str, int]) -> list[Damage]:
    """Take files that are not as they were written out of what is sent."""
    found = []
    for path, check in checks.items():
        file = files.joinpath(*[part for part in path.split("/") if part not in ("", "..")])
        seen = _check_of(file)
        if seen is None:
            found.append(Damage(f"file {path}", 0, "is missing"))
        elif seen != check:
            found.append(Damage(f"file {path}", 0, "is damaged"))
            _put_aside(folder, file)
    for file in sorted(files.rglob("*")) if checks else ():  # format 1 does not say which
        path = file.relative_to(files).as_posix()
        if path not in checks and not (file.is_dir() and not file.is_symlink()):
            found.append(Damage(f"file {path}", 0, "was not put there by the run"))
            _put_aside(folder, file)
    return found


def _put_aside(folder: Path, file: Path) -> None:
    aside = folder / "damaged" / file.relative_to(folder / FILES)
    with suppress(OSError):
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.replace(aside)


def _check_of(file: Path) -> int | None:
    """Return a file's CRC-32, or None where there is no such file."""
    check = 0
    try:
        if not file.is_file() or file.is_symlink():
            return None
        with open(file, "rb") as read:
            while chunk := read.read(1 << 20):
                check = crc32(chunk, check)
    except OSError:
        return None
    return check
