"""Torchmetrics, computed at the end of each epoch."""

# %%
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target[:512]))
history = []

# %%
torch.manual_seed(0)
history.clear()
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(data, batch_size=64, shuffle=True)
accuracy, f1 = MulticlassAccuracy(10), MulticlassF1Score(10)
for epoch in range(2):
    for inputs, targets in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        torch.nn.functional.cross_entropy(outputs, targets).backward()
        optimizer.step()
        accuracy.update(outputs, targets)
        f1.update(outputs, targets)
    history.append((accuracy.compute().item(), f1.compute().item()))
    accuracy.reset()
    f1.reset()

# %%
curves = {
    f"torchmetrics/{name}": [(epoch, row[column]) for epoch, row in enumerate(history)]
    for column, name in enumerate(("accuracy", "f1"))
}
params = {"lr": 0.1}
