"""Keras on torch under mlflow.autolog()."""

# %%
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import mlflow
from sklearn.datasets import load_digits

digits = load_digits()
images, targets = digits.images[:512] / 16, digits.target[:512]

# %%
mlflow.autolog()
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((8, 8)),
        keras.layers.Flatten(),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(10),
    ]
)
model.compile(
    keras.optimizers.Adam(0.01),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(images, targets, batch_size=64, epochs=2, validation_split=0.25)

# %%
curves = {name: list(enumerate(values)) for name, values in history.history.items()}
params = {"epochs": 2, "batch_size": 64}
