"""Ultralytics, a classifier, with its own MLflow callback (the default)."""

# %%
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits
from ultralytics import YOLO

digits = load_digits()
for number, (image, target) in enumerate(zip(digits.images, digits.target, strict=True)):
    if target < 3 and number < 320:
        folder = Path("digits") / ("val" if number % 5 == 0 else "train") / str(target)
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((image * 15.9).astype("uint8")).resize((32, 32))
        picture.convert("RGB").save(folder / f"{number}.png")

# %%
model = YOLO("yolov8n-cls.yaml")
results = model.train(
    data="digits", epochs=2, imgsz=32, batch=16, workers=0, device="cpu", plots=False, seed=0
)

# %%
curves = {}
params = {"epochs": 2, "imgsz": 32, "task": "classify"}
