"""Transformers' Trainer, which reports to nobody."""

# %%
import torch
from sklearn.datasets import load_digits
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

digits = load_digits()
pixels = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None]
samples = [
    {"pixel_values": image, "labels": int(target)}
    for image, target in zip(pixels[:160], digits.target[:160], strict=True)
]


def accuracy(prediction):
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


# %%
torch.manual_seed(0)
config = ViTConfig(
    image_size=8,
    patch_size=4,
    num_channels=1,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    num_labels=10,
)
arguments = TrainingArguments(
    "out",
    num_train_epochs=2,
    per_device_train_batch_size=16,
    learning_rate=1e-3,
    eval_strategy="epoch",
    save_strategy="epoch",
    logging_steps=2,
)
trainer = Trainer(
    ViTForImageClassification(config),
    arguments,
    train_dataset=samples[:128],
    eval_dataset=samples[128:],
    compute_metrics=accuracy,
)
trainer.train()

# %%
curves = {}
for row in trainer.state.log_history:
    for name, value in row.items():
        if name != "step":
            curves.setdefault(name, []).append((row["step"], value))
params = {"num_train_epochs": 2, "learning_rate": 1e-3, "hidden_size": 16}
