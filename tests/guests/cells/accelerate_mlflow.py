"""Accelerate with `log_with="mlflow"`."""

# %%
import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target[:512]))
curves = {}

# %%
torch.manual_seed(0)
curves.clear()
accelerator = Accelerator(cpu=True, log_with="mlflow")
accelerator.init_trackers("guests", config={"lr": 0.1, "num_epochs": 2})
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(data, batch_size=64, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
for epoch in range(2):
    for step, (inputs, targets) in enumerate(loader):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        accelerator.backward(loss)
        optimizer.step()
        accelerator.log({"train_loss": loss.item()}, step=epoch * len(loader) + step)
        curves.setdefault("train_loss", []).append((epoch * len(loader) + step, loss.item()))
accelerator.end_training()

# %%
params = {"lr": 0.1, "num_epochs": 2}
