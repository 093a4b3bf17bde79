"""SHA-256 of arrays, tensors, images, tables and nested structures of them."""

from __future__ import annotations

import hashlib
import numbers
from collections.abc import Iterator, Mapping
from typing import Any

from cvtrack_magics.capture.data.image_pixels import hash_image
from cvtrack_magics.capture.data.manifest import Entry
from cvtrack_magics.capture.data.opened import opened
from cvtrack_magics.capture.data.shapes import (
    as_frame,
    is_array,
    is_flat,
    is_image,
    is_table,
    named_items,
)
from cvtrack_magics.errors import NotIdentified, UsageProblem
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.text import utf8

_STEP = 1 << 24
_NESTED = (list, tuple, dict)


def hash_array(value: Any) -> tuple[str, int]:
    r"""Hash one array.

    Parameters
    ----------
    value : array or tensor
        Any shape, dtype and memory layout, on any device.

    Returns
    -------
    digest : str
        SHA-256 over ``"<dtype>|<shape>\n"`` and the elements in C order: the same for
        a tensor and the NumPy array of its values, and for a transposed copy.
    size : int
        Bytes of the elements.

    Raises
    ------
    UsageProblem
        The elements are Python objects other than text.
    """
    if getattr(value, "is_nested", False):
        return hash_value(list(value.unbind()))
    mask = getattr(value, "mask", None)
    if hasattr(value, "filled") and mask is not None and mask.any():
        return _hash_masked(value)
    hasher = hashlib.sha256()
    try:
        size = _feed_array(hasher, value)
    except UsageProblem:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        said = f"its numbers cannot be read ({in_one_line(error, 120)})"
        raise NotIdentified(type(value).__name__, said, "Give an array of them.") from error
    return hasher.hexdigest(), size


def _feed_array(hasher: Any, value: Any) -> int:
    import numpy as np

    if type(value).__module__.partition(".")[0] == "torch" or hasattr(value, "detach"):
        return _feed_tensor(hasher, value)
    array = np.asarray(value)
    if array.dtype == object:
        return _feed_objects(hasher, array)
    if array.dtype.names:
        return _feed_fields(hasher, array)
    if array.dtype.kind == "T":  # text of any length, in NumPy from 2.0 on
        return _feed_objects(hasher, array.astype(object))
    if array.dtype.kind == "U":
        array = array.astype(f"U{array.dtype.itemsize // 4}")
    # NumPy's name for the byte order is fixed, so big-endian data is another data set.
    return _feed_plain(hasher, array, str(np.lib.format.dtype_to_descr(array.dtype)))


def _feed_fields(hasher: Any, array: Any) -> int:
    """Feed an array of records; the bytes between their fields are nobody's."""
    import numpy as np
    from numpy.lib.recfunctions import repack_fields

    if array.dtype.hasobject:
        hasher.update(utf8(f"{array.dtype.names}|{tuple(array.shape)}\n"))
        rows = [list(row) for row in array.reshape(-1).tolist()]
        return _feed_objects(hasher, np.array(rows, object))
    dtype = str(np.lib.format.dtype_to_descr(array.dtype))
    return _feed_plain(hasher, repack_fields(array, recurse=True), dtype)


def _hash_masked(value: Any) -> tuple[str, int]:
    """Hash an array of which parts are masked: what is under the mask is nobody's."""
    content, size = hash_array(value.filled(0 if value.dtype.kind in "biufc" else None))
    mask, _ = hash_array(value.mask)
    return hashlib.sha256(f"masked\t{content}\t{mask}\n".encode()).hexdigest(), size


def _feed_plain(hasher: Any, array: Any, dtype: str) -> int:
    import numpy as np

    hasher.update(f"{dtype}|{tuple(array.shape)}\n".encode())
    if array.size == 0:
        return 0
    array = _without_padding(array)
    if array.flags.c_contiguous:
        hasher.update(_bytes(array))
    elif array.ndim and array.shape[0]:
        # Copied a few rows at a time: a transposed view of 10 GB must not need 10 more.
        rows = max(1, _STEP // max(1, array.nbytes // array.shape[0]))
        for start in range(0, array.shape[0], rows):
            hasher.update(_bytes(np.ascontiguousarray(array[start : start + rows])))
    return int(array.nbytes)


def _without_padding(array: Any) -> Any:
    """Return long doubles of 80 bits with zeros in the bytes that none of them uses."""
    import numpy as np

    if array.dtype.char not in "gG" or np.finfo(np.longdouble).nmant != 63:
        return array
    made = np.array(array, order="C", ndmin=1)
    made.view("u1").reshape(-1, np.dtype(np.longdouble).itemsize)[:, 10:] = 0
    return made


def _bytes(array: Any) -> Any:
    # reshape, because a 0-d array cannot be viewed as another size of element.
    return memoryview(array.reshape(-1).view("u1"))


def _feed_tensor(hasher: Any, tensor: Any) -> int:
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if (
        str(getattr(tensor, "layout", "torch.strided")) != "torch.strided"
    ):  # sparse of any kind, or of a backend
        tensor = tensor.to_dense()
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    tensor = tensor.cpu()
    try:
        array = tensor.numpy()
    except TypeError:  # bfloat16 and the 8-bit floats are no NumPy types
        import torch

        array = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
        hasher.update(f"{tensor.dtype}|{tuple(tensor.shape)}\n".encode())
        hasher.update(memoryview(array))
        return int(array.nbytes)
    return _feed_array(hasher, array)


def _feed_objects(hasher: Any, array: Any) -> int:
    hasher.update(f"object|{tuple(array.shape)}\n".encode())
    size = 0
    for item in array.reshape(-1).tolist():
        data = None if isinstance(item, _NESTED) or is_array(item) else _scalar_bytes(item)
        data = _nested(item) if data is None else data
        hasher.update(len(data).to_bytes(8, "little") + data)
        size += len(data)
    return size


def _nested(item: object) -> bytes:
    """Return what stands for a list, dict or array in a cell of a table, such as boxes."""
    try:
        return b"v" + hash_value(item)[0].encode()
    except NotIdentified as error:
        raise UsageProblem(
            f"The array holds Python objects ({type(item).__name__}).",
            "Convert it to numbers or text first.",
        ) from error


def _scalar_bytes(item: object) -> bytes | None:
    if isinstance(item, str):
        return b"s" + utf8(item)
    if isinstance(item, (bytes, bytearray)):
        return b"b" + bytes(item)
    if item is None or isinstance(item, (bool, numbers.Number)):
        return f"n{type(item).__name__}:{item!r}".encode()
    if hasattr(item, "isoformat"):
        return f"d{item.isoformat()}".encode()
    if type(item).__module__.startswith("pandas"):  # NA and NaT
        return f"p{item}".encode()
    return None


def hash_table(table: Any) -> tuple[str, int]:
    """Hash a pandas DataFrame or Series: names, dtypes, index and every value."""
    frame = as_frame(table)
    if frame is None:
        raise _untold(table)
    hasher = hashlib.sha256()
    several = getattr(frame.index, "nlevels", 1) > 1
    size = sum(
        _feed_column(hasher, f"index {level}", frame.index.get_level_values(level))
        for level in range(frame.index.nlevels if several else 0)
    )
    size += 0 if several else _feed_column(hasher, "index", frame.index)
    for position, name in enumerate(frame.columns):
        size += _feed_column(hasher, repr(name), frame.iloc[:, position])
    return hasher.hexdigest(), size


def _feed_column(hasher: Any, name: str, column: Any) -> int:
    import numpy as np

    hasher.update(utf8(f"{name}:{column.dtype}\n"))
    hasher.update(_other_categories(column).encode("utf-8", "backslashreplace"))
    values = column.to_numpy()
    if values.dtype == object or values.dtype.kind in "US":
        return _feed_objects(hasher, np.asarray(values, dtype=object))
    return _feed_array(hasher, values)


def _other_categories(column: Any) -> str:
    """Return a column's categories where they are not those of its values, sorted."""
    known = getattr(column.dtype, "categories", None)
    if known is None:
        return ""
    usual = column.dropna().astype(known.dtype).astype("category").dtype.categories
    return "" if list(usual) == list(known) else f"{list(map(str, known))}\n"


def hash_value(value: object) -> tuple[str, int]:  # noqa: PLR0911
    """Hash one value: a leaf, or a nested structure of leaves.

    Raises
    ------
    UsageProblem
        There is something in it whose content cannot be told.
    """
    if is_table(value):
        return hash_table(value)
    if is_array(value):
        return _hash_boxes(value) if hasattr(value, "canvas_size") else hash_array(value)
    if is_image(value):
        return hash_image(value)
    if isinstance(value, (set, frozenset)):
        return hash_value(sorted(hash_value(item)[0] for item in value))
    inside = opened(value)
    if inside is not value:
        return hash_value(inside)
    if isinstance(value, (list, tuple, Mapping)):
        hasher = hashlib.sha256()
        size = 0
        for name, item in named_items(value):
            digest, count = hash_value(item)
            hasher.update(utf8(f"{name}\t{digest}\n"))
            size += count
        return hasher.hexdigest(), size
    data = _scalar_bytes(value)
    if data is None:
        raise _untold(value)
    return hashlib.sha256(data).hexdigest(), len(data)


def _untold(value: object) -> NotIdentified:
    return NotIdentified(
        type(value).__name__,
        "the content of such an object cannot be told",
        "Give arrays, tensors, images, tables, numbers or text, or lists and dicts of them.",
    )


def _hash_boxes(value: Any) -> tuple[str, int]:
    """Hash torchvision's ``BoundingBoxes``: the same numbers are other boxes in another format."""
    digest, size = hash_array(value)
    form = str(getattr(getattr(value, "format", None), "name", "XYXY"))
    if form != "XYXY":
        digest = hashlib.sha256(f"{form}\t{digest}\n".encode()).hexdigest()
    return digest, size


def entries(value: object, name: str = "") -> Iterator[Entry]:
    """Yield an entry for each array, image or table in a nested structure.

    A list of numbers or of texts is one entry, as an array of them would be.
    """
    if isinstance(value, Mapping) or (isinstance(value, (list, tuple)) and not is_flat(value)):
        for key, item in named_items(value):
            yield from entries(item, f"{name}/{key}" if name else key)
        return
    if isinstance(value, (list, tuple)):
        import numpy as np

        value = np.asarray(value)
    digest, size = hash_value(value)
    yield Entry(digest, size, name or "data")
