"""The optimiser, and the learning rate as a pure function of the step."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn, optim

from fashion_mnist.pipeline import files
from fashion_mnist.training.muon import Muon
from fashion_mnist.training.parameters import Train

FUSED = {"cpu", "cuda", "mps", "xpu"}  # devices for which torch has one kernel for all parameters


# The optimisers import the compiler, which takes as long as all of torch, to tell it to keep off
# their methods. By this mark they remember that they have told it.
for _method in map(inspect.unwrap, vars(optim.Optimizer).values()):
    if inspect.isfunction(_method):
        _method.__dynamo_disable = _method  # type: ignore[attr-defined]


def update_of(optimizer: optim.Optimizer) -> Callable[[], None]:
    """The optimiser's step without its wrappers, which serve hooks and the compiler alone."""
    update = inspect.unwrap(type(optimizer).step)

    @torch.no_grad()
    def step() -> None:
        update(optimizer)

    return step


def make_optimizer(network: nn.Module, settings: Train) -> optim.Optimizer:
    """The optimiser that `settings` names, with weight decay on weights alone.

    Vectors (biases, the scales of batch normalisation) are not decayed, as is usual.
    """
    parameters = list(network.parameters())
    weights = [p for p in parameters if p.dim() > 1]
    hidden: list[nn.Parameter] = []
    if settings.optimizer == "muon":
        hidden, weights = weights[1:-1], [weights[0], weights[-1]]
    groups: list[dict[str, Any]] = [
        {"params": weights},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    device = parameters[0].device.type
    fused = device in FUSED
    if settings.optimizer == "sgd":
        return optim.SGD(
            groups,
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
            weight_decay=settings.weight_decay,
            fused=fused,
        )
    kind: type[optim.Adam] = optim.Adam if settings.optimizer == "adam" else optim.AdamW
    adam = kind(
        groups,
        lr=settings.lr,
        betas=(settings.momentum, 0.999),
        weight_decay=settings.weight_decay,
        fused=fused,
        capturable=device == "cuda",  # the count of steps stays on the device
    )
    if not hidden:
        return adam
    return Muon(hidden, adam, settings.lr, settings.momentum, settings.weight_decay)


def learning_rate(step: float, steps_per_epoch: int, settings: Train) -> float:
    """The learning rate of a step, counted from 0 over the whole run.

    An epoch of fewer steps takes fractions of them, so that each ends where it would.

    constant: `lr`. step: `lr` times `step_factor` for each `step_epochs` epochs that have passed.
    cosine: linearly up to `lr` over the warm-up, then by half a cosine wave towards zero
    (Loshchilov and Hutter, 2017). onecycle: by half a cosine wave from `lr`/25 up to `lr` over the
    warm-up and down to `lr`/250,000, as torch's OneCycleLR (Smith and Topin, 2018).
    """
    lr, total = settings.lr, settings.epochs * steps_per_epoch
    if settings.schedule == "constant":
        return lr
    if settings.schedule == "step":
        drops = step // (settings.step_epochs * steps_per_epoch)
        return lr * float(settings.step_factor**drops)
    if settings.schedule == "cosine":
        rising = settings.warmup * total
        if step < rising:
            return lr * (step + 1) / (math.floor(rising) + 1)
        return _wave(lr, 0.0, (step - rising) / (total - rising))
    peak = settings.warmup * total - 1
    if step < peak:
        return _wave(lr / 25, lr, step / peak)
    return _wave(lr, lr / 25e4, (step - peak) / max(1.0, total - 1 - peak))


def _wave(start: float, end: float, share: float) -> float:
    """From `start` to `end` by half a cosine wave, at a share of 0 to 1 of the way.

    To twelve digits: the last ones of a cosine are the C library's, not the same everywhere.
    """
    return files.significant(end + (start - end) * (1 + math.cos(math.pi * share)) / 2, 12)
