"""Printed lines as tutorials, courses and libraries write them, and what is read from each.

The forms are those of public code; the lines were written for this test.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from cvtrack_magics.capture.output.printed import PrintedMetrics

ROOT = Path(__file__).resolve().parents[3]

Read = list[tuple[dict[str, float], int | None]]

LOOPS: dict[str, tuple[str, Read]] = {
    "epoch of, colon": (
        "Epoch 3/10 loss: 0.123 acc 0.98\nEpoch 4/10 loss: 0.120 acc 0.99",
        [({"loss": 0.123, "acc": 0.98}, 3), ({"loss": 0.120, "acc": 0.99}, 4)],
    ),
    "commas": (
        "Epoch: 1, Loss: 0.6931, Accuracy: 98.3%",
        [({"Loss": 0.6931, "Accuracy": 98.3}, 1)],
    ),
    "running loss of batches in brackets": (
        "[1,  2000] loss: 2.173\n[1,  4000] loss: 1.859\nFinished Training",
        [({"loss": 2.173}, None), ({"loss": 1.859}, None)],
    ),
    "samples seen and a percentage": (
        "Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300039\n"
        "Train Epoch: 1 [640/60000 (1%)]\tLoss: 1.213476\n"
        "Train Epoch: 2 [640/60000 (1%)]\tLoss: 0.213476",
        [
            ({"Train Loss": 2.300039}, 0),
            ({"Train Loss": 1.213476}, 640),
            ({"Train Loss": 0.213476}, 60640),
        ],
    ),
    "a set's average": (
        "Test set: Average loss: 0.0512, Accuracy: 9830/10000 (98%)",
        [({"Test Average loss": 0.0512, "Test Accuracy": 0.983}, None)],
    ),
    "loss, then samples": (
        "Epoch 1\n-------------------------------\nloss: 2.303494  [   64/60000]\n"
        "loss: 2.294637  [ 6464/60000]\nTest Error: \n Accuracy: 53.4%, Avg loss: 2.154 \n",
        [
            ({"loss": 2.303494}, 64),
            ({"loss": 2.294637}, 6464),
            ({"Accuracy": 53.4, "Avg loss": 2.154}, 1),
        ],
    ),
    "phases below a heading": (
        "Epoch 0/24\n----------\ntrain Loss: 0.6123 Acc: 0.7008\nval Loss: 0.2311 Acc: 0.9281\n\n"
        "Epoch 1/24\n----------\ntrain Loss: 0.4 Acc: 0.8\nval Loss: 0.3 Acc: 0.9\n"
        "Training complete in 1m 7s\nBest val Acc: 0.941176",
        [
            ({"train Loss": 0.6123, "train Acc": 0.7008}, 0),
            ({"val Loss": 0.2311, "val Acc": 0.9281}, 0),
            ({"train Loss": 0.4, "train Acc": 0.8}, 1),
            ({"val Loss": 0.3, "val Acc": 0.9}, 1),
            ({"Best val Acc": 0.941176}, 1),
        ],
    ),
    "epoch and step, both of": (
        "Epoch [1/5], Step [100/600], Loss: 0.1234\nEpoch [2/5], Step [100/600], Loss: 0.05",
        [({"Loss": 0.1234}, 100), ({"Loss": 0.05}, 700)],
    ),
    "bars": (
        "epoch 1 | train loss 0.10 | val loss 0.20 | acc 98.1",
        [({"train loss": 0.10, "val loss": 0.20, "acc": 98.1}, 1)],
    ),
    "keras 2": (
        "Epoch 1/5\n1875/1875 [==============================] - 3s 1ms/step - loss: 0.2955 - "
        "accuracy: 0.9148 - val_loss: 0.1402 - val_accuracy: 0.9581\nEpoch 2/5\n"
        "1875/1875 [==============================] - 3s 1ms/step - loss: 0.1 - accuracy: 0.95",
        [
            ({"loss": 0.2955, "accuracy": 0.9148, "val_loss": 0.1402, "val_accuracy": 0.9581}, 1),
            ({"loss": 0.1, "accuracy": 0.95}, 2),
        ],
    ),
    "keras 3": (
        "Epoch 1/3\n422/422 ━━━━━━━━━━━━━━━━━━━━ 7s 15ms/step - accuracy: 0.7686 - loss: 0.7638 - "
        "val_accuracy: 0.9803 - val_loss: 0.0797",
        [
            (
                {"accuracy": 0.7686, "loss": 0.7638, "val_accuracy": 0.9803, "val_loss": 0.0797},
                1,
            )
        ],
    ),
    "fastai's table": (
        "epoch     train_loss  valid_loss  accuracy  time    \n"
        "0         0.152341    0.098112    0.971341  00:12     \n"
        "1         0.102341    0.078112    0.981341  00:12     ",
        [
            ({"train_loss": 0.152341, "valid_loss": 0.098112, "accuracy": 0.971341}, 0),
            ({"train_loss": 0.102341, "valid_loss": 0.078112, "accuracy": 0.981341}, 1),
        ],
    ),
    "ultralytics' columns": (
        "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
        "        1/3         0G      1.215      2.917      1.312         13        640",
        [({"box_loss": 1.215, "cls_loss": 2.917, "dfl_loss": 1.312}, 1)],
    ),
    "lightning's table": (
        "┃        Test metric        ┃       DataLoader 0        ┃\n"
        "│         test_acc          │    0.9714999794960022     │\n"
        "│         test_loss         │    0.0952311605215072     │",
        [({"test_acc": 0.9714999794960022}, None), ({"test_loss": 0.0952311605215072}, None)],
    ),
    "a trainer's dict": (
        "{'loss': 0.5123, 'grad_norm': 3.2, 'learning_rate': 1.5e-05, 'epoch': 0.5}\n"
        "{'eval_loss': 0.4, 'eval_accuracy': 0.91, 'eval_runtime': 2.1, "
        "'eval_samples_per_second': 47.6, 'epoch': 1.0}",
        [
            ({"loss": 0.5123, "learning_rate": 1.5e-05}, None),
            ({"eval_loss": 0.4, "eval_accuracy": 0.91}, 1),
        ],
    ),
    "torchvision's references": (
        "Epoch: [0]  [ 10/60]  eta: 0:00:49  lr: 0.000090  loss: 4.1012 (4.2561)  "
        "loss_classifier: 2.1 (2.2)  time: 0.8123  data: 0.0112  max mem: 3000",
        [({"lr": 0.000090, "loss": 4.1012, "loss_classifier": 2.1}, 10)],
    ),
    "imagenet's meters": (
        "Epoch: [1][ 10/391]\tTime  0.231 ( 0.412)\tData  0.001 ( 0.102)\t"
        "Loss 6.9012e+00 (6.9231e+00)\tAcc@1   0.78 (  0.35)\tAcc@5   1.56 (  1.42)",
        [({"Loss": 6.9012, "Acc@1": 0.78, "Acc@5": 1.56}, 10)],
    ),
    "timm": (
        "Train: 0 [  50/97 ( 53%)]  Loss: 6.891 (6.91)  Time: 0.221s, 579.1/s  LR: 1.000e-05  "
        "Data: 0.010 (0.021)",
        [({"Train Loss": 6.891, "Train LR": 1e-05}, 50)],
    ),
    "ignite": (
        "Epoch[1] Iteration[100/200] Loss: 0.53\n"
        "Training Results - Epoch: 1 Avg accuracy: 0.85 Avg loss: 0.51",
        [
            ({"Loss": 0.53}, 100),
            ({"Training Avg accuracy": 0.85, "Training Avg loss": 0.51}, 1),
        ],
    ),
    "steps": (
        "step 0: train loss 4.2121, val loss 4.3011\niter 10: loss 3.9123, time 103.21ms, mfu 2.1%",
        [({"train loss": 4.2121, "val loss": 4.3011}, 0), ({"loss": 3.9123}, 10)],
    ),
    "a bar's postfix": (
        "Epoch 1:  100%|██████████| 600/600 [00:10<00:00, 58.21it/s, loss=0.123, acc=0.97]",
        [({"loss": 0.123, "acc": 0.97}, 1)],
    ),
    "two networks": (
        "[0/5][50/1583]\tLoss_D: 0.5921\tLoss_G: 12.2123\tD(x): 0.8612\tD(G(z)): 0.1 / 0.0001",
        [({"Loss_D": 0.5921, "Loss_G": 12.2123}, 50)],
    ),
    "print(loss.item())": (
        "loss: 0.6931\nloss: 0.5123",
        [({"loss": 0.6931}, None), ({"loss": 0.5123}, None)],
    ),
    "a tensor": (
        "epoch 2 loss tensor(0.5123, grad_fn=<NllLossBackward0>)",
        [({"loss": 0.5123}, 2)],
    ),
    "equals signs": (
        "epoch=7 train_loss=0.31 val_loss=0.42 val_miou=0.61 lr=0.001",
        [({"train_loss": 0.31, "val_loss": 0.42, "val_miou": 0.61, "lr": 0.001}, 7)],
    ),
    "names of splits in brackets": (
        "[Epoch 5] loss (train): 0.31, loss (val): 0.35",
        [({"loss (train)": 0.31, "loss (val)": 0.35}, 5)],
    ),
    "a sentence of the whole set": (
        "Accuracy of the network on the 10000 test images: 55 %\n"
        "Accuracy for class: plane is 62.3 %",
        [
            ({"Accuracy of the network on the 10000 test images": 55.0}, None),
            ({"Accuracy for class: plane": 62.3}, None),
        ],
    ),
    "coco": (
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.374",
        [({"Average Precision (AP) @[ IoU=0.50:0.95 | area= all | maxDets=100 ]": 0.374}, None)],
    ),
    "nothing finite": (
        "Epoch 3 loss: nan\nEpoch 4 loss: inf",
        [({"loss": math.nan}, 3), ({"loss": math.inf}, 4)],
    ),
    "thousands": ("Epoch 1, total loss: 1,234.5", [({"total loss": 1234.5}, 1)]),
    "at thresholds": (
        "epoch 3  mAP@0.5: 0.71  mAP50-95: 0.52  val/precision 0.8 val/recall 0.7",
        [({"mAP@0.5": 0.71, "mAP50-95": 0.52, "val/precision": 0.8, "val/recall": 0.7}, 3)],
    ),
    "abbreviations": (
        "Epoch:   1 | Train Loss: 2.301 | Val. Loss: 2.29 |  Val. Acc: 12.0%",
        [({"Train Loss": 2.301, "Val. Loss": 2.29, "Val. Acc": 12.0}, 1)],
    ),
    "meters beside each other": (
        "epoch [1/10] batch [5/10] time 0.2 (0.3) data 0.1 (0.1) loss 1.2 (1.3) acc 50.0 (45.0) "
        "lr 2.0e-3 eta 0:00:10",
        [({"loss": 1.2, "acc": 50.0, "lr": 0.002}, 5)],
    ),
    "a share": ("Accuracy: 9512/10000 (95.12%)", [({"Accuracy": 0.9512}, None)]),
    "overall": (
        "Test Accuracy (Overall): 97% (9751/10000)",
        [({"Test Accuracy (Overall)": 97.0}, None)],
    ),
    "openmmlab's log": (
        "06/12 10:01:01 - mmengine - INFO - Epoch(train) [2][10/125]  lr: 1.0000e-02  "
        "eta: 0:01:02  time: 0.1  data_time: 0.01  memory: 300  loss: 2.3012",
        [({"train lr": 0.01, "train loss": 2.3012}, 10)],
    ),
    "a log's line": ("2024-05-01 12:00:01 INFO Epoch 3 loss 0.51", [({"loss": 0.51}, 3)]),
    "arrows": (
        "Epoch 02 --> train_loss: 0.52 --> valid_acc: 0.88",
        [({"train_loss": 0.52, "valid_acc": 0.88}, 2)],
    ),
}

NO_METRIC = [
    "",
    "Files already downloaded and verified",
    "Using cuda device",
    "170499072/170498071 [00:12<00:00, 14012345.12it/s]",
    "Shape of X [N, C, H, W]: torch.Size([64, 1, 28, 28])",
    "Total params: 11,689,512",
    "Epoch 3/10",
    "Epoch 3 took 12.5 s",
    "Training complete in 1m 7s",
    "learning rate: 0.001",
    "lr = 0.001",
    "lr: 0.1, momentum: 0.9, weight_decay: 0.0005",
    "batch_size: 64",
    "loss_weight: 0.5",
    "loss weight: 0.5",
    "target accuracy: 0.95",
    "accuracy threshold 0.9",
    "iou: 0.7",
    "conf: 0.25, iou: 0.7",
    "precision: 16",
    "Epoch 1: val_loss improved from inf to 0.29123, saving model to best.keras",
    "Epoch 9: early stopping",
    "EarlyStopping counter: 3 out of 5",
    "Epoch 00012: reducing learning rate of group 0 to 1.0000e-04.",
    "loss < 0.5 reached",
    "the loss fell by 0.3 since the last time",
    "I lost 3 points",
    "torch 2.4.0, CUDA 12.1",
    "2024-05-01 12:00:01,123 INFO loading weights 0.5",
    "elapsed: 00:12:31",
    "GPU memory: 1234 MB of 8192 MB",
    "100%|██████████| 600/600 [00:10<00:00, 58.21it/s]",
    "Linear-1 [-1, 10] 5,130",
    "Predicted: 7, Actual: 7",
    "0.123",
    "tensor([0.1, 0.2])",
    "label_smoothing: 0.1",
    "dice loss weight 0.5, ce loss weight 0.5",
    "IPv4 127.0.0.1 error 404",
    "Error: file 3 is missing",
    "errors: 0",
    "Epoch 1\nError 404",
    "Epoch 1\nlr: 0.01",
    "Validation loss decreased (inf --> 0.2912).  Saving model ...",
    "           0       0.98      0.99      0.98       980",
    "15230.1 examples/sec on cuda:0",
    "Model size: 12.3 MB, loss scale: 1024.0",
    "Looked at 12800/60000 samples",
    "score threshold: 0.05",
    "dropout 0.5",
    "Loss: CrossEntropyLoss()",
    "version 1.0 accuracy guaranteed 2.0",
    "Average time per batch: 0.12",
    "mean: 0.1307 std: 0.3081",
    "train: 50000 val: 10000",
    "train size 50000, test size 10000",
    "Epochs: 10",
    "metric: accuracy, k: 5",
    "x" * 5000 + " loss: 0.1",
    "loss " * 90 + "0.1",
]


def read(text: str) -> Read:
    reader = PrintedMetrics()
    found = (reader.read(line) for line in text.split("\n"))
    return [(one.values, one.step) for one in found if one is not None]


@pytest.mark.parametrize("form", LOOPS)
def test_a_printed_loop(form: str) -> None:
    text, expected = LOOPS[form]
    assert repr(read(text)) == repr(expected)


@pytest.mark.parametrize("line", NO_METRIC, ids=[line[:40] or "empty" for line in NO_METRIC])
def test_what_is_no_metric_is_left(line: str) -> None:
    assert read(line) == []


def _rows_of_the_docs() -> list[tuple[str, set[str]]]:
    text = (ROOT / "docs" / "zero-lines.md").read_text(encoding="utf-8")
    rows = []
    for line in text.split("\n"):
        cells = [cell.replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 3 or not cells[0].strip().startswith("`"):
            continue
        shown = " ".join(re.findall(r"`([^`]+)`", cells[0])[:1])
        names = {
            name.removeprefix("printed/") for name in re.findall(r"`(printed/[^`]+)`", cells[1])
        }
        if "below it" not in cells[0]:
            rows.append((shown, names))
    return rows


@pytest.mark.parametrize(("line", "names"), _rows_of_the_docs())
def test_the_docs_say_what_is_read(line: str, names: set[str]) -> None:
    assert {name for values, _ in read(line) for name in values} == names


def test_the_docs_have_such_rows() -> None:
    assert len(_rows_of_the_docs()) >= 7
