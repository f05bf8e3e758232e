"""What training does to images, vectorised, with random numbers of its own for each sample.

Those are drawn on the CPU, where they are the same everywhere. Each operation on a pixel is one
that IEEE 754 rounds in one way, so that the images are too.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from fashion_mnist.model import elementary, exact
from fashion_mnist.training.parameters import Augment
from fashion_mnist.training.randomness import generator


class Augmentation(NamedTuple):
    """A row of `AUGMENTATIONS`.

    Attributes:
        strength: its parameter of `train.augment`; 0 switches it off.
        numbers: random numbers that each sample needs.
        apply: takes images, float32, N×1×28×28, the strength, the normalised value of a black
            pixel, and random numbers from [0, 1), float32, `numbers`×N; gives new images.
    """

    strength: str
    numbers: int
    apply: Callable[[Tensor, float, float, Tensor], Tensor]


def draw(count: int, settings: Augment, source: torch.Generator) -> list[Tensor]:
    """The random numbers of each augmentation that is on, for `count` samples, on the CPU."""
    return [
        torch.rand(augmentation.numbers, count, generator=source)
        for augmentation in switched_on(settings)
    ]


def augment(
    images: Tensor, settings: Augment, black: float, mirrored: Tensor, drawn: list[Tensor]
) -> Tensor:
    """Mirror the chosen images; then what else `settings` has on.

    Args:
        images: float32, N×1×28×28, normalised; not changed.
        settings: the parameters `train.augment`.
        black: normalised value of a zero pixel, for what is uncovered or erased.
        mirrored: bool, N, which samples to mirror (see `draw_mirrored`).
        drawn: by `draw`, of these samples, on the images' device.

    Returns:
        float32, N×1×28×28. With everything off, `images` itself.
    """
    if settings.flip or settings.flip_alternating:
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    for (strength, _, apply), numbers in zip(switched_on(settings), drawn, strict=True):
        images = apply(images, getattr(settings, strength), black, numbers)
    return images


def switched_on(settings: Augment) -> list[Augmentation]:
    """The augmentations whose strength is not 0."""
    return [a for a in AUGMENTATIONS if getattr(settings, a.strength)]


def rotate(images: Tensor, degrees: float, black: float, numbers: Tensor) -> Tensor:
    """Rotate each image about its centre by an angle from ±`degrees`, uniform, bilinearly."""
    height, width = images.shape[2:]
    angles = (numbers[0].double() * 2 - 1) * (degrees * math.pi / 180)
    sine, cosine = (part.float()[:, None] for part in elementary.sin_cos(angles))
    down, along = (
        torch.arange(size, device=images.device) - (size - 1) / 2 for size in (height, width)
    )
    # Where each pixel comes from, in an image with a black pixel more on every side
    x = (cosine * along + (width + 1) / 2)[:, None, :] - (sine * down)[:, :, None]
    y = (sine * along)[:, None, :] + (cosine * down + (height + 1) / 2)[:, :, None]
    x, y = x.clamp_(0, width + 1), y.clamp_(0, height + 1)
    left, top = x.floor().clamp_(max=width), y.floor().clamp_(max=height)
    right, below = x.sub_(left).flatten(1), y.sub_(top).flatten(1)
    wide = pad(images[:, 0], [1, 1, 1, 1], value=black).flatten(1)
    at = top.mul_(width + 2).add_(left).flatten(1).long()
    upper, lower = (
        _between(wide.gather(1, first), wide.gather(1, first + 1), right)
        for first in (at, at + (width + 2))
    )
    return _between(upper, lower, below).view_as(images)


def _between(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """From `start` to `end` at a share of 0 to 1 of the way; overwrites `end`."""
    return end.sub_(start).mul_(share).add_(start)


def crop(images: Tensor, padding: float, black: float, numbers: Tensor) -> Tensor:
    """Shift each image by up to `padding` pixels, uniform, as a crop after padding with black."""
    count, _, height, width = images.shape
    top, left = (numbers * (2 * int(padding) + 1)).long()[:, :, None]
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    padded = pad(images[:, 0], [int(padding)] * 4, value=black)
    sample = torch.arange(count, device=images.device)[:, None, None]
    return padded[sample, rows[:, :, None], columns[:, None, :]][:, None]


def erase(images: Tensor, probability: float, black: float, numbers: Tensor) -> Tensor:
    """Blacken a random rectangle of some images: random erasing (Zhong et al., 2020).

    As there, its area is 2 to 40 % of the image and its aspect ratio 0.3 to 1/0.3 (here
    log-uniform); what would lie outside is cut off.
    """
    _, _, height, width = images.shape
    area = (numbers[0] * 0.38 + 0.02) * (height * width)
    widest = 1.2039728043259361  # the logarithm of 1/0.3
    ratio = elementary.exp((numbers[1].double() * 2 - 1) * widest).float()
    inside = (numbers[2] < probability)[:, None, None]
    extents = exact.root(area * ratio), exact.root(area / ratio)
    for axis, (size, extent) in enumerate(zip((height, width), extents, strict=True)):
        extent = extent.clamp(max=size)
        start = numbers[3 + axis] * (size - extent)
        position = torch.arange(size, device=images.device) + 0.5
        within = (position >= start[:, None]) & (position < (start + extent)[:, None])
        inside = inside & within.unsqueeze(2 - axis)
    return images.masked_fill(inside[:, None], black)


AUGMENTATIONS = (
    Augmentation("rotation", 1, rotate),
    Augmentation("crop_padding", 2, crop),
    Augmentation("erasing", 5, erase),
)
"""In the order in which they are applied, after mirroring."""


def draw_mirrored(count: int, settings: Augment, seed: int, epoch: int) -> Tensor:
    """Which of `count` samples are mirrored in `epoch`, bool, N, on the CPU.

    None where `flip` is off. Alternating, one draw decides who begins, and each sample is then
    mirrored every other epoch (airbench, Jordan, 2024): over two epochs the network sees each image
    both ways.
    """
    if settings.flip_alternating:
        first = torch.rand(count, generator=generator(seed, "flip", 0)) < 0.5
        return first ^ (epoch % 2 == 1)
    drawn = torch.rand(count, generator=generator(seed, "flip", epoch))
    return drawn < (0.5 if settings.flip else 0.0)
