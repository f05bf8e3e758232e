"""What trials.py tries and the project does not have."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, relu

from fashion_mnist.model import networks
from fashion_mnist.model.inference import predict_logits
from fashion_mnist.model.networks import ConvNet, Convolution, Residual, scaled
from fashion_mnist.training.trainer import Trainer

Network = Callable[[float, float, int], nn.Module]
Blocks = Callable[[int], list[nn.Module]]
"""Modules for maps of so many channels."""


def plain_with(first: Blocks, later: Blocks) -> Network:
    """`plain`, with other blocks at 14×14 than none, and than a convolution at 7×7 and at 3×3."""

    def make(width: float, dropout: float, classes: int) -> nn.Module:
        c1, c2, c3 = (scaled(n, width) for n in (16, 32, 64))
        layers = [
            *(Convolution(1, c1, pool=True), *first(c1)),
            *(Convolution(c1, c2, pool=True), *later(c2)),
            *(Convolution(c2, c3, pool=True), *later(c3)),
        ]
        return ConvNet(layers, c3, dropout, classes)

    return make


class Excitation(nn.Module):
    """Squeeze and excitation (Hu et al., 2018): each channel is scaled by what all of them hold."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = max(8, channels // 4)
        self.squeeze, self.excite = nn.Linear(channels, between), nn.Linear(between, channels)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.excite(relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * (2 * scale)[:, :, None, None]


def plain_silu(width: float, dropout: float, classes: int) -> nn.Module:
    """`plain`, with SiLU in place of the rectifier."""
    network = networks.plain(width, dropout, classes)
    for module in network.modules():
        if isinstance(module, Convolution):
            module[-1] = nn.SiLU()
    return network


class Activated(nn.Sequential):
    """Batch normalisation and rectifier, then a 3×3 convolution, pooled where wanted."""

    def __init__(self, inputs: int, outputs: int, pool: bool = False) -> None:
        layers: list[nn.Module] = [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
        super().__init__(*layers, *([nn.MaxPool2d(2)] if pool else []))


class PreActivated(nn.Module):
    """A residual block whose sum nothing follows (He et al., 2016, Identity Mappings)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Activated(channels, channels), Activated(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = x + self.body(x)
        return summed


def preactivated(width: float, dropout: float, classes: int) -> nn.Module:
    """`resnet`, of pre-activation blocks."""
    c1, c2, c3, c4 = (scaled(n, width) for n in (16, 32, 64, 128))
    layers = [
        *(nn.Conv2d(1, c1, 3, padding=1, bias=False), PreActivated(c1)),
        *(Activated(c1, c2, pool=True), PreActivated(c2)),
        *(Activated(c2, c3, pool=True), PreActivated(c3)),
        *(Activated(c3, c4, pool=True), PreActivated(c4)),
        *(nn.BatchNorm2d(c4), nn.ReLU(inplace=True)),
    ]
    return ConvNet(layers, c4, dropout, classes)


NETWORKS: dict[str, Network] = {
    "resnet, pre-activation": preactivated,
    "plain, excitation": plain_with(lambda c: [], lambda c: [Convolution(c, c), Excitation(c)]),
    "plain, SiLU": plain_silu,
    "plain, residual at 7×7 and 3×3": plain_with(lambda c: [], lambda c: [Residual(c)]),
    "plain, one more convolution at 14×14": plain_with(
        lambda c: [Convolution(c, c)], lambda c: [Convolution(c, c)]
    ),
}


def speed_up_vectors(trainer: Trainer, factor: float) -> None:
    """Multiply the rate that each step sets for all parameters, for vectors alone."""
    update, vectors = trainer.step.update, trainer.optimizer.param_groups[-1]

    def faster() -> None:
        vectors["lr"] = vectors["lr"] * factor
        update()

    trainer.step.update = faster


def keep_first(trainer: Trainer, share: float) -> None:
    """After each step draw the first layer back to where it started, by `share` of the way.

    At 1 it stays there, as in the papers on whitening (Page, 2019; Jordan, 2024).
    """
    update, weight = trainer.step.update, next(trainer.network.parameters()).data
    first = weight.clone()

    def others() -> None:
        update()
        weight.lerp_(first, share)

    trainer.step.update = others


def distil(trainer: Trainer, teacher: nn.Module) -> None:
    """Let half of the loss be the distance to what a better network says (Hinton et al., 2015).

    At a temperature of 2, and of the images before their augmentation.
    """
    logits = predict_logits(teacher, trainer.batches.images, 1000).float()
    targets = (logits / 2).softmax(1)
    batches, loss = trainer.batches.epoch, trainer.step._loss
    at = torch.empty(0)

    def noted(epoch: int, chosen: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        nonlocal at
        for images, labels, index in batches(epoch, chosen):
            at = index
            yield images, labels, index

    def mixed(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        said = log_softmax(logits.float() / 2, 1)
        distances = 4 * kl_div(said, targets[at], reduction="none").sum(1)
        distance = distances.mean() if weights is None else (weights * distances).mean()
        return (loss(logits, labels, weights) + distance) / 2

    trainer.batches.epoch, trainer.step._loss = noted, mixed  # type: ignore[method-assign]


TRAININGS: dict[str, Callable[[Trainer, float], None]] = {
    "bias_rate": speed_up_vectors,
    "fixed_first": keep_first,
}
"""Changes of a training by what would be their parameter, with its value."""
