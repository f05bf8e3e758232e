"""Six corruptions of the test images, in five strengths each, as a measure of robustness.

They are written here, in the spirit of Hendrycks and Dietterich (2019), whose benchmark they are
not. Whole numbers alone are computed with, so that every processor makes the same images.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from fashion_mnist.pipeline.files import Value

STRENGTHS = (1, 2, 3, 4, 5)
SEED = 0  # of the noise, of directions and of places, the same in every run


def noise(images: np.ndarray, strength: int) -> np.ndarray:
    """Adds to each pixel a number of its own, uniform, of up to 20 grey levels a strength."""
    most = 20 * strength
    added = np.random.default_rng(SEED).integers(-most, most + 1, images.shape, dtype=np.int16)
    return (images + added).clip(0, 255).astype(np.uint8)


def blur(images: np.ndarray, strength: int) -> np.ndarray:
    """Averages each pixel with its neighbours, weights 1 2 1 by 1 2 1, as often as the strength."""
    for _ in range(strength):
        wide = np.pad(images, ((0, 0), (1, 1), (1, 1))).astype(np.uint16)
        rows = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
        images = ((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:] + 8) // 16).astype(
            np.uint8
        )
    return images


def shift(images: np.ndarray, strength: int) -> np.ndarray:
    """Moves each image by so many pixels, in one of the eight directions; black moves in."""
    directions = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    chosen = np.random.default_rng(SEED).integers(len(directions), size=len(images))
    height, width = images.shape[1:]
    wide = np.pad(images, ((0, 0), (strength, strength), (strength, strength)))
    moved = np.empty_like(images)
    for number, (down, right) in enumerate(directions):
        top, left = strength * (1 - down), strength * (1 - right)
        here = chosen == number
        moved[here] = wide[here, top : top + height, left : left + width]
    return moved


def rotation(images: np.ndarray, strength: int) -> np.ndarray:
    """Rotates each image by 6 degrees a strength, to one of the sides; bilinear, black outside."""
    one = 1 << 8  # coordinates are whole numbers of 1/256 pixel
    angle = math.radians(6 * strength)
    cos, sin = round(math.cos(angle) * one), round(math.sin(angle) * one)
    to_left = np.random.default_rng(SEED).integers(2, size=len(images), dtype=bool)
    size = images.shape[1]
    y, x = (2 * np.indices((size, size)) - (size - 1)).astype(np.int64)  # half pixels
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1))).astype(np.int64)
    turned = np.empty_like(images)
    for here, side in ((to_left, sin), (~to_left, -sin)):
        rows, columns = (
            ((place + (size - 1) * one) // 2).clip(-one, size * one) + one
            for place in (cos * y - side * x, side * y + cos * x)
        )
        row, column = rows // one, columns // one
        down, right = rows % one, columns % one
        below, beside = (place.clip(max=size) + 1 for place in (row, column))
        row, column = row.clip(max=size + 1), column.clip(max=size + 1)
        upper = wide[here][:, row, column] * (one - right) + wide[here][:, row, beside] * right
        lower = wide[here][:, below, column] * (one - right) + wide[here][:, below, beside] * right
        mixed = upper * (one - down) + lower * down
        turned[here] = (mixed + one * one // 2) // (one * one)
    return turned


def contrast(images: np.ndarray, strength: int) -> np.ndarray:
    """Draws each pixel towards its image's mean, by a seventh of the distance a strength."""
    flat = images.reshape(len(images), -1).astype(np.int32)
    mean = flat.sum(axis=1, keepdims=True) // flat.shape[1]
    drawn: np.ndarray = mean + ((flat - mean) * (7 - strength) + 3) // 7
    return drawn.astype(np.uint8).reshape(images.shape)


def occlusion(images: np.ndarray, strength: int) -> np.ndarray:
    """Blackens a square somewhere in each image, of 4 pixels and 2 more a strength."""
    side, size = 4 + 2 * strength, images.shape[1]
    tops, lefts = np.random.default_rng(SEED).integers(size - side + 1, size=(2, len(images), 1))
    place = np.arange(size)
    rows = (place >= tops) & (place < tops + side)
    columns = (place >= lefts) & (place < lefts + side)
    return np.where(rows[:, :, None] & columns[:, None, :], 0, images).astype(np.uint8)


CORRUPTIONS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "noise": noise,
    "blur": blur,
    "shift": shift,
    "rotation": rotation,
    "contrast": contrast,
    "occlusion": occlusion,
}
"""By name; each takes uint8 N×28×28 and a strength, and gives as many images anew."""


def corrupted(images: np.ndarray) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, strength and images, uint8 N×28×28, of every corruption in every strength."""
    for name, corrupt in CORRUPTIONS.items():
        for strength in STRENGTHS:
            yield name, strength, corrupt(images, strength)


COLUMNS = ("corruption", "strength", "accuracy")


def rows(clean: float, accuracies: Mapping[tuple[str, int], float]) -> list[list[Value]]:
    """A row of `COLUMNS` for the clean images, of strength 0, and for each that was measured.

    None at all where nothing was measured: a plot of the clean images alone would say nothing.
    """
    measured = {("none", 0): clean, **accuracies} if accuracies else {}
    return [[name, strength, accuracy] for (name, strength), accuracy in measured.items()]
