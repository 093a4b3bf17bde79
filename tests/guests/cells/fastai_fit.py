"""Fastai's Learner, whose table is displayed."""

# %%
import torch
from fastai.vision.all import *
from sklearn.datasets import load_digits

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
targets = torch.tensor(digits.target[:512])
train = list(zip(images[:384], targets[:384]))
valid = list(zip(images[384:], targets[384:]))

# %%
set_seed(0, reproducible=True)
dls = DataLoaders.from_dsets(train, valid, bs=64, device="cpu")
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
learn = Learner(dls, model, loss_func=CrossEntropyLossFlat(), metrics=[accuracy, error_rate])
learn.fit_one_cycle(2, 0.01)

# %%
names = learn.recorder.metric_names[1:-1]
curves = {
    name: [(epoch, float(row[column])) for epoch, row in enumerate(learn.recorder.values)]
    for column, name in enumerate(names)
}
params = {"n_epoch": 2}
