"""Lightning with an MLFlowLogger."""

# %%

import lightning as L
import torch
from lightning.pytorch.loggers import MLFlowLogger
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32)
data = TensorDataset(images, torch.tensor(digits.target))


class Classifier(L.LightningModule):
    def __init__(self, hidden=16, lr=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(64, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, 10),
        )

    def training_step(self, batch, _):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        output = self.net(batch[0])
        self.log("val_loss", torch.nn.functional.cross_entropy(output, batch[1]))
        self.log("val_acc", (output.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


# %%
L.seed_everything(0)
model = Classifier(hidden=16, lr=0.01)
trainer = L.Trainer(
    max_epochs=2, logger=MLFlowLogger("guests"), log_every_n_steps=2, accelerator="cpu"
)
trainer.fit(
    model,
    DataLoader(TensorDataset(*data[:512]), batch_size=64, shuffle=True),
    DataLoader(TensorDataset(*data[512:768]), batch_size=64),
)

# %%
curves = {}
params = {"hidden": 16, "lr": 0.01}
