"""Ignite with its MLflowLogger."""

# %%
import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers.mlflow_logger import MLflowLogger, global_step_from_engine
from ignite.metrics import Accuracy, Loss
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

digits = load_digits()
images = torch.tensor(digits.images[:512] / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target[:512]))

# %%
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = torch.nn.CrossEntropyLoss()
loader = DataLoader(data, batch_size=64, shuffle=True)
trainer = create_supervised_trainer(model, optimizer, criterion)
evaluator = create_supervised_evaluator(
    model, metrics={"accuracy": Accuracy(), "nll": Loss(criterion)}
)
trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(loader))
logger = MLflowLogger()
logger.log_params({"lr": 0.1, "batch_size": 64})
logger.attach_output_handler(
    trainer,
    event_name=Events.ITERATION_COMPLETED(every=2),
    tag="training",
    output_transform=lambda loss: {"loss": loss},
)
logger.attach_output_handler(
    evaluator,
    event_name=Events.EPOCH_COMPLETED,
    tag="validation",
    metric_names=["accuracy", "nll"],
    global_step_transform=global_step_from_engine(trainer),
)
trainer.run(loader, max_epochs=2)
logger.close()

# %%
curves = {}
params = {"lr": 0.1, "batch_size": 64}
