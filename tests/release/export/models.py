"""Untrained networks whose outputs differ from input to input, as those of trained ones do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

_SCORES = re.compile(r"(cls_score|cls_logits|classification_head\.module_list\.\d+(\.1)?)$")
_SPREAD = 3.0  # standard deviation of the scores before softmax or sigmoid


def awake(model: nn.Module, call: Callable[[nn.Module], Any]) -> nn.Module:
    """Fit the batch norms to the inputs, and spread the scores of a detector.

    Without it the signal dies out in a deep untrained network: all inputs give the biases, and
    nothing could be told apart.
    """
    norms = [each for each in model.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum, norm.training = None, True
    with torch.no_grad():
        call(model)
        model.eval()
        for name, layer in model.named_modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)) and _SCORES.search(name):
                _spread(layer, model, call)
    return model


def _spread(layer: Any, model: nn.Module, call: Callable[[nn.Module], Any]) -> None:
    seen: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda module, given, result: seen.append(result))
    call(model)
    hook.remove()
    deviation = torch.cat([each.flatten() for each in seen]).std()
    layer.weight.mul_(_SPREAD / deviation.clamp_min(1e-8))
