"""Accelerate, a loop that prints."""

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
num_epochs = 2
accelerator = Accelerator(cpu=True)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(data, batch_size=64, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
for epoch in range(num_epochs):
    total = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        accelerator.backward(loss)
        optimizer.step()
        total += loss.item()
    accelerator.print(f"epoch {epoch}: train_loss {total / len(loader):.4f}")
    curves.setdefault("printed/train_loss", []).append((epoch, total / len(loader)))

# %%
params = {"num_epochs": 2, "lr": 0.1}
