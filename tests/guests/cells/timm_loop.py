"""A timm model in a plain loop."""

# %%
import timm
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

digits = load_digits()
images = torch.tensor(digits.images[:96] / 16, dtype=torch.float32)[:, None]
images = torch.nn.functional.interpolate(images, scale_factor=4).repeat(1, 3, 1, 1)
data = TensorDataset(images, torch.tensor(digits.target[:96]))
curves = {}

# %%
torch.manual_seed(0)
curves.clear()
epochs, lr = 2, 0.05
model = timm.create_model("resnet10t", pretrained=False, num_classes=10)
loader = DataLoader(data, batch_size=32, shuffle=True)
optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
criterion = torch.nn.CrossEntropyLoss()
for epoch in range(epochs):
    model.train()
    running, correct = 0.0, 0
    for inputs, targets in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(inputs)
        correct += (outputs.argmax(1) == targets).sum().item()
    print(f"Epoch {epoch + 1}/{epochs} | loss: {running / 96:.4f} | acc: {correct / 96:.4f}")
    curves.setdefault("printed/loss", []).append((epoch + 1, running / 96))
    curves.setdefault("printed/acc", []).append((epoch + 1, correct / 96))

# %%
params = {"epochs": 2, "lr": 0.05, "momentum": 0.9}
