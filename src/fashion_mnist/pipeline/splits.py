"""The prepared splits as files, which stages hand to each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import numpy as safetensors_numpy

from fashion_mnist.pipeline.classes import CLASSES
from fashion_mnist.pipeline.errors import UserError


@dataclass(frozen=True)
class Split:
    """A split's arrays and how its pixels were normalised.

    Attributes:
        images: float32, N×1×28×28, (pixel / 255 - mean) / std.
        labels: int64, N, 0 to 9.
        mean: of pixel / 255, as it was subtracted.
        std: by which it was then divided.
    """

    images: np.ndarray
    labels: np.ndarray
    mean: float
    std: float

    @property
    def black(self) -> float:
        """The normalised value of a zero pixel."""
        return (0 - self.mean) / self.std

    @property
    def pixels(self) -> np.ndarray:
        """The images before normalisation, float32, N×28×28, 0 (black) to 1."""
        return self.images[:, 0] * self.std + self.mean


def to_bytes(split: Split) -> bytes:
    """The split as a safetensors file, the same bytes for the same split."""
    return safetensors_numpy.save(
        {
            "images": np.ascontiguousarray(split.images),
            "labels": split.labels,
            "mean": np.array([split.mean]),
            "std": np.array([split.std]),
        }
    )


def read(path: Path) -> Split:
    """Read a split that `to_bytes` made.

    Raises:
        UserError: the file is missing or is no such split; nothing in it is ever executed.
    """
    try:
        path.open("rb").close()  # safetensors takes every failure to open for a missing file
        return _split(safetensors_numpy.load_file(path))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes the library raise
        raise UserError(f"{path}: not a prepared split ({error}); `dvc repro` mends it") from None


def _split(arrays: dict[str, np.ndarray]) -> Split:
    """The split that `to_bytes` was given, from its arrays.

    Raises:
        KeyError, ValueError: they are another file's, or damaged.
    """
    images, labels, mean, std = (arrays[name] for name in ("images", "labels", "mean", "std"))
    wanted: dict[str, tuple[np.ndarray, type, tuple[int, ...]]] = {
        "images": (images, np.float32, (len(labels), 1, 28, 28)),
        "labels": (labels, np.int64, (len(labels),)),
        "mean": (mean, np.float64, (1,)),
        "std": (std, np.float64, (1,)),
    }
    for name, (array, dtype, shape) in wanted.items():
        if array.dtype != np.dtype(dtype) or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(CLASSES):
        raise ValueError("a label is not 0 to 9")
    return Split(images, labels, float(mean[0]), float(std[0]))
