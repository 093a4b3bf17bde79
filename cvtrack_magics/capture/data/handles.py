"""Archives, files and databases that are open: their members, by content."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.scheme import Sample, label_text
from cvtrack_magics.errors import NotIdentified, UsageProblem

Members = Iterator[tuple[str, Any]]
_INDEX_RECORD = 48  # bytes of what LMDB keeps under the name of a database inside
_TABLES = ("parquet", "arrow")
_MOST_LINKS = 8  # one behind the other, in a file of HDF5
_KINDS = {
    "zipfile.ZipFile": "zip",
    "tarfile.TarFile": "tar",
    "numpy.lib._npyio_impl.NpzFile": "npz",
    "numpy.lib.npyio.NpzFile": "npz",
    "h5py._hl.group.Group": "h5",
    "builtins.Environment": "lmdb",
    "lmdb.cffi.Environment": "lmdb",
    "pyarrow.parquet.core.ParquetFile": "parquet",
    "pyarrow.lib.Table": "arrow",
    "pyarrow.lib.RecordBatch": "arrow",
    "pyarrow._dataset.Dataset": "arrow",
}


def kind_of_handle(value: object) -> str:
    """Return what kind of open archive, file or table a value is; ``""`` of all others."""
    for base in type(value).__mro__:
        found = _KINDS.get(f"{base.__module__}.{base.__name__}", "")
        if found and (found != "lmdb" or hasattr(value, "readers")):
            return found
    return ""


def file_behind(value: Any) -> str:
    """Return the file that an open handle reads from; ``""`` where there is none or no handle."""
    name: Any = ""
    kind = kind_of_handle(value)
    if isinstance(value, io.IOBase):
        name = getattr(value, "name", "") if _reads(value) else ""
    elif kind == "lmdb":
        path = os.fsdecode(value.path())
        name = os.path.join(path, "data.mdb") if os.path.isdir(path) else path
    elif kind == "h5":
        name = value.file.filename
    elif kind == "zip":
        name = value.filename
    elif kind == "npz":
        name = value.zip.filename
    elif kind == "tar" or type(value).__module__.startswith("av.container"):
        name = value.name
    if not isinstance(name, (str, bytes)) or not name:
        return ""
    path = os.path.abspath(os.fsdecode(name))
    return path if os.path.isfile(path) else ""


def _reads(value: io.IOBase) -> bool:
    try:
        return value.readable() and not value.writable()
    except ValueError:  # it is closed
        return False


def members_of_handle(value: Any) -> tuple[list[Sample], dict[str, object]]:
    """Return the members of an open archive, file or table, and what holds for all of them.

    Returns
    -------
    samples : list of Sample
        In the order of the archive, repeats included; of a table a row each.
    header : dict
        Columns and types of a table.

    Raises
    ------
    NotIdentified
        It cannot be read, or not twice.
    """
    kind = kind_of_handle(value)
    try:
        if kind in _TABLES:
            return _rows(value)
        return [_sample(name, item) for name, item in _OPENED[kind](value)], {}
    except UsageProblem:
        raise
    except Exception as error:
        said = f"it cannot be read ({type(error).__name__}: {error})"
        raise NotIdentified(type(value).__name__, said, "Give the file itself.") from error


def _sample(name: str, item: Any) -> Sample:
    sha256, size = hash_value(item)
    return Sample(sha256, label_text(name), size, name)


def _zip(value: zipfile.ZipFile) -> Members:
    if value.mode not in ("r", "a"):
        raise NotIdentified("ZipFile", "it is being written", "Close it and open it to read.")
    for info in value.infolist():
        if not info.is_dir():
            yield info.filename, value.read(info)


def _tar(value: tarfile.TarFile) -> Members:
    path = file_behind(value)
    if path:
        with tarfile.open(path) as again:  # the user's own place in it stays
            yield from _tar_members(again)
    elif getattr(value.fileobj, "seekable", lambda: False)():
        yield from _tar_members(value)
    else:
        raise NotIdentified("TarFile", "it can be read once", "Give the file itself.")


def _tar_members(value: tarfile.TarFile) -> Members:
    for member in value.getmembers():
        content = value.extractfile(member) if member.isreg() else None
        if content is not None:
            yield member.name, content.read()
        elif not member.isdir():
            yield member.name, f"link {member.linkname}"


def _npz(value: Any) -> Members:
    for name in value.files:
        yield name, value[name]


def _h5(value: Any, above: tuple[Any, ...] = ()) -> Members:
    names: list[str] = [""]
    value.visit(names.append)
    for name in names:
        item = value[name] if name else value
        about = {key: item.attrs[key] for key in sorted(item.attrs)}
        if hasattr(item, "shape"):
            yield name, item[()]
        if about:
            yield f"{name}@", about
        if hasattr(item, "keys"):
            for at, found in _linked(item, (*above, value)):
                yield f"{name}/{at}".lstrip("/"), found


def _linked(group: Any, above: tuple[Any, ...]) -> Members:
    """Yield what the names of a group lead to that are links, into another file too."""
    for name in group:
        link = group.get(name, getlink=True)
        if not hasattr(link, "path"):  # an object of its own, which was there already
            continue
        try:
            item = group[name]
        except (KeyError, OSError):
            item = None
        if item is None or item in above or len(above) > _MOST_LINKS:
            yield f"{name}@", f"link {getattr(link, 'filename', '')}:{link.path}"
            continue
        members = _h5(item, above) if hasattr(item, "keys") else [("", item[()])]
        for at, found in members:
            yield f"{name}/{at}".rstrip("/"), found


def _lmdb(value: Any) -> Members:
    with value.begin() as transaction:
        for key, content in transaction.cursor():
            if len(content) == _INDEX_RECORD and _is_inside(value, key, transaction):
                inner = value.open_db(key, txn=transaction, create=False)
                for below, each in transaction.cursor(db=inner):
                    yield f"{key.hex()}/{below.hex()}", bytes(each)
            else:
                yield bytes(key).decode("utf-8", "backslashreplace"), bytes(content)


def _is_inside(value: Any, key: bytes, transaction: Any) -> bool:
    try:
        value.open_db(key, txn=transaction, create=False)
    except Exception:  # a plain value, as nearly all are
        return False
    return True


_OPENED: dict[str, Callable[[Any], Members]] = {
    "zip": _zip,
    "tar": _tar,
    "npz": _npz,
    "h5": _h5,
    "lmdb": _lmdb,
}


def _rows(value: Any) -> tuple[list[Sample], dict[str, object]]:
    """Return an Arrow table's rows, each hashed as the dict of its values."""
    schema = value.schema_arrow if hasattr(value, "schema_arrow") else value.schema
    if hasattr(value, "iter_batches"):
        batches = value.iter_batches()
    elif hasattr(value, "to_batches"):
        batches = value.to_batches()
    else:
        batches = [value]
    samples: list[Sample] = []
    for batch in batches:
        for row in batch.to_pylist():
            sha256, size = hash_value(row)
            samples.append(Sample(sha256, "", size, str(len(samples))))
    columns = [[str(item.name), str(item.type)] for item in schema]
    return samples, {"columns": columns}
