"""Whether a stored graph holds nothing but a graph.

Reading a ``.pt2`` file may unpickle objects, evaluate text as expressions, run guards as
Python and look up any name below ``torch``. A file passes here only where none of these has
anything to work on: every field is of a known kind, and operators come from an allow-list.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from .archive import entries
from .operators import is_operator
from .rejected import Rejected

_RECORDS = re.compile(
    r"models/model\.json|data/(weights/weight_\d+|constants/tensor_\d+)"
    r"|data/weights/model_weights_config\.json|data/constants/model_constants_config\.json"
    r"|data/sample_inputs/model\.pt|archive_format|archive_version|byteorder"
    r"|\.data/(version|serialization_id)|\.format_version|\.storage_alignment"
)
_PLAIN = re.compile(r"[\w.\-:/ ,+]*")
_PAYLOAD = re.compile(r"(weight|tensor)_\d+")
_SYMBOL = re.compile(r"[suzf]f?\d{1,9}|true|false|oo")
_WORD = re.compile(r"[suzf]f?\d{1,9}|[\d.e+\-]{1,40}")
# fmt: off
_FUNCTIONS = frozenset(
    (
        "Symbol", "Integer", "Float", "Rational", "Max", "Min", "Mod", "Abs", "Add",
        "Mul", "Pow", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "Equality",
        "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan",
        "Piecewise", "FloorDiv", "ModularIndexing", "Where", "PythonMod", "CleanDiv",
        "CeilToInt", "FloorToInt", "CeilDiv", "LShift", "RShift", "PowByNatural",
        "FloatPow", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt",
        "RoundToInt", "RoundDecimal", "ToFloat", "Identity",
        "IsNonOverlappingAndDenseIndicator",
    )
)
# fmt: on
_LONGEST = 200_000_000  # bytes of a graph's description
_TREES = frozenset(
    (None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict")
)
_FREE = frozenset(("as_string", "as_strings"))
_ABOUT = frozenset(("stack_trace", "nn_module_stack", "torch_fn"))


def check_pt2(content: bytes) -> None:
    """Raise ``Rejected`` for a file that holds more than a graph and numbers."""
    import torch

    found = entries(content)
    root = next(iter(found)).partition("/")[0]
    if any(not name.startswith(f"{root}/") for name in found):
        raise Rejected("the file is not laid out as torch.export lays it out.")
    texts = {name[len(root) + 1 :]: view for name, view in found.items()}
    try:
        records = torch._C.PyTorchFileReader(io.BytesIO(content)).get_all_records()
    except (RuntimeError, ValueError) as error:
        raise Rejected("the file is not a graph that torch.export saved.") from error
    # PyTorch has a second reader, for older files, which looks at the same zip on its own
    if sorted(records) != sorted(texts) or "version" in texts:
        raise Rejected("the file is not laid out as torch.export lays it out.")
    for record, view in texts.items():
        if not _RECORDS.fullmatch(record):
            raise Rejected(f"the file holds {record[:80]!r}, which is no part of a graph.")
        if record.endswith(".json") and len(view) > _LONGEST:
            raise Rejected(f"the graph's description is over {_LONGEST // 1_000_000} MB.")
    if "models/model.json" not in texts or "archive_version" not in texts:
        raise Rejected("the file has no graph.")
    if texts.get("data/sample_inputs/model.pt"):
        raise Rejected("the file holds pickled sample inputs.")
    try:
        for kind in ("weights", "constants"):
            _check_config(json.loads(bytes(texts[f"data/{kind}/model_{kind}_config.json"])))
        _check(json.loads(bytes(texts["models/model.json"])), "")
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, Rejected):
            raise
        raise Rejected("the graph's description cannot be read.") from error


def _check_config(config: dict[str, Any]) -> None:
    for name, payload in config["config"].items():
        if payload["use_pickle"] is not False or not _PAYLOAD.fullmatch(payload["path_name"]):
            raise Rejected(f"weight {str(name)[:80]!r} is pickled.")


def _check(value: Any, key: str) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if not _PLAIN.fullmatch(name):
                raise Rejected(f"the graph has a field {name[:80]!r}.")
            _check_field(name, inner)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, key)
    elif isinstance(value, str) and not _PLAIN.fullmatch(value):
        raise Rejected(f"the graph's field {key!r} holds {value[:80]!r}.")


def _check_field(name: str, value: Any) -> None:
    if name in _FREE:
        return
    if name == "metadata":
        if not set(value) <= _ABOUT or not all(isinstance(v, str) for v in value.values()):
            raise Rejected("the graph carries unknown metadata.")
    elif name == "expr_str":
        check_expression(value)
    elif name in ("in_spec", "out_spec"):
        _check_spec(value)
    elif name in ("target", "as_operator"):
        if not is_operator(value):
            raise Rejected(f"the graph calls {str(value)[:80]!r}, which is not an operator.")
    elif name == "guards_code" and value:
        raise Rejected("the graph carries guards, which are code.")
    elif name in ("as_custom_obj", "custom_obj", "as_opaque_obj"):
        raise Rejected("the graph holds an object that is not a tensor.")
    elif name in ("name", "as_name", "forward_arg_names"):
        for one in value if isinstance(value, list) else [value]:
            _check_identifier(one)
            _check(one, name)
    else:
        _check(value, name)


def _check_identifier(name: Any) -> None:
    """Names of the graph's values become names in code that PyTorch writes and runs."""
    if name is None or name == "" or isinstance(name, dict):
        return
    if not (isinstance(name, str) and re.fullmatch(r"\w+", name)):
        raise Rejected(f"the graph names a value {str(name)[:80]!r}.")


def _check_spec(text: str) -> None:
    """Check how inputs or outputs are nested: no types but the built-in containers."""
    if not text:
        return
    _protocol, tree = json.loads(text)
    for node in _nodes(tree):
        if node["type"] not in _TREES or "__enum__" in str(node["context"]):
            raise Rejected(f"the graph nests its values in {str(node['type'])[:80]!r}.")
        keys = json.loads(node["context"]) if node["context"] else None
        for key in keys if isinstance(keys, list) else []:
            if not (isinstance(key, (int, float)) or re.fullmatch(r"[\w.\-/ ]+", str(key))):
                raise Rejected(f"the graph has an output {str(key)[:80]!r}.")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree["children_spec"]:
        yield from _nodes(child)


def check_expression(text: Any) -> None:
    """Raise ``Rejected`` for text that is more than arithmetic; SymPy would evaluate it."""
    if isinstance(text, str) and len(text) <= 10_000:
        try:
            tree = ast.parse(text, mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            tree = None
        if tree is not None and all(_is_arithmetic(node) for node in ast.walk(tree)):
            return
    raise Rejected(f"the graph has an expression {str(text)[:80]!r}.")


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return bool(_SYMBOL.fullmatch(node.id)) or node.id in _FUNCTIONS
    if isinstance(node, ast.Constant):
        kinds = (bool, int, float)
        return isinstance(node.value, kinds) or bool(_WORD.fullmatch(str(node.value)))
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
    kinds_of_node = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.keyword)
    signs = (ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.expr_context)
    return isinstance(node, (*kinds_of_node, *signs))
