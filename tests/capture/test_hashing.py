"""Hashes of files and folders, against sha256sum."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from cvtrack_magics.capture.data import hashcache
from cvtrack_magics.capture.data.datasets import describe_data
from cvtrack_magics.capture.data.folders import FolderIdentity, identify_folder
from cvtrack_magics.capture.data.hashing import sha256_file
from cvtrack_magics.capture.data.manifest import (
    Entry,
    compare_manifests,
    escape,
    manifest_text,
    read_manifest,
    unescape,
)
from cvtrack_magics.capture.data.manyfiles import sha256_files
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Artifact, Dataset, Param, Tag

OLD_NS = 1_600_000_000_000_000_000


def sha256sum(path: Path) -> str:
    if shutil.which("sha256sum"):
        done = subprocess.run(["sha256sum", "-b", path], capture_output=True, check=True)
        return done.stdout.lstrip(b"\\")[:64].decode()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path: Path, data: bytes, when: int = OLD_NS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(when, when))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for index in range(30):
        write(root / f"c{index % 3}" / f"{index:02d}.jpg", os.urandom(100 + index))
    write(root / "big.bin", os.urandom(3_000_000))
    write(root / "empty", b"")
    return root


@pytest.mark.parametrize(
    "size", [0, 1, 1 << 20, (1 << 20) + 1, 16 << 20, (16 << 20) + 1, (40 << 20) + 12345]
)
def test_a_file_of_any_size(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "f", os.urandom(size))
    counted: list[int] = []
    found = sha256_file(str(path), counted.append)
    assert found.sha256 == sha256sum(path)
    assert found.size == size == sum(counted)
    assert sha256_files([str(path)])[0][0] == found.sha256


def test_an_interrupted_hash_leaves_no_thread(tmp_path: Path) -> None:
    path = write(tmp_path / "f", bytes(60 << 20))
    before = threading.active_count()

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sha256_file(str(path), stop)
    assert threading.active_count() == before


def test_a_file_that_grows_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "f", bytes(20 << 20))

    def grow(count: int) -> None:
        with path.open("ab") as file:
            file.write(b"x")

    with pytest.raises(UsageProblem, match="being written to"):
        sha256_file(str(path), grow)


def test_a_file_that_changed_once_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "f", bytes(20 << 20))
    calls: list[int] = []

    def change(count: int) -> None:
        if not calls:
            path.write_bytes(b"short")
        calls.append(count)

    assert sha256_file(str(path), change).sha256 == hashlib.sha256(b"short").hexdigest()


def test_folder_against_sha256sum(folder: Path) -> None:
    found = identify_folder(folder)
    rows = {entry.name: entry for entry in read_manifest(found.manifest)}
    paths = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert rows.keys() == paths.keys()
    for name, path in paths.items():
        assert (rows[name].sha256, rows[name].size) == (sha256sum(path), path.stat().st_size)
    assert list(rows) == sorted(rows)
    assert found.digest == hashlib.sha256(found.manifest.encode()).hexdigest()
    assert (found.files, found.size) == (32, sum(p.stat().st_size for p in paths.values()))


def test_many_files_in_threads(tmp_path: Path) -> None:
    root = tmp_path / "many"
    for index in range(2500):  # over the limit up to which sizes are asked for
        write(root / str(index % 7) / str(index), str(index).encode())
    seen: list[tuple[int, int]] = []
    found = identify_folder(root, None, lambda done, total: seen.append((done, total)))
    for entry in read_manifest(found.manifest):
        number = entry.name.rpartition("/")[2]
        assert entry.sha256 == hashlib.sha256(number.encode()).hexdigest()
    assert seen[-1] == (2500, 2500)
    assert seen == sorted(seen)


def same(a: FolderIdentity, b: FolderIdentity) -> bool:
    return (a.digest, a.manifest, a.files, a.size) == (b.digest, b.manifest, b.files, b.size)


def test_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = identify_folder(folder, cache)
    again = identify_folder(folder, cache)
    assert (first.hashed, again.hashed) == (32, 0)
    assert same(first, again)


@pytest.mark.parametrize(
    "change", ["size", "mtime", "content", "add", "remove", "rename", "replace"]
)
def test_every_change_is_seen(folder: Path, tmp_path: Path, change: str) -> None:
    cache = tmp_path / "cache"
    before = identify_folder(folder, cache)
    path = folder / "c1" / "01.jpg"
    if change == "size":
        write(path, b"longer than before" * 20)
    elif change == "mtime":
        write(path, os.urandom(101), OLD_NS + 1)
    elif change == "content":  # same size and the time stamp put back: only ctime tells
        write(path, os.urandom(101))
    elif change == "add":
        write(folder / "c1" / "new.jpg", b"new")
    elif change == "remove":
        path.unlink()
    elif change == "rename":
        path.rename(folder / "c2" / "moved.jpg")
    elif change == "replace":
        other = write(tmp_path / "other", os.urandom(101))
        other.replace(path)
    after = identify_folder(folder, cache)
    assert after.hashed <= 1
    assert after.digest != before.digest
    assert same(after, identify_folder(folder, None))
    diff = compare_manifests(before.manifest, after.manifest)
    expected = {
        "add": (("c1/new.jpg",), (), ()),
        "remove": ((), ("c1/01.jpg",), ()),
        "rename": (("c2/moved.jpg",), ("c1/01.jpg",), ()),
    }.get(change, ((), (), ("c1/01.jpg",)))
    assert (diff.added, diff.removed, diff.changed) == expected


def test_a_file_written_just_now_is_not_trusted(tmp_path: Path) -> None:
    root, cache = tmp_path / "data", tmp_path / "cache"
    root.mkdir()
    (root / "fresh").write_bytes(b"a")
    identify_folder(root, cache)
    assert identify_folder(root, cache).hashed == 1


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "flip"])
def test_a_damaged_cache_is_ignored(folder: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    first = identify_folder(folder, cache)
    (file,) = cache.iterdir()
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(
        {"cut": bytes(data[:-40]), "text": b"hello\n", "empty": b"", "flip": bytes(data)}[damage]
    )
    again = identify_folder(folder, cache)
    assert again.hashed == 32
    assert same(first, again)
    assert identify_folder(folder, cache).hashed == 0


def test_an_unusable_cache_is_no_error(folder: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    assert same(identify_folder(folder, blocked), identify_folder(folder))


def test_huge_inodes_fit() -> None:
    packed = hashcache.pack([(1, -1, 2, 2**64 - 1)])
    assert len(packed) == 32
    assert packed != hashcache.pack([(1, -1, 2, 2**64 - 2)])


def test_links(tmp_path: Path) -> None:
    root, outside = tmp_path / "data", tmp_path / "outside"
    write(root / "sub" / "a", b"a")
    write(outside / "b", b"b")
    (root / "linked").symlink_to(outside)
    (root / "file").symlink_to(outside / "b")
    (root / "sub" / "up").symlink_to(root)
    (root / "sub" / "here").symlink_to(".")
    found = identify_folder(root)
    assert [entry.name for entry in read_manifest(found.manifest)] == ["file", "linked/b", "sub/a"]
    assert len(found.notices) == 2
    (outside / "back").symlink_to(outside)
    assert len(identify_folder(root).notices) == 3


def test_links_between_two_folders_end(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write(root / "a" / "x", b"x")
    write(root / "b" / "y", b"y")
    (root / "a" / "to_b").symlink_to(root / "b")
    (root / "b" / "to_a").symlink_to(root / "a")
    names = [entry.name for entry in read_manifest(identify_folder(root).manifest)]
    assert names == ["a/to_b/y", "a/x", "b/to_a/x", "b/y"]


def test_unreadable_things(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    with pytest.raises(UsageProblem, match="no file in"):
        identify_folder(root)
    (root / "broken").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageProblem, match=r"broken.*no such file"):
        identify_folder(root)
    (root / "broken").unlink()
    os.mkfifo(root / "pipe")
    write(root / "a", b"a")
    found = identify_folder(root)
    assert found.files == 1
    assert "pipe" in found.notices[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_no_permission(tmp_path: Path) -> None:
    write(tmp_path / "data" / "a", b"a").chmod(0)
    with pytest.raises(UsageProblem, match="permission denied"):
        identify_folder(tmp_path / "data")


def test_a_file_that_vanishes_is_one_clear_line(folder: Path) -> None:
    names = [str(folder / "c0" / "00.jpg"), str(folder / "gone")]
    with pytest.raises(UsageProblem, match="gone' cannot be read: no such file"):
        sha256_files(names)


def test_odd_names(tmp_path: Path) -> None:
    root = tmp_path / "data"
    names = ["tab\tname", "new\nline", "back\\slash", "é", "\u2028", "sp ace", "r\rx"]
    for name in names:
        write(root / name, name.encode())
    os.makedirs(os.fsencode(root) + b"/d\xff")
    with open(os.fsencode(root) + b"/d\xff/\xfe", "wb") as file:
        file.write(b"bytes")
    found = identify_folder(root)
    assert found.manifest.count("\n") == len(names) + 1
    entries = list(read_manifest(found.manifest))
    assert {entry.name for entry in entries} == {*names, os.fsdecode(b"d\xff/\xfe")}
    for entry in entries:
        assert entry.sha256 == sha256sum(root / entry.name)
    found.manifest.encode("utf-8")


@pytest.mark.parametrize("name", ["a", "a\\x41", "\\", "\\n", "\n", "é\udcff", "\\\udcff", "a\tb"])
def test_escape_is_reversible(name: str) -> None:
    assert unescape(escape(name)) == name
    assert len(escape(name).splitlines()) == 1
    assert "\t" not in escape(name)


def test_compare_manifests() -> None:
    def text(**parts: str) -> str:
        return manifest_text(
            Entry(hashlib.sha256(v.encode()).hexdigest(), 1, k) for k, v in parts.items()
        )

    diff = compare_manifests(text(a="1", b="2", c="3"), text(b="2", c="4", d="5"))
    assert (diff.added, diff.removed, diff.changed, diff.same) == (("d",), ("a",), ("c",), 1)
    assert not diff.equal
    assert compare_manifests(text(a="1"), text(a="1")).equal
    with pytest.raises(ValueError, match="line 1"):
        compare_manifests("nonsense\n", "")


def test_describe_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "train.tar.gz", os.urandom(5000))
    records = describe_data(path, name="digits", cache=tmp_path / "cache")
    digest = sha256sum(path)
    (data,) = (r for r in records if isinstance(r, Dataset))
    assert (data.digest, data.name, data.context) == (digest, "digits", "training")
    assert data.source == str(path)
    assert data.profile == {"files": 1, "bytes": 5000}
    assert Param("train_dataset_sha256", digest) in records
    assert Tag("dataset", "digits") in records
    manifest = Artifact("datasets/digits.manifest.tsv", content=f"{digest}\t5000\ttrain.tar.gz\n")
    assert manifest in records
    assert describe_data(str(path), name="digits", cache=tmp_path / "cache") == records


def test_describe_a_folder_and_a_list(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    records = describe_data(
        folder, name="a b/c", context="validation", source="s3://me:pw@x/y", cache=cache
    )
    (data,) = (r for r in records if isinstance(r, Dataset))
    assert data.source == "s3://x/y"
    assert data.profile["files"] == 32
    assert Param("val_dataset_sha256", identify_folder(folder).digest) in records
    assert [r.path for r in records if isinstance(r, Artifact)] == ["datasets/a b_c.manifest.tsv"]
    some = sorted((folder / "c1").iterdir())
    (listed,) = (r for r in describe_data(some, name="x", cache=cache) if isinstance(r, Dataset))
    assert listed.digest == identify_folder(folder / "c1").digest
    again = describe_data(
        folder, name="a b/c", context="validation", source="s3://x/y", cache=cache
    )
    assert again == records


@pytest.mark.parametrize(
    ("context", "key"),
    [
        ("training", "train"),
        ("Validation", "val"),
        ("test", "test"),
        ("evaluation", "test"),
        ("calibration", "calibration"),
        ("hold out/2", "hold out_2"),
    ],
)
def test_contexts(tmp_path: Path, context: str, key: str) -> None:
    path = write(tmp_path / "f", b"x")
    records = describe_data(path, name="n", context=context)
    assert [r.key for r in records if isinstance(r, Param)] == [f"{key}_dataset_sha256"]


def test_wrong_paths(tmp_path: Path) -> None:
    write(tmp_path / "train.zip", b"x")
    for given, said in [
        (tmp_path / "trian.zip", "Did you mean 'train.zip'"),
        (tmp_path / "no" / "x", "no file or folder"),
        ("s3://bucket/key", "not on this machine"),
        ([tmp_path / "gone"], "no file"),
    ]:
        with pytest.raises(UsageProblem, match=said):
            describe_data(given, name="x")
    with pytest.raises(UsageProblem, match="no name"):
        describe_data(tmp_path / "train.zip", name=" ")
