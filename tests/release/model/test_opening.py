"""Opening runs nothing that came with a model."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
import yaml

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.release.model.opening import Loaded, into, open_model
from cvtrack_magics.release.model.serving import network as networks
from cvtrack_magics.release.model.serving.checking import check_expression, check_pt2
from cvtrack_magics.release.model.serving.operators import is_operator
from cvtrack_magics.release.model.serving.rejected import Rejected
from tests.release.model.nets import Classifier, photos, small_photos, stored

PRE = "resize:32|float|normalize:imagenet"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of raw images."""
    folder = tmp_path_factory.mktemp("model")
    return stored(Classifier(), small_photos(), folder, pre=PRE, post="softmax")[1]


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy"


def graph_of(folder: Path) -> Path:
    return folder / "data" / "model" / "model.pt2"


def test_predict_network_and_description(saved: Path) -> None:
    loaded = open_model(saved)
    assert loaded.kind == "cvtrack"
    probabilities = loaded.predict(photos())
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6)
    logits = loaded.network(torch.rand(5, 3, 32, 32))
    assert logits.shape == (5, 3)
    said = loaded.describe()
    assert "0.485" in said
    assert '"type": "any"' in said
    with pytest.raises(UsageProblem, match="not a readable image"):
        loaded.predict(b"no image")


def test_weights_into_a_network_of_ones_own(saved: Path) -> None:
    own = Classifier()
    for parameter in own.parameters():
        torch.nn.init.zeros_(parameter)
    loaded = open_model(saved)
    into(own, loaded)
    wanted = Classifier().state_dict()
    assert own.state_dict().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in own.state_dict().items())
    before = {name: value.clone() for name, value in Classifier(5).state_dict().items()}
    other = Classifier(5)
    with pytest.raises(UsageProblem, match=r"head.* is stored as \(3"):
        into(other, loaded)
    assert all(torch.equal(v, before[name]) for name, v in other.state_dict().items())
    with pytest.raises(UsageProblem, match="lacks"):
        into(torch.nn.Linear(2, 2), loaded)


def test_no_file_is_a_pickle(saved: Path) -> None:
    files = [path for path in saved.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        assert path.suffix not in (".pkl", ".pickle", ".joblib")
        assert content[:1] != b"\x80", path
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for entry in archive.namelist():
                    assert not entry.endswith(".pkl")
                    if not entry.rpartition("/")[2].startswith("weight_"):
                        assert archive.read(entry)[:1] != b"\x80", entry


def test_opening_unpickles_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*given: Any, **named: Any) -> Any:
        raise AssertionError("something is unpickled")

    class Forbidden(pickle.Unpickler):
        find_class = no

    monkeypatch.setattr(pickle, "loads", no)
    monkeypatch.setattr(pickle, "load", no)
    monkeypatch.setattr(pickle, "Unpickler", Forbidden)
    monkeypatch.setattr(torch, "load", no)
    assert open_model(saved).predict(small_photos()).shape == (2, 3)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def pickled_pyfunc(folder: Path, payload: Payload) -> None:
    import mlflow

    class Evil(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def __init__(self) -> None:
            self.payload = payload

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return [1]

    mlflow.pyfunc.save_model(str(folder), python_model=Evil(), pip_requirements=["numpy"])


def pickled_sklearn(folder: Path, payload: Payload) -> None:
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(payload))
    flavours = {
        "sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle"},
        "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl"},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavours}))


def pickled_torch(folder: Path, payload: Payload) -> None:
    (folder / "data").mkdir(parents=True)
    torch.save(payload, folder / "data" / "model.pth")
    flavours = {
        "pytorch": {"model_data": "data"},
        "python_function": {"loader_module": "mlflow.pytorch", "data": "data"},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavours}))


@pytest.mark.parametrize("make", [pickled_pyfunc, pickled_sklearn, pickled_torch])
def test_a_pickled_model_is_refused(make: Callable[..., None], tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    make(tmp_path / "evil", Payload(proof))
    proof.unlink(missing_ok=True)
    with pytest.raises(UsageProblem, match=r"runs code that came with it.*--trust"):
        open_model(tmp_path / "evil")
    assert not proof.exists()


def test_trust_opens_it_anyway(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    pickled_pyfunc(tmp_path / "model", Payload(proof))
    proof.unlink(missing_ok=True)
    loaded = open_model(tmp_path / "model", trust=True)
    assert proof.exists()
    assert loaded.kind == "trusted"
    assert loaded.predict([[1.0]]) == [1]


def after(logits: torch.Tensor) -> Any:
    return logits.softmax(1)


def test_functions_that_came_with_a_model_take_trust(tmp_path: Path) -> None:
    _, folder = stored(Classifier(), small_photos(), tmp_path, pre=PRE, post=after)
    stored_text = folder / "data" / "model" / "function_after.py"
    proof = tmp_path / "ran"
    text = stored_text.read_text().replace("def after", f"open({str(proof)!r}, 'w')\n\ndef after")
    stored_text.write_text(text)
    loaded = open_model(folder)
    assert loaded.network(torch.rand(1, 3, 32, 32)).shape == (1, 3)
    assert "def after" in loaded.describe()
    with pytest.raises(UsageProblem, match=r"runs code that came with it \(after\).*"):
        loaded.predict(photos())
    assert not proof.exists()
    assert open_model(folder, trust=True).predict(photos()).shape == (2, 3)
    assert proof.exists()


def test_the_copy_of_the_code_is_not_run(copy: Path, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    for path in (copy / "code").rglob("*.py"):
        path.write_text(f"open({str(proof)!r}, 'w').close()")
    assert open_model(copy).predict(photos()).shape == (2, 3)
    assert not proof.exists()


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return a graph's file with some of its records changed."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(records)).partition("/")[0]
    plain = {name.partition("/")[2]: content for name, content in records.items()}
    change(plain)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in plain.items():
            archive.writestr(f"{root}/{name}", content)
    return buffer.getvalue()


def edit(change: Callable[[Any], None], record: str = "models/model.json") -> Any:
    def changed(records: dict[str, bytes]) -> None:
        about = json.loads(records[record])
        change(about)
        records[record] = json.dumps(about).encode()

    return changed


def graph(about: Any) -> Any:
    return about["graph_module"]["graph"]


EVIL = pickle.dumps(Payload(Path("ran")))
CODE = "__import__('pathlib').Path('ran').touch()"
CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "sample inputs": (
        lambda r: r.update({"data/sample_inputs/model.pt": EVIL}),
        "pickled sample inputs",
    ),
    "an opaque object": (
        lambda r: r.update({"data/constants/opaque_obj_0": EVIL}),
        "no part of a graph",
    ),
    "old weights": (lambda r: r.update({"data/weights/model.pt": EVIL}), "no part of a graph"),
    "compiled code": (
        lambda r: r.update({"data/aotinductor/model/x.so": b"x"}),
        "no part of a graph",
    ),
    "a pickled weight": (
        edit(
            lambda a: next(iter(a["config"].values())).update(use_pickle=True),
            "data/weights/model_weights_config.json",
        ),
        "is pickled",
    ),
    "guards": (edit(lambda a: a.update(guards_code=[CODE])), "guards"),
    "an expression": (
        edit(lambda a: graph(a)["nodes"][0]["inputs"][0].update(arg={"expr_str": CODE})),
        "expression",
    ),
    "another function": (
        edit(lambda a: graph(a)["nodes"][0].update(target="torch.load")),
        "not an operator",
    ),
    "an operator on files": (
        edit(lambda a: graph(a)["nodes"][0].update(target="torch.ops.aten.from_file.default")),
        "not an operator",
    ),
    "a name that is code": (
        edit(lambda a: graph(a)["inputs"][0]["as_tensor"].update(name=f"x={CODE}")),
        "names a value",
    ),
    "a field that is code": (edit(lambda a: a.update(anything=CODE)), "anything"),
    "a foreign container": (
        edit(
            lambda a: a["graph_module"]["module_call_graph"][0]["signature"].update(
                in_spec='[1, {"type": "collections.defaultdict", "context": null,'
                ' "children_spec": []}]'
            )
        ),
        "nests its values",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_graph_with_more_than_a_graph_is_refused(case: str, copy: Path, tmp_path: Path) -> None:
    change, said = CHANGES[case]
    path = graph_of(copy)
    check_pt2(rewritten(path, lambda records: None))  # the rewriting itself is accepted
    path.write_bytes(rewritten(path, change))
    with pytest.raises(CvtrackError, match=said):
        open_model(copy)
    assert not Path("ran").exists()


def test_the_older_format_beside_a_good_graph_is_refused(copy: Path) -> None:
    """PyTorch falls back to a reader that unpickles where the first one fails."""
    path = graph_of(copy)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("version", "8.1")
        archive.writestr("serialized_state_dict.pt", EVIL)
    with pytest.raises(CvtrackError, match=r"model\.pt2"):
        open_model(copy)


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        "os.system",
        "(lambda: 1)()",
        "[x for x in y]",
        "eval('1')",
        "s0.__class__",
        "'a'*9",
        "x",
    ],
)
def test_an_expression_that_is_no_arithmetic(text: str) -> None:
    with pytest.raises(Rejected):
        check_expression(text)
    check_expression("Max(1, 2*s0 + FloorDiv(s77, 4)) <= 10")
    check_expression("Symbol('s77', positive=True, integer=True)")


class Writes(torch.nn.Module):
    """Writes a file whenever it runs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("ran", True, 4)


def script(module: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def obscured(data: bytes, between: bytes) -> bytes:
    """Return TorchScript with something between a function's name and its bracket."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            archive.writestr(name, content.replace(b"from_file(", b"from_file" + between + b"("))
    return buffer.getvalue()


TORCHSCRIPT: dict[str, Callable[[], bytes]] = {
    "harmless": lambda: script(Classifier().eval()),
    "writes": lambda: script(Writes()),
    "a line continuation": lambda: obscured(script(Writes()), b"\\\n"),
    "a comment": lambda: obscured(script(Writes()), b" # x\n"),
    "spaces": lambda: obscured(script(Writes()), b"   "),
    "another suffix": lambda: script(Writes()).replace(b".py", b".pz"),
    "no archive": lambda: b"PK nothing",
    "empty": lambda: b"",
    "a pickle": lambda: EVIL,
    "an archive of torch.save": lambda: SAVED,
}


def saved_by_torch() -> bytes:
    buffer = io.BytesIO()
    torch.save(Payload(Path("ran")), buffer)
    return buffer.getvalue()


SAVED = saved_by_torch()


@pytest.mark.parametrize("case", TORCHSCRIPT)
@pytest.mark.parametrize("claims", ["torchscript", "pt2", "", "pt3"])
def test_torchscript_is_never_read_without_trust(
    case: str, claims: str, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = TORCHSCRIPT[case]()
    Path("ran").unlink(missing_ok=True)
    about = json.loads((copy / "data" / "model" / "serving.json").read_text())
    graph_of(copy).write_bytes(content)
    damaged(copy, network={**about["network"], "kind": claims})
    with pytest.raises((CvtrackError, UsageProblem)) as caught:
        open_model(copy)
    assert "\n" not in str(caught.value)
    if claims == "torchscript":
        assert "--trust" in str(caught.value)
    assert not Path("ran").exists()


def test_torchscript_opens_with_trust(copy: Path) -> None:
    about = json.loads((copy / "data" / "model" / "serving.json").read_text())
    graph_of(copy).write_bytes(script(Classifier().eval()))
    damaged(copy, network={**about["network"], "kind": "torchscript"})
    with pytest.raises(UsageProblem, match="TorchScript, which runs code"):
        open_model(copy)
    assert open_model(copy, trust=True).predict(photos()).shape == (2, 3)


def aten(name: str) -> str:
    return f"torch.ops.aten.{name}"


@pytest.mark.parametrize(
    "target",
    [
        *map(aten, ("from_file.default", "from_file.out", "save.default", "from_file", "save")),
        *map(aten, ("record_stream.default", "_print.default", "warn.default", "format.default")),
        *map(aten, ("set_.source_Storage", "get_gradients.default", "__class__", "add.__init__")),
        *map(aten, ("no_such_operator.default", "hash.generic", "dict.default")),
        "torch.ops.prims.no_such.default",
        "torch.ops.quantized.add.default",
        "torch.ops.aten.add.Tensor.__self__",
        "torch.ops.aten",
        "torch.load",
        "os.system",
        "_operator.attrgetter",
        "builtins.eval",
        "",
        None,
        ["torch.ops.aten.add.Tensor"],
    ],
)
def test_what_is_no_operator_of_a_graph(target: Any) -> None:
    assert not is_operator(target)


def test_what_is_an_operator_of_a_graph() -> None:
    names = ("add.Tensor", "conv2d.default", "einsum.default", "div.Tensor_mode", "gelu.default")
    names += ("__and__.Tensor", "upsample_bilinear2d.vec", "pad.default", "_assert_scalar.default")
    names += ("to.dtype", "arange.start_step", "sym_size.int", "index.Tensor", "batch_norm.default")
    others = ("_operator.mul", "math.ceil", "torch.sym_max", "torch.ops.torchvision.nms.default")
    others += ("torch.ops.higher_order.wrap_with_set_grad_enabled", "torch.ops.prims.sum.default")
    refused = [name for name in (*map(aten, names), *others) if not is_operator(name)]
    assert refused == []


@pytest.mark.parametrize(
    "name",
    [
        *("max_pool2d_with_indices_backward.default", "max_pool3d_with_indices_backward.default"),
        *("adaptive_max_pool2d_backward.default", "native_batch_norm_backward.default"),
        *("_sparse_coo_tensor_unsafe.default", "_sparse_csr_tensor_unsafe.default"),
        *("_convert_indices_from_csr_to_coo.default", "_convert_indices_from_coo_to_csr.default"),
        *("_ctc_loss.default", "ctc_loss.IntList", "segment_reduce.default"),
        *("_pack_padded_sequence.default", "_reshape_alias.default", "_cummax_helper.default"),
        *(
            "_weight_norm_interface.default",
            "_fused_adam_.default",
            "_batch_norm_no_update.default",
        ),
        *("batch_norm_update_stats.default", "_transform_bias_rescale_qkv.default"),
        "_batch_norm_no_update.default",
        *("_nested_view_from_buffer.default", "_sobol_engine_draw.default"),
    ],
)
def test_an_operator_that_believes_its_indices_is_none_of_a_graph(name: str) -> None:
    assert not is_operator(aten(name))


class Regions(torch.nn.Module):
    """Pools what its own tensors name: a region's picture, a channel's numbers, a shift."""

    def __init__(self, kind: str, number: float) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("rois", torch.tensor([[number, 0.0, 0.0, 3.0, 3.0]]))
        self.register_buffer("numbers", torch.ones(int(number) if kind == "norm" else 1))
        self.register_buffer("shifts", torch.full((1, 8, 3, 3), number))
        self.register_buffer("one", torch.ones(1, 1, 2, 2))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.kind == "norm":
            numbers = (self.numbers,) * 4
            return torch.native_batch_norm(image, *numbers, False, 0.1, 1e-5)[0]
        if self.kind == "deform":
            return torchvision.ops.deform_conv2d(image, self.shifts, self.one)
        pool = getattr(torchvision.ops, self.kind)
        return pool(image, self.rois, output_size=1)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        *((k, 0, 1) for k in ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")),
        *(("roi_align", 0, n) for n in (-1, 1e9, float("nan"), float("inf"))),
        ("deform", 0.5, float("nan")),
        ("norm", 1, 2),
    ],
)
def test_operators_that_trust_their_tensors_look_first(
    kind: str, good: float, bad: float, tmp_path: Path
) -> None:
    image = torch.rand(1, 1, 4, 4)
    for number in (good, bad):
        network = Regions(kind, number).eval()
        # the file is made by hand, so that what the exporter would notice is in it all the same
        program = torch.export.export(Regions(kind, good).eval(), (image,))
        for name, value in network.named_buffers():
            program.state_dict[name] = value
        program.example_inputs = None
        torch.export.save(program, tmp_path / "model.pt2")
        opened = networks.read(tmp_path / "model.pt2", "pt2")
        if number == good:
            assert torch.equal(opened(image), network(image))
            torch.export.export(opened, (image,))  # and it can be exported once more
        else:
            with pytest.raises(Rejected, match="the network"):
                opened(image)


def damaged(folder: Path, **change: Any) -> None:
    path = folder / "data" / "model" / "serving.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def test_damaged_folders(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no file MLmodel"):
        open_model(tmp_path)
    graph_of(copy).write_bytes(graph_of(copy).read_bytes()[:3000])
    with pytest.raises(CvtrackError, match=r"model.pt2: the archive does not end"):
        open_model(copy)
    damaged(copy, format=99)
    with pytest.raises(CvtrackError, match="format 99"):
        open_model(copy)
    damaged(copy, format=1, functions={"f": "../../../../secret.py"})
    with pytest.raises(CvtrackError, match="outside its folder"):
        open_model(copy)
    (copy / "MLmodel").write_text("flavors: !!python/object/apply:os.system ['touch ran']")
    with pytest.raises(CvtrackError, match="cannot be read"):
        open_model(copy)
    (copy / "MLmodel").write_text(
        "flavors: {python_function: {loader_module: cvtrack_serving_0, data: ../../..}}"
    )
    with pytest.raises(CvtrackError, match="outside its folder"):
        open_model(copy)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "text",
    [
        "flavors: &a [*a]",
        "flavors: " + "[" * 5000,
        "flavors: {created: !!timestamp x}",
        "flavors: {size: 1" + ":10" * 5000 + "}",
        "a: &a [x, x]\n"
        + "".join(f"{k}: &{k} [{f'*{j}, ' * 50}]\n" for j, k in ("ab", "bc", "cd")),
    ],
)
def test_an_mlmodel_that_is_endless_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(CvtrackError, match="MLmodel cannot be read") as caught:
        open_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_onnx(tmp_path: Path) -> None:
    from cvtrack_magics.store.models import flavour_of, save_onnx

    model, batch = Classifier().eval(), torch.rand(2, 3, 16, 16)
    path = tmp_path / "c.onnx"
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.onnx.export(model, (batch,), dynamic_shapes=shapes, dynamo=True, verbose=False)
    program.save(str(path), external_data=True)
    about = {"kind": "tensor", "dtype": "float32"}
    save_onnx(
        path,
        tmp_path / "saved",
        inputs=[{**about, "name": "image", "shape": [-1, 3, 16, 16]}],
        outputs=[{**about, "name": "", "shape": [-1, 3]}],
    )
    assert flavour_of((tmp_path / "saved" / "MLmodel").read_text()) == "onnx"
    loaded: Loaded = open_model(tmp_path / "saved")
    wanted = model(batch).detach().numpy()
    assert np.abs(loaded.predict(batch.numpy()) - wanted).max() <= 1e-4
    assert "16" in loaded.describe()
    import mlflow

    served = mlflow.pyfunc.load_model(str(tmp_path / "saved")).predict(batch.numpy())
    assert np.abs(next(iter(served.values())) - wanted).max() <= 1e-4
