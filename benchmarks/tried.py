"""What trials.py tries and the project does not have."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import relu

from fashion_mnist.model import networks
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


NETWORKS: dict[str, Network] = {
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
