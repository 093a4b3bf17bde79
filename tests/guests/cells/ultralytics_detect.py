"""Ultralytics, a detector, with its own MLflow callback (the default)."""

# %%
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from ultralytics import YOLO

digits, random = load_digits(), np.random.default_rng(0)
for number in range(48):
    split = "val" if number % 4 == 0 else "train"
    for kind in ("images", "labels"):
        (Path("scenes") / kind / split).mkdir(parents=True, exist_ok=True)
    scene, boxes = np.zeros((64, 64), np.uint8), []
    for column in range(2):
        chosen = int(random.integers(len(digits.images)))
        x, y = 4 + 32 * column, int(random.integers(4, 36))
        scene[y : y + 24, x : x + 24] = np.kron(digits.images[chosen] * 15.9, np.ones((3, 3)))
        boxes.append(f"{digits.target[chosen]} {(x + 12) / 64} {(y + 12) / 64} 0.375 0.375")
    Image.fromarray(scene).convert("RGB").save(f"scenes/images/{split}/{number}.png")
    Path(f"scenes/labels/{split}/{number}.txt").write_text("\n".join(boxes))
names = "\n".join(f"  {number}: digit-{number}" for number in range(10))
Path("scenes.yaml").write_text(
    f"path: {Path('scenes').absolute()}\ntrain: images/train\nval: images/val\nnames:\n{names}\n"
)

# %%
model = YOLO("yolov8n.yaml")
results = model.train(
    data="scenes.yaml", epochs=2, imgsz=64, batch=12, workers=0, device="cpu", plots=False, seed=0
)

# %%
curves = {}
params = {"epochs": 2, "imgsz": 64, "task": "detect"}
