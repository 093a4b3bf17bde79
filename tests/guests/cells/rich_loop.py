"""A plain loop under rich, which prints."""

# %%
import torch
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target[:512]))
curves = {}

# %%
torch.manual_seed(0)
curves.clear()
console = Console()
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(data, batch_size=64, shuffle=True)
for epoch in range(2):
    total = 0.0
    for inputs, targets in track(loader, description="training"):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        total += loss.item()
    console.print(f"[bold]Epoch {epoch + 1}[/bold] loss: {total / len(loader):.4f}")
    curves.setdefault("printed/loss", []).append((epoch + 1, total / len(loader)))

# %%
params = {"lr": 0.1}
