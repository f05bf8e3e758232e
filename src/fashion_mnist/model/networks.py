"""The architectures, by name.

Each maps normalised images, float32 N×1×28×28, to logits, N×K, one for
each class. Convolutions run in the
channels-last layout, which is twice as fast on a CPU, and pooling comes before the rectifier: the
two commute, and the rectifier then has a quarter of the values to go through.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad, relu
from torch.overrides import handle_torch_function, has_torch_function

from fashion_mnist.model.inference import predict_logits


def build(
    name: str,
    width: float = 1.0,
    dropout: float = 0.0,
    mirror_average: bool = False,
    seed: int = 0,
    classes: int = 10,
) -> nn.Module:
    """A network with weights drawn from `seed`, on the CPU, in the channels-last layout.

    Args:
        name: a key of `NETWORKS`.
        width: multiplies the channels and units of every hidden layer.
        dropout: probability with which a unit before the classifier is dropped in training.
        mirror_average: see `Network`.
        seed: of the initial weights; the global random state is left as it was.
        classes: outputs.
    """
    with torch.random.fork_rng(devices=[]):
        network = NETWORKS[name](width, dropout, classes)
    initialise(network, torch.Generator().manual_seed(seed))
    network.mirror_average = mirror_average
    network.to(memory_format=torch.channels_last)
    return network


@torch.no_grad()
def initialise(network: nn.Module, source: torch.Generator) -> None:
    """Draw weights and biases as torch does by default: uniform, up to 1/sqrt(inputs) of a unit.

    Torch's own `uniform_` multiplies and adds in one kernel, which differs between processors.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            most = 1 / math.sqrt(layer.weight[0].numel())
            for parameter in layer.parameters():
                parameter.copy_(torch.rand(parameter.shape, generator=source) * (2 * most) - most)


def multiply_adds(network: nn.Module) -> int:
    """Multiplications with a weight for one image, in convolutions and linear layers.

    In evaluation mode: the mean over an image and its mirror image takes twice as many.
    """
    counted = 0

    def count(layer: nn.Module, _: tuple[Tensor], output: Tensor) -> None:
        nonlocal counted
        counted += layer.get_parameter("weight").numel() * output.shape[2:].numel()

    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    image = next(network.parameters()).new_zeros(1, 1, 28, 28)
    predict_logits(network, image, 1)
    for handle in handles:
        handle.remove()
    return counted


class Network(nn.Module):
    """Images to logits, in evaluation mode the mean over each image and its mirror image if wanted.

    Attributes:
        mirror_average: whether it is. A garment seen in a mirror is the same garment; the errors
            that a network makes on the two are not quite the same, and partly cancel.
    """

    mirror_average = False

    def forward(self, images: Tensor) -> Tensor:
        logits = self.logits(images)
        if self.mirror_average and not self.training:
            logits = (logits + self.logits(images.flip(3))) / 2
        return logits

    def logits(self, images: Tensor) -> Tensor:
        """The logits of the images as they are."""
        raise NotImplementedError


class LeNet(Network):
    """The original exercise's network, after LeNet-5 (LeCun et al., 1998).

    At width 1, of ten classes: 60,074 parameters, 0.20 million multiply-adds an image.
    """

    def __init__(self, width: float, dropout: float, classes: int) -> None:
        super().__init__()
        c1, c2, f1, f2 = (scaled(n, width) for n in (6, 16, 120, 84))
        self.conv1 = SpareConv2d(1, c1, 3)
        self.conv2 = SpareConv2d(c1, c2, 3)
        self.linear1 = nn.Linear(c2 * 5 * 5, f1)
        self.linear2 = nn.Linear(f1, f2)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(f2, classes)

    def logits(self, images: Tensor) -> Tensor:
        x = relu(max_pool2d(self.conv1(channels_last(images)), 2))
        x = relu(max_pool2d(self.conv2(x), 2))[:, : self.conv2.out_channels]
        x = relu(self.linear1(x.flatten(1)))
        x = relu(self.linear2(x))
        logits: Tensor = self.classifier(self.dropout(x))
        return logits


class SpareConv2d(nn.Conv2d):
    """A convolution that is computed by `spare_conv2d`; its output has the spare channels too."""

    def forward(self, x: Tensor) -> Tensor:
        return spare_conv2d(x, self.weight, self.bias)


def spare_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution with spare channels of zeros, in and out, up to a multiple of eight.

    Six channels are fewer than a vector register holds: two more change no value and make LeNet's
    step about a seventh faster. In portable arithmetic there are none.
    """
    if has_torch_function((x,)):
        made: Tensor = handle_torch_function(spare_conv2d, (x,), x, weight, bias)
        return made
    spare_in, spare_out = x.shape[1] - weight.shape[1], -len(weight) % 8
    weight = pad(weight, [0, 0, 0, 0, 0, spare_in, 0, spare_out])
    return conv2d(x, weight, None if bias is None else pad(bias, [0, spare_out]))


class ConvNet(Network):
    """Convolutions with batch normalisation, down to maps of 3×3, and a linear classifier."""

    def __init__(
        self, layers: Sequence[nn.Module], channels: int, dropout: float, classes: int
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels * 3 * 3, classes)

    def logits(self, images: Tensor) -> Tensor:
        x = self.features(channels_last(images))
        logits: Tensor = self.classifier(self.dropout(x.flatten(1)))
        return logits


def plain(width: float, dropout: float, classes: int) -> Network:
    """3×3 convolutions, most of them where the maps are small.

    The first sees the full 28×28 and is pooled to 14×14. Then twice: a pooled convolution that
    doubles the channels, to 7×7 and to 3×3, and one that keeps them. At width 1, of ten classes:
    75,450 parameters, 2.71 million multiply-adds an image.
    """
    c1, c2, c3 = (scaled(n, width) for n in (16, 32, 64))
    layers = [
        Convolution(1, c1, pool=True),
        *(Convolution(c1, c2, pool=True), Convolution(c2, c2)),
        *(Convolution(c2, c3, pool=True), Convolution(c3, c3)),
    ]
    return ConvNet(layers, c3, dropout, classes)


def resnet(width: float, dropout: float, classes: int) -> Network:
    """A residual block (He et al., 2016) at each resolution from 28×28 down to 3×3.

    Few channels at a high resolution earn more for their time than many at a low one. At width 1,
    of ten classes: 501,562 parameters, 24.5 million multiply-adds an image.
    """
    c1, c2, c3, c4 = (scaled(n, width) for n in (16, 32, 64, 128))
    layers = [
        *(Convolution(1, c1), Residual(c1)),
        *(Convolution(c1, c2, pool=True), Residual(c2)),
        *(Convolution(c2, c3, pool=True), Residual(c3)),
        *(Convolution(c3, c4, pool=True), Residual(c4)),
    ]
    return ConvNet(layers, c4, dropout, classes)


class Convolution(nn.Sequential):
    """3×3 convolution, max-pooling where wanted, batch normalisation, rectifier."""

    def __init__(self, inputs: int, outputs: int, pool: bool = False) -> None:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
        layers += [nn.MaxPool2d(2)] if pool else []
        super().__init__(*layers, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two 3×3 convolutions with batch normalisation, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Convolution(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return relu(x + self.body(x))


def channels_last(images: Tensor) -> Tensor:
    """The same images, N×1×H×W, with the strides of the channels-last layout.

    With one channel the two layouts hold the same bytes; the strides alone tell the convolutions
    which one to give to what follows.
    """
    return images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def scaled(count: int, width: float) -> int:
    """A layer's channels or units at `width`, at least one."""
    return max(1, round(count * width))


NETWORKS: dict[str, Callable[[float, float, int], Network]] = {
    "lenet": LeNet,
    "plain": plain,
    "resnet": resnet,
}
