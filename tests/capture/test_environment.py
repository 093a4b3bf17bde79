"""Software and hardware of a run."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch
import torchvision

from cvtrack_magics.capture.machine import environment, hardware
from cvtrack_magics.capture.machine.gpus import Gpu, chosen
from cvtrack_magics.capture.machine.meter import ResourceMeter
from cvtrack_magics.records import Artifact, Param


def test_the_guides_parameters() -> None:
    records = environment.environment_records()
    params = {r.key: r.value for r in records if isinstance(r, Param)}
    assert params["python_version"] == platform.python_version()
    assert params["pytorch_version"] == torch.__version__
    assert params["torchvision_version"] == torchvision.__version__
    assert params.get("cuda_version", "") == (torch.version.cuda or "")
    assert params["num_gpus"] == str(torch.cuda.device_count())
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    assert params["gpu_model"] == gpu
    files = {r.path: r.content for r in records if isinstance(r, Artifact)}
    assert set(files) == {"environment/requirements.txt", "environment/environment.json"}
    whole = json.loads(str(files["environment/environment.json"]))
    assert whole["packages"]["torch"]
    assert whole["hardware"]["CPU"]


def test_the_same_facts_before_torch_is_imported() -> None:
    code = """
import json, sys
from cvtrack_magics.capture.machine.environment import environment_records
from cvtrack_magics.records import Param
before = {r.key: r.value for r in environment_records() if isinstance(r, Param)}
assert "torch" not in sys.modules and "mlflow" not in sys.modules and "numpy" not in sys.modules
import torch, torchvision
after = {r.key: r.value for r in environment_records() if isinstance(r, Param)}
cudnn = [facts.pop("cudnn_version", "") for facts in (before, after)]
assert before == after, (before, after)
assert cudnn[0] == cudnn[1] or "" in cudnn, cudnn
"""
    subprocess.run([sys.executable, "-c", code], check=True)


FACTS_TWICE = """
import importlib, json, sys
from cvtrack_magics.capture.machine.environment import environment_facts
before = environment_facts()
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
after = environment_facts()
print(json.dumps([{k: facts.get(k, "") for k in {**before, **after}} for facts in (before, after)]))
"""
MODULES = "numpy pandas PIL sklearn matplotlib onnx onnxruntime lightning mlflow torchvision"


def facts_twice(*modules: str, place: str = "") -> list[dict[str, str]]:
    """Return the facts of a new process before and after its imports."""
    paths = os.pathsep.join(filter(None, [place, os.environ.get("PYTHONPATH", "")]))
    words = [sys.executable, "-c", FACTS_TWICE, *modules]
    env = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(words, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_no_version_is_another_after_the_import() -> None:
    before, after = facts_twice(*MODULES.split())
    assert before.pop("cuDNN", "") in (after.get("cuDNN", ""), "") or not after.get("cuDNN")
    after.pop("cuDNN", "")
    assert before == after


VERSIONS = {
    "a build": ("__version__ = '9.9.1+cu999'\ncuda = '99.9'\n", "9.9.1+cu999", "99.9"),
    "typed": ('__version__: str = "9.9.1+rocm9"\ncuda: Optional[str] = None\n', "9.9.1+rocm9", ""),
    "for the processor": ("__version__ = '9.9.1+cpu'\ncuda: Optional = None\n", "9.9.1+cpu", ""),
    "in a row": ("debug = False\n__version__   =   '9.9.1a0+git0'\n", "9.9.1a0+git0", ""),
    "nightly": ("__version__ = '9.9.1.dev20990101+cu999'\n", "9.9.1.dev20990101+cu999", ""),
}


@pytest.mark.parametrize("kind", VERSIONS)
def test_the_build_is_read_from_the_file_that_is_imported(kind: str, tmp_path: Path) -> None:
    text, version, cuda = VERSIONS[kind]
    for name in ("torch", "torchvision"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "version.py").write_text(f"from typing import Optional\n{text}")
        (folder / "__init__.py").write_text(
            "from . import version\nfrom .version import __version__\nclass backends:\n"
            "    class cudnn:\n        version = staticmethod(lambda: None)\n"
            "version.cuda = getattr(version, 'cuda', None)\n"
        )
    for facts in facts_twice("torch", "torchvision", place=str(tmp_path)):
        assert [facts["torch"], facts["torchvision"]] == [version, version]
        assert facts.get("CUDA", "") == cuda


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"version = 1\n", None])
def test_without_a_version_in_its_file_the_metadata_counts(
    content: bytes | None, tmp_path: Path
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("")
    if content is not None:
        (tmp_path / "torch" / "version.py").write_bytes(content)
    (facts, _) = facts_twice(place=str(tmp_path))
    assert facts["torch"] == importlib.metadata.version("torch")


def test_no_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "topsecretvalue")
    assert "topsecretvalue" not in str(environment.environment_records())
    assert "topsecretvalue" not in str(environment.environment_facts())


def test_facts_are_readable() -> None:
    facts = environment.environment_facts()
    assert facts["torch"] == torch.__version__
    assert facts["Python"].startswith(platform.python_version())
    assert all(isinstance(text, str) and text for text in facts.values())


def test_nothing_heavy_is_imported() -> None:
    code = """
import sys
import cvtrack_magics.capture.machine.environment, cvtrack_magics.capture.code.git
import cvtrack_magics.capture.data.datasets, cvtrack_magics.capture.params.logged
import cvtrack_magics.capture.params.seeds, cvtrack_magics.capture.code.session
import cvtrack_magics.capture.output.tee, cvtrack_magics.capture.params.configfile
import cvtrack_magics.capture.data.schema, cvtrack_magics.capture.machine.hardware
heavy = {"torch", "numpy", "PIL", "yaml", "pandas", "psutil", "mlflow", "IPython", "concurrent",
         "importlib.metadata", "sqlite3"}
found = heavy & set(sys.modules)
assert not found, found
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_hardware() -> None:
    facts = hardware.hardware_facts()
    assert facts["CPU"] == hardware.cpu_model()
    assert f"{os.cpu_count()} logical" in facts["CPU cores"]
    total = hardware.text_bytes(psutil.virtual_memory().total)
    assert facts["Memory"].startswith(total)
    assert 0 < hardware.usable_cores() <= (os.cpu_count() or 1)
    assert hardware.memory_limit() >= 0
    if not torch.cuda.is_available():
        assert hardware.hardware_tag() == f"CPU {hardware.cpu_model()}"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinity")
def test_affinity_counts() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one core only")
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert hardware.usable_cores() <= 1
        assert "1 usable here" in hardware.hardware_facts()["CPU cores"]
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (2048, "2.0 KiB"),
        (3 * 2**30, "3.0 GiB"),
        (5 * 2**40, "5.0 TiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert hardware.text_bytes(size) == text


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["a", "b", "c"]),
        ("", []),
        ("2,0", ["c", "a"]),
        ("1,7,0", ["b"]),
        ("-1", []),
        ("GPU-bb", ["b"]),
        ("GPU-", []),
    ],
)
def test_visible_devices(visible: str | None, names: list[str]) -> None:
    devices = [(f"GPU-{n * 2}", Gpu(n, 1, "")) for n in "abc"]
    assert [gpu.name for gpu in chosen(devices, visible)] == names


def test_meter_sees_time_and_memory() -> None:
    meter = ResourceMeter()
    meter.start()
    rss = psutil.Process().memory_info().rss
    block = bytearray(300 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    time.sleep(0.25)
    del block
    use = meter.stop()
    assert use.peak_rss_bytes > rss + 250 * 2**20
    assert 0.2 <= use.cpu_s < 2 * use.wall_s + 1
    assert use.wall_s >= 0.45
    assert use.gpu_peak_bytes is None or use.gpu_peak_bytes >= 0


def test_meter_forgets_earlier_peaks() -> None:
    block = bytearray(400 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    high = psutil.Process().memory_info().rss
    del block
    meter = ResourceMeter()
    meter.start()
    use = meter.stop()
    assert use.peak_rss_bytes < high - 200 * 2**20


def test_meter_leaves_no_thread_and_can_start_again() -> None:
    before = threading.active_count()
    meter = ResourceMeter()
    for _ in range(2):
        meter.start()
        assert threading.active_count() == before + 1
        assert meter.stop().wall_s < 5
        assert threading.active_count() == before
    with pytest.raises(RuntimeError):
        meter.stop()
