"""From raw images to normalised splits: the hold-out and the normalisation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fashion_mnist.data.parameters import Prepare
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.splits import Nearest, Split, normalise

Pair = tuple[np.ndarray, np.ndarray]
"""Images, uint8, N×28×28, and labels, uint8, N."""


@dataclass(frozen=True)
class Part:
    """The images of a split as they are in the file.

    Attributes:
        images: uint8, N×28×28.
        labels: int64, N.
        index: int64, N, positions in the IDX file, ascending.
    """

    images: np.ndarray
    labels: np.ndarray
    index: np.ndarray


def divide(train: Pair, test: Pair, size: int, seed: int) -> dict[str, Part]:
    """The parts "train", "validation" and "test", the first two from `train` (see `hold_out`).

    Raises:
        UserError: the hold-out leaves nothing to train on.
    """
    kept, held_out = hold_out(train[1], size, seed)
    chosen = {
        "train": (train, kept),
        "validation": (train, held_out),
        "test": (test, np.arange(len(test[1]))),
    }
    return {
        name: Part(images[index], labels[index].astype(np.int64), index)
        for name, ((images, labels), index) in chosen.items()
    }


def make_splits(
    parts: Mapping[str, Part], settings: Prepare, nearest: Mapping[str, Nearest]
) -> dict[str, Split]:
    """The parts, normalised.

    Args:
        nearest: what a split is to carry of it, by the split's name.

    Raises:
        UserError: all pixels are equal, so that they cannot be normalised by their standard
            deviation.
    """
    mean, std = settings.mean, settings.std
    if settings.normalisation == "measured":
        mean, std = statistics(parts["train"].images)
        if std == 0:
            raise UserError("prepare.normalisation is measured, but all training pixels are equal")
    classes = tuple(settings.classes)
    return {
        name: Split(
            normalise(part.images, mean, std),
            part.labels,
            mean,
            std,
            classes,
            part.index,
            nearest.get(name),
        )
        for name, part in parts.items()
    }


def hold_out(labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose `size` positions for validation, stratified by class, by a seeded permutation.

    A class of n of all N labels gives n·size/N positions, rounded by largest remainder, so that
    the counts add up to `size` and differ from the exact share by less than one.

    Args:
        labels: class of each sample, N.
        size: number of samples to hold out, 0 to N - 1.
        seed: of the permutation.

    Returns:
        The positions for training and for validation, int64, each in ascending order.

    Raises:
        UserError: nothing would be left to train on.
    """
    if size >= len(labels):
        raise UserError(
            f"prepare.validation_size is {size}, but there are only {len(labels)} training images:"
            f" give at most {len(labels) - 1}"
        )
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * size / len(labels)
    quota = np.floor(exact).astype(int)
    by_remainder = np.argsort(quota - exact, kind="stable")
    quota[by_remainder[: size - quota.sum()]] += 1
    generator = np.random.default_rng(seed)
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:count]
        for label, count in zip(classes, quota, strict=True)
    ]
    validation = np.sort(np.concatenate(chosen)).astype(np.int64)
    return np.setdiff1d(np.arange(len(labels)), validation), validation


def statistics(images: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation over all pixels of uint8 images, on the scale 0 to 1.

    From the histogram of pixel values, in whole numbers up to the last division and root: exact,
    hence the same on every processor, and without a float copy.
    """
    counts = [int(count) for count in np.bincount(images.reshape(-1), minlength=256)]
    pixels = sum(counts)
    first = sum(value * count for value, count in enumerate(counts))
    second = sum(value * value * count for value, count in enumerate(counts))
    return first / (255 * pixels), math.sqrt((pixels * second - first**2) / (255 * pixels) ** 2)
