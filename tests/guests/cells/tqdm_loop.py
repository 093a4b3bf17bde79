"""A plain loop in tqdm, with a postfix."""

# %%
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target[:512]))
curves = {}

# %%
torch.manual_seed(0)
curves.clear()
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(data, batch_size=64, shuffle=True)
for epoch in range(2):
    bar = tqdm(loader, desc=f"Epoch {epoch + 1}")
    total = 0.0
    for step, (inputs, targets) in enumerate(bar):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        total += loss.item()
        bar.set_postfix(loss=total / (step + 1))
        curves.setdefault("tqdm/loss", []).append((epoch * len(loader) + step, total / (step + 1)))

# %%
params = {"lr": 0.1}
