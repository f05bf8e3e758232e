"""What training does to images, vectorised, with a draw of its own for each sample."""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from fashion_mnist.training.parameters import Augment
from fashion_mnist.training.randomness import generator


def augment(
    images: Tensor, settings: Augment, black: float, source: torch.Generator, mirrored: Tensor
) -> Tensor:
    """Rotate, mirror, crop and erase, each where `settings` has it on.

    Args:
        images: float32, N×1×28×28, normalised; not changed.
        settings: the parameters `train.augment`.
        black: normalised value of a zero pixel, for what is uncovered or erased.
        source: of every draw, on the images' device.
        mirrored: bool, N, which samples to mirror (see `draw_mirrored`).

    Returns:
        float32, N×1×28×28. With everything off, `images` itself.
    """
    if settings.rotation > 0:
        images = rotate(images, settings.rotation, mirrored, black, source)
    elif settings.flip or settings.flip_alternating:
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if settings.crop_padding > 0:
        images = crop(images, settings.crop_padding, black, source)
    if settings.erasing > 0:
        images = erase(images, settings.erasing, black, source)
    return images


def rotate(
    images: Tensor, degrees: float, mirrored: Tensor, black: float, source: torch.Generator
) -> Tensor:
    """Mirror the chosen images, then rotate each by an angle from ±`degrees`, uniform, bilinearly.

    Both in one pass, about the centre of the image.
    """
    angles = uniform(images, source, -degrees, degrees) * (math.pi / 180)
    cos, sin = angles.cos(), angles.sin()
    side = 1 - 2 * mirrored.to(cos.dtype)  # -1 mirrors the horizontal coordinate
    matrices = torch.stack([side * cos, side * -sin, sin, cos], dim=1).view(-1, 2)
    # affine_grid's coordinates, by one product instead of one for each image, 20 times as fast
    height, width = images.shape[2:]
    rows, columns = (
        (torch.arange(size, device=images.device) * 2 + 1) / size - 1 for size in (height, width)
    )
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy")).view(2, -1)
    grid = (matrices @ points).view(-1, 2, height, width).permute(0, 2, 3, 1)
    # grid_sample fills with zero: black is moved there and back
    return grid_sample(images - black, grid, align_corners=False) + black


def crop(images: Tensor, padding: int, black: float, source: torch.Generator) -> Tensor:
    """Shift each image by up to `padding` pixels, uniform, as a crop after padding with black."""
    count, _, height, width = images.shape
    top, left = (
        torch.randint(2 * padding + 1, (count, 1), generator=source, device=images.device)
        for _ in range(2)
    )
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    padded = pad(images[:, 0], [padding] * 4, value=black)
    sample = torch.arange(count, device=images.device)[:, None, None]
    return padded[sample, rows[:, :, None], columns[:, None, :]][:, None]


def erase(images: Tensor, probability: float, black: float, source: torch.Generator) -> Tensor:
    """Blacken a random rectangle of some images: random erasing (Zhong et al., 2020).

    As there, its area is 2 to 40 % of the image and its aspect ratio 0.3 to 1/0.3 (here
    log-uniform); what would lie outside is cut off.
    """
    _, _, height, width = images.shape
    area = uniform(images, source, 0.02, 0.4) * (height * width)
    ratio = uniform(images, source, math.log(0.3), -math.log(0.3)).exp()
    chosen = uniform(images, source, 0, 1) < probability
    inside = chosen[:, None, None]
    for axis, (size, extent) in enumerate(
        [(height, (area * ratio).sqrt()), (width, (area / ratio).sqrt())]
    ):
        extent = extent.clamp(max=size)
        start = uniform(images, source, 0, 1) * (size - extent)
        position = torch.arange(size, device=images.device) + 0.5
        within = (position >= start[:, None]) & (position < (start + extent)[:, None])
        inside = inside & within.unsqueeze(2 - axis)
    return images.masked_fill(inside[:, None], black)


def draw_mirrored(
    count: int, settings: Augment, seed: int, epoch: int, device: torch.device
) -> Tensor:
    """Which of `count` samples are mirrored in `epoch`, bool, N; none where `flip` is off.

    Alternating, one draw decides who begins, and each sample is then mirrored every other epoch
    (airbench, Jordan, 2024): over two epochs the network sees each image both ways.
    """
    if settings.flip_alternating:
        first = torch.rand(count, generator=generator(seed, "flip", 0, device), device=device) < 0.5
        return first ^ (epoch % 2 == 1)
    source = generator(seed, "flip", epoch, device)
    return torch.rand(count, generator=source, device=device) < (0.5 if settings.flip else 0.0)


def uniform(images: Tensor, source: torch.Generator, low: float, high: float) -> Tensor:
    """One number from [low, high) for each image, float32, N."""
    numbers = torch.rand(len(images), generator=source, device=images.device)
    return low + (high - low) * numbers
