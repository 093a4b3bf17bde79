"""Ignite with handlers that print."""

# %%
import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Accuracy, Loss
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target[:512]))
curves = {}

# %%
torch.manual_seed(0)
curves.clear()
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = torch.nn.CrossEntropyLoss()
loader = DataLoader(data, batch_size=64, shuffle=True)
trainer = create_supervised_trainer(model, optimizer, criterion)
evaluator = create_supervised_evaluator(
    model, metrics={"accuracy": Accuracy(), "nll": Loss(criterion)}
)


@trainer.on(Events.EPOCH_COMPLETED)
def log_validation(engine):
    evaluator.run(loader)
    metrics = evaluator.state.metrics
    print(
        f"Validation Results - Epoch: {engine.state.epoch}  "
        f"Avg accuracy: {metrics['accuracy']:.4f} Avg loss: {metrics['nll']:.4f}"
    )
    for name, key in (("accuracy", "accuracy"), ("loss", "nll")):
        points = curves.setdefault(f"printed/Validation Avg {name}", [])
        points.append((engine.state.epoch, metrics[key]))


trainer.run(loader, max_epochs=2)

# %%
params = {"lr": 0.1}
