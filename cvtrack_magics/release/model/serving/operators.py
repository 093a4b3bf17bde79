"""The operators a stored graph may call.

They compute on tensors; none takes the name of a file, an object or a stream.
"""

from __future__ import annotations

import re
from typing import Any

_ATEN = re.compile(r"torch\.ops\.(aten|prims)\.(\w+)(?:\.(\w+))?")
_OTHERS = re.compile(
    r"torch\.ops\.torchvision\.(nms|roi_align|roi_pool|ps_roi_align|ps_roi_pool|deform_conv2d)"
    r"(\.\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_set_grad_enabled|wrap_with_autocast|cond)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|getitem|and_|or_"
    r"|not_|lshift|rshift)"
    r"|torch\.(sym_(max|min|int|float|not|ite|sum)|_sym_sqrt)"
    r"|math\.(trunc|ceil|floor|sqrt|pow)"
)
# what is made of these words in a schema is a value; text is allowed where it chooses a variant
_VALUE = re.compile(
    r"(Tensor|int|float|bool|number|complex|Device|Generator|NoneType|SymInt|List|Optional"
    r"|Tuple|ScalarType|Layout|MemoryFormat|[\[\], ()])+"
)
_CHOICES = frozenset(
    (
        "reduce", "activation", "padding_side", "norm", "approximate", "mode", "ord",
        "rounding_mode", "driver", "p", "pad_mode", "interpolation", "side", "padding", "UPLO",
        "equation", "indexing", "assert_msg", "device_type", "api_name",
    )
)  # fmt: skip


def is_operator(target: Any) -> bool:
    """Whether a graph may call what it names."""
    if not isinstance(target, str):
        return False
    found = _ATEN.fullmatch(target)
    if found is None:
        return bool(_OTHERS.fullmatch(target))
    name, overload = found[2], found[3]
    schemas = _schemas(f"{found[1]}::{name}", overload)
    return bool(schemas) and all(_is_plain(schema) for schema in schemas)


def _schemas(name: str, overload: str | None) -> list[Any]:
    """Return the signatures that a name has; without an overload, all of them."""
    import torch
    import torch._prims

    wanted = None if overload is None else "" if overload == "default" else overload
    found = torch._C._jit_get_schemas_for_operator(name)
    return [one for one in found if wanted is None or one.overload_name == wanted]


def _is_plain(schema: Any) -> bool:
    for argument in (*schema.arguments, *schema.returns):
        kind = str(argument.type)
        if kind in ("str", "Optional[str]"):
            if argument.name not in _CHOICES:
                return False
        elif not _VALUE.fullmatch(kind):
            return False
    return True
