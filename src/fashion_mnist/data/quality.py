"""What the data are like: images by class, and those that are identical or nearly so."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from fashion_mnist.data.preparation import Part
from fashion_mnist.pipeline.files import Value
from fashion_mnist.pipeline.splits import Nearest

LEVELS = (1, 3, 5, 8, 10)
"""Grey levels of 255 up to which two images are counted as nearly identical."""

ROWS, COLUMNS = 512, 8192  # of a block: 16 MiB of products

SAMPLES = 200
"""Images that a picture of samples shows at most, eight of them of a class at most."""


def nearest(part: Part, training: Part) -> Nearest:
    """The training image that each image of a part resembles most, by the pixels' mean square.

    Of several equally near ones the first. The products of a blocked matrix product are exact, and
    so the same on every processor: of pixels less 128 each is at most 2^14, so that every sum of
    784 of them is a whole number below 2^24, which float32 holds.
    """
    images = _centred(part.images)
    found = np.zeros(len(images), np.int64)
    closest = np.full(len(images), np.iinfo(np.int32).min, np.int32)
    for start in range(0, len(training.labels), COLUMNS):
        others = _centred(training.images[start : start + COLUMNS])
        squares = np.einsum("ij,ij->i", others, others).astype(np.int32)
        for first in range(0, len(images), ROWS):
            rows = slice(first, first + ROWS)
            # 2ab - b², which is a² less the squared distance
            score = (images[rows] @ others.T).astype(np.int32)
            score *= 2
            score -= squares
            best = score.argmax(axis=1)
            value = score[np.arange(len(score)), best]
            nearer = value > closest[rows]
            found[rows][nearer] = start + best[nearer]
            closest[rows][nearer] = value[nearer]
    distances = np.einsum("ij,ij->i", images, images).astype(np.int64) - closest
    return Nearest(
        np.sqrt(distances / images.shape[1]).astype(np.float32),
        training.index[found],
        training.labels[found],
    )


def _centred(images: np.ndarray) -> np.ndarray:
    """The pixels less 128, float32, N×784."""
    pixels = images.reshape(len(images), math.prod(images.shape[1:])).astype(np.float32)
    pixels -= 128
    return pixels


def report(
    parts: Mapping[str, Part], near: Mapping[str, Nearest], classes: int
) -> dict[str, Value]:
    """Counts of images.

    `*_images` of each split; `smallest_class` and `largest_class`, of the training split;
    `identical`, those that equal an earlier one, of any split, and `conflicting`, those that equal
    one with another label; `test_within_5`, test images with a training image within 5 grey levels
    (root mean square of the pixels' differences; identical ones included), and so on.

    Args:
        parts: by split, "train" among them.
        near: what `nearest` gave, by split.
        classes: how many there are; one may have no training image.
    """
    labels_of: dict[bytes, list[int]] = defaultdict(list)
    for part in parts.values():
        for image, label in zip(part.images, part.labels.tolist(), strict=True):
            labels_of[hashlib.sha256(image).digest()].append(label)
    counts = np.bincount(parts["train"].labels, minlength=classes)
    return {
        **{f"{name}_images": len(part.labels) for name, part in parts.items()},
        "smallest_class": int(counts.min()),
        "largest_class": int(counts.max()),
        "identical": sum(len(labels) - 1 for labels in labels_of.values()),
        "conflicting": sum(len(labels) for labels in labels_of.values() if len(set(labels)) > 1),
        **{
            f"{name}_within_{level}": int((found.distances <= level).sum())
            for name, found in near.items()
            for level in LEVELS
        },
    }


def class_rows(parts: Mapping[str, Part], names: Sequence[str]) -> list[list[Value]]:
    """A row for each class: its name, and its images in each part."""
    counts = [np.bincount(part.labels, minlength=len(names)).tolist() for part in parts.values()]
    return [[name, *row] for name, *row in zip(names, *counts, strict=True)]


def samples(part: Part, names: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """The first images of each class, of the first `SAMPLES` classes: name and uint8 n×28×28.

    Each class has n places; those of one with fewer images stay black.
    """
    rows = []
    each = min(8, max(1, SAMPLES // len(names)))
    for label, name in enumerate(names[:SAMPLES]):
        found = part.images[np.flatnonzero(part.labels == label)[:each]]
        rows.append((name, np.pad(found, ((0, each - len(found)), (0, 0), (0, 0)))))
    return rows
