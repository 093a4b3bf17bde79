"""What a cell executes without importing it is in its run, or the run says that it is not."""

from __future__ import annotations

import py_compile
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Shell
from tests.store_views import artifact, artifact_names, runs_of

PART = "WIDTH = 7\n\n\ndef f(x):\n    return x * WIDTH  # of the part\n"
OF = "of the part"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the part under several names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "parts").mkdir()
    (tmp_path / "pack").mkdir()
    for name in ("part.py", "parts/one.py", "parts/two.py", "pack/__main__.py", "pack/inner.py"):
        (tmp_path / name).write_text(PART)
    (tmp_path / "part.txt").write_text(PART)
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "helpers_of_mine.py").write_text(
        "def run_file(path, space):\n    exec(open(path).read(), space)\n"
    )
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("zipped_part.py", PART)
        archive.writestr("zipped/inner.py", PART)
        archive.writestr("zipped/__init__.py", "")
    (tmp_path / "bare_part.py").write_text(PART)
    py_compile.compile(str(tmp_path / "bare_part.py"), str(tmp_path / "bare_part.pyc"))
    (tmp_path / "bare_part.py").unlink()
    return tmp_path


LOAD = (
    "import importlib.util as u\n"
    "spec = u.spec_from_file_location('{0}', '{1}')\nm = u.module_from_spec(spec)\n"
    "spec.loader.exec_module(m)"
)
KEPT = {
    "exec of open": ("", "exec(open('part.py').read())", "code/scripts/part.py"),
    "exec of with": ("", "with open('part.py') as f:\n    exec(f.read())", "code/scripts/part.py"),
    "exec of a name": ("", "s = open('part.py').read()\nexec(s)", "code/scripts/part.py"),
    "a path of another cell": ("p = 'part.py'", "exec(open(p).read())", "code/scripts/part.py"),
    "a text of another cell": (
        "t = open('part.py').read()",
        "exec(t)",
        "code/scripts/executed_t.py",
    ),
    "code of another cell": (
        "c = compile(open('part.py').read(), 'part.py', 'exec')",
        "exec(c)",
        "code/scripts/part.py",
    ),
    "compile": (
        "",
        "exec(compile(open('part.py').read(), 'part.py', 'exec'), {})",
        "code/scripts/part.py",
    ),
    "pathlib": (
        "",
        "from pathlib import Path\nexec(Path('part.py').read_text())",
        "code/scripts/part.py",
    ),
    "pathlib joined": (
        "from pathlib import Path\nD = Path('parts')",
        "exec((D / 'one.py').read_bytes())",
        "code/scripts/parts/one.py",
    ),
    "os.path": (
        "",
        "import os\nexec(open(os.path.join('parts', 'one.py')).read())",
        "code/scripts/parts/one.py",
    ),
    "an f-string": (
        "n = 'one'",
        "exec(open(f'parts/{n}.py').read())",
        "code/scripts/parts/one.py",
    ),
    "a loop": (
        "",
        "for n in ['one', 'two']:\n    exec(open('parts/' + n + '.py').read())",
        "code/scripts/parts/two.py",
    ),
    "a glob": (
        "from pathlib import Path",
        "for p in sorted(Path('parts').glob('*.py')):\n    exec(p.read_text())",
        "code/scripts/parts/two.py",
    ),
    "no .py": ("", "exec(open('part.txt').read())", "code/scripts/part.txt"),
    "new module": (
        "",
        "import types\nm = types.ModuleType('m')\nexec(open('part.py').read(), m.__dict__)",
        "code/scripts/part.py",
    ),
    "run_path": ("", "import runpy\nr = runpy.run_path('part.py')", "code/scripts/part.py"),
    "run_path of a name": (
        "p = 'parts/one.py'",
        "import runpy\nr = runpy.run_path(p)",
        "code/scripts/parts/one.py",
    ),
    "run_module": (
        "",
        "import runpy\nrunpy.run_module('pack.inner')",
        "code/scripts/pack/inner.py",
    ),
    "%run": ("", "%run part.py", "code/scripts/part.py"),
    "%run -m": ("", "%run -m pack.inner", "code/scripts/pack/inner.py"),
    "python -m": ("", f"!{sys.executable} -m pack", "code/scripts/pack/__main__.py"),
    "run_line_magic": ("", "ip.run_line_magic('run', 'part.py')", "code/scripts/part.py"),
    "a helper of a module": (
        "from helpers_of_mine import run_file",
        "run_file('part.py', {})",
        "code/scripts/part.py",
    ),
    "a helper, its path in a cell": (
        "from helpers_of_mine import run_file\ng = {}\np = 'par' + 't.py'",
        "c = compile(open(p).read(), p, 'exec')\nexec(c)",
        "code/scripts/part.py",
    ),
    "a function that was compiled": (
        "q = {'p': 'part.py'}\nsrc = [open(q['p']).read()]\n"
        "exec(compile(src[0], 'part' + '.py', 'exec'))",
        "f(3)",
        "code/scripts/part.py",
    ),
    "spec": ("", LOAD.format("loose_1", "part.py"), "code/modules/part.py"),
    "spec, only a function kept": (
        "",
        f"{LOAD.format('loose_2', 'parts/one.py')}\ng = m.f\ndel m\ng(1)",
        "code/modules/one.py",
    ),
    "spec in a function": (
        "def load():\n    "
        + LOAD.format("loose_3", "parts/two.py").replace("\n", "\n    ")
        + "\n    return m.f",
        "g = load()\ng(1)",
        "code/modules/two.py",
    ),
    "SourceFileLoader": (
        "",
        "from importlib.machinery import SourceFileLoader as S\n"
        "m = S('loose_4', 'part.py').load_module()",
        "code/modules/part.py",
    ),
    "a zip file": (
        "import sys\nsys.path.insert(0, 'lib.zip')",
        "import zipped_part",
        "code/modules/lib.zip/zipped_part.py",
    ),
    "a package in a zip file": (
        "import sys\nsys.path.insert(0, 'lib.zip')",
        "from zipped import inner",
        "code/modules/lib.zip/zipped/inner.py",
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_the_source_of_what_is_executed_is_kept(
    kind: str, shell: Shell, store: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, cell, path = KEPT[kind]
    monkeypatch.setattr(sys, "path", list(sys.path))
    shell.ip.user_ns["ip"] = shell.ip
    if before:
        shell.run(before)
    shell.run(f"%%mlrun a\n{cell}")
    run = runs_of(store)["a"]
    assert run.info.status == "FINISHED"
    assert path in artifact_names(store, run)
    assert OF in artifact(store, run, path)
    for name in ("zipped_part", "zipped", "zipped.inner", "loose_4", "pack", "pack.inner"):
        sys.modules.pop(name, None)


SAID = {
    "a name that only the cell knows": (
        "for n in open('list').read().split():\n    exec(open(n).read())"
    ),
    "a server": "from urllib.request import urlopen\nexec(urlopen(f'file://{here}/part.py').read())",
    "packed": "import base64\nexec(base64.b64decode('eCA9IDE='))",
    "a file of the cell's that is gone": (
        "import os\nopen('gone.txt', 'w').write('x = 1')\n"
        "exec(open('gone.txt').read())\nos.remove('gone.txt')"
    ),
    "compiled without a source": "import bare_part",
}


@pytest.mark.parametrize("kind", SAID)
def test_what_could_not_be_kept_is_said_once(
    kind: str, shell: Shell, store: str, place: Path
) -> None:
    (place / "list").write_text("part.py\n")
    shell.ip.user_ns["here"] = str(place)
    said = shell.run(f"%%mlrun a\n{SAID[kind]}")
    assert runs_of(store)["a"].info.status == "FINISHED"
    assert said.count("Not kept: the source") == 1
    sys.modules.pop("bare_part", None)


QUIET = [
    "exec('x = 1')",
    "exec(f'x = {1 + 1}')",
    "code = 'x = 2'\nexec(code)",
    "eval('1 + 1')",
    "model = type('M', (), {'eval': lambda self: 1})()\nmodel.eval()",
    "exec(compile('x = 3', '<mine>', 'exec'))",
    "open('made.txt', 'w').write('x')",
    "text = open('part.py').read()",
    "import json\njson.loads('{}')",
    "lines = '\\n'.join(['x = 1', 'y = 2'])\nexec(lines)",
    "from string import Template\nexec(Template('x = $n').substitute(n=4))",
    "from collections import namedtuple\nP = namedtuple('P', 'a b')",
]


@pytest.mark.parametrize("cell", QUIET)
def test_nothing_is_said_where_the_cell_holds_all(
    cell: str, shell: Shell, store: str, place: Path
) -> None:
    assert "Not kept" not in shell.run(f"%%mlrun a\n{cell}")
    assert runs_of(store)["a"].info.status == "FINISHED"
