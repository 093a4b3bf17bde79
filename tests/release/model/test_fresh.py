"""A model made in a notebook answers in a process that knows neither notebook nor package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NOTEBOOK = """
import json, sys
from pathlib import Path
import numpy as np
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
cells = ['''
import torch, torchvision.transforms as T
from torch import nn
from tests.release.model.nets import photos, stored

NAMES = ["cat", "dog", "owl"]

class OwnNet(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.head = nn.Conv2d(3, 6, 5), nn.Linear(6, 3)

    def forward(self, image):
        return self.head(torch.relu(self.conv(image)).amax((2, 3)))
''', '''
def best(row):
    return NAMES[int(row.argmax())]

def answer(logits):
    probabilities = torch.softmax(logits, dim=1)
    return [
        {"label": best(row), "probabilities": row.tolist()} for row in probabilities
    ]
''', '''
model = OwnNet().eval()
normalise = T.Normalize((.4, .5, .6), (.2, .3, .1))
transform = T.Compose([T.Resize(48), T.CenterCrop(40), T.ToTensor(), normalise])
built, saved = stored(model, photos(), Path(sys.argv[1]), pre=transform, post=answer)
from PIL import Image
batch = torch.stack([transform(Image.fromarray(photo)) for photo in photos()])
with torch.no_grad():
    own = answer(model(batch))
''']
for cell in cells:
    shell.run_cell(f"import sys; from pathlib import Path\\n{cell}").raise_error()
print(json.dumps(shell.user_ns["own"]))
"""

FRESH = """
import json, pickle, sys
import importlib.abc

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cvtrack_magics", "tests", "IPython"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
import mlflow, numpy, torch, torchvision, pandas
from sklearn.datasets import load_sample_images
photos = load_sample_images().images

def no(*given, **named):
    raise AssertionError("something is unpickled")

class Forbidden(pickle.Unpickler):
    find_class = no

pickle.loads = pickle.load = torch.load = no
pickle.Unpickler = Forbidden
model = mlflow.pyfunc.load_model(sys.argv[1])
try:
    import cvtrack_magics
except ModuleNotFoundError:
    print(json.dumps(model.predict({"image": photos})))
"""


def run(code: str, *arguments: str, isolated: bool) -> str:
    options = ["-I"] if isolated else []
    root = str(Path(__file__).parents[3])
    ran = subprocess.run(
        [sys.executable, *options, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout.strip().rpartition("\n")[2]


def test_a_fresh_process_gives_the_notebooks_numbers(tmp_path: Path) -> None:
    own = json.loads(run(NOTEBOOK, str(tmp_path), isolated=False))
    got = json.loads(run(FRESH, str(tmp_path / "saved"), isolated=True))
    assert len(got) == len(own) == 2
    for mine, theirs in zip(got, own, strict=True):
        assert mine["label"] == theirs["label"]
        pairs = zip(mine["probabilities"], theirs["probabilities"], strict=True)
        assert max(abs(a - b) for a, b in pairs) <= 1e-6
