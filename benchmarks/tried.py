"""What trials.py tries and the project does not have."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import relu

from fashion_mnist.model import networks
from fashion_mnist.model.networks import ConvNet, Convolution, Residual, scaled
from fashion_mnist.training.trainer import Trainer


def plain_residual(width: float, dropout: float, classes: int) -> nn.Module:
    """`plain`, with a residual block in place of the second convolution at 7×7 and at 3×3."""
    c1, c2, c3 = (scaled(n, width) for n in (16, 32, 64))
    layers = [
        Convolution(1, c1, pool=True),
        *(Convolution(c1, c2, pool=True), Residual(c2)),
        *(Convolution(c2, c3, pool=True), Residual(c3)),
    ]
    return ConvNet(layers, c3, dropout, classes)


def plain_deeper(width: float, dropout: float, classes: int) -> nn.Module:
    """`plain`, with a further convolution at 14×14."""
    c1, c2, c3 = (scaled(n, width) for n in (16, 32, 64))
    layers = [
        *(Convolution(1, c1, pool=True), Convolution(c1, c1)),
        *(Convolution(c1, c2, pool=True), Convolution(c2, c2)),
        *(Convolution(c2, c3, pool=True), Convolution(c3, c3)),
    ]
    return ConvNet(layers, c3, dropout, classes)


class Excitation(nn.Module):
    """Squeeze and excitation (Hu et al., 2018): each channel is scaled by what all of them hold."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = max(8, channels // 4)
        self.squeeze, self.excite = nn.Linear(channels, between), nn.Linear(between, channels)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.excite(relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * (2 * scale)[:, :, None, None]


def plain_excitation(width: float, dropout: float, classes: int) -> nn.Module:
    """`plain`, with excitation at 7×7 and at 3×3."""
    c1, c2, c3 = (scaled(n, width) for n in (16, 32, 64))
    layers = [
        Convolution(1, c1, pool=True),
        *(Convolution(c1, c2, pool=True), Convolution(c2, c2), Excitation(c2)),
        *(Convolution(c2, c3, pool=True), Convolution(c3, c3), Excitation(c3)),
    ]
    return ConvNet(layers, c3, dropout, classes)


def plain_silu(width: float, dropout: float, classes: int) -> nn.Module:
    """`plain`, with SiLU in place of the rectifier."""
    network = networks.plain(width, dropout, classes)
    for module in network.modules():
        if isinstance(module, Convolution):
            module[-1] = nn.SiLU()
    return network


NETWORKS: dict[str, Callable[[float, float, int], nn.Module]] = {
    "plain, excitation": plain_excitation,
    "plain, SiLU": plain_silu,
    "plain, residual at 7×7 and 3×3": plain_residual,
    "plain, one more convolution at 14×14": plain_deeper,
}


def speed_up_vectors(trainer: Trainer, factor: float) -> None:
    """Multiply the rate that each step sets for all parameters, for vectors alone."""
    update, vectors = trainer.step.update, trainer.optimizer.param_groups[-1]

    def faster() -> None:
        vectors["lr"] = vectors["lr"] * factor
        update()

    trainer.step.update = faster
