"""The prepared splits as files, which stages hand to each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
from safetensors import numpy as safetensors_numpy

from fashion_mnist.errors import UserError


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
            "mean": np.float64([split.mean]),
            "std": np.float64([split.std]),
        }
    )


def read(path: Path) -> Split:
    """Read a split that `to_bytes` made.

    Raises:
        UserError: the file is missing or is no such split; nothing in it is ever executed.
    """
    try:
        arrays = safetensors_numpy.load_file(path)
        return Split(
            arrays["images"], arrays["labels"], float(arrays["mean"][0]), float(arrays["std"][0])
        )
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
    except (safetensors.SafetensorError, KeyError) as error:
        raise UserError(f"{path}: not a prepared split ({error}); `dvc repro` mends it") from None
