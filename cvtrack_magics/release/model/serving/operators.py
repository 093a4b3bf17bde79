"""The operators a stored graph may call.

They compute on tensors; none takes the name of a file, an object or a stream, and none believes
what its tensors say of each other: PyTorch's internal operators (``_sparse_coo_tensor_unsafe``,
gradients, samplers) leave indices and sizes to their callers, and a file that calls them itself
reads and writes memory that is not its own. Those of the kind that networks need are run by
:mod:`.guarded`.
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
# names that begin with _ are PyTorch's own; these either check their arguments or are guarded
_INTERNAL = re.compile(
    r"__\w+__|_to_copy|_unsafe_(view|index|index_put|masked_index)|_conj(_physical)?|_neg_view"
    r"|_assert_(async|scalar|tensor_metadata)|_local_scalar_dense|_functional_assert_(async|scalar)"
    r"|_functional_sym_constrain_range(_for_size)?"
    r"|_shape_as_tensor|_cast_\w+|_unique2?|_stack|_pad_(enum|circular)"
    r"|_(log_)?softmax|_safe_softmax|_adaptive_avg_pool[23]d|_prelu_kernel|_convolution(_mode)?"
    r"|_native_batch_norm_legit(_no_training|_functional)?|_upsample_\w+(_aa|exact\dd)"
    r"|_scaled_dot_product_(attention_math|flash_attention_for_cpu)|_native_multi_head_attention"
    r"|_transformer_encoder_layer_fwd|_fft_(r2c|c2r|c2c)|_linalg_(det|eigh|slogdet|solve_ex|svd)"
    r"|_weight_norm|_int_mm|_addmm_activation|_fused_rms_norm|_embedding_bag(_forward_only)?"
    r"|_euclidean_dist|_cdist_forward|_pdist_forward|_trilinear"
)
_UNCHECKED = re.compile(
    r"\w+_backward\w*|\w*(sparse|nested|quantized)\w*|\w*_(csr|csc|bsr|bsc|coo)\w*|ctc_loss"
    r"|segment_reduce|batch_norm_(update_stats|stats|elemt|gather_\w+)|unsafe_\w+_tensor"
    r"|(mkldnn|miopen|cudnn|fbgemm|mps)_\w+|set_|resize\w*"
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
    if not _checks_its_arguments(name):
        return False
    schemas = _schemas(f"{found[1]}::{name}", overload)
    return bool(schemas) and all(_is_plain(schema) for schema in schemas)


def _checks_its_arguments(name: str) -> bool:
    if name.startswith("_"):
        return bool(_INTERNAL.fullmatch(name))
    return not _UNCHECKED.fullmatch(name)


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
