"""A plain loop with TensorBoard's SummaryWriter."""

# %%
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.tensorboard import SummaryWriter

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target[:512]))

# %%
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = DataLoader(data, batch_size=64, shuffle=True)
writer = SummaryWriter("runs")
for epoch in range(2):
    for step, (inputs, targets) in enumerate(loader):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        writer.add_scalar("Loss/train", loss, epoch * len(loader) + step)
writer.close()

# %%
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator("runs").Reload()
points = events.Scalars("Loss/train")
curves = {"tensorboard/Loss/train": [(one.step, one.value) for one in points]}
params = {"lr": 0.1}
