"""The prepared splits as files, which stages hand to each other."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
from safetensors import numpy as safetensors_numpy

from fashion_mnist.pipeline.errors import UserError

KEY = "fashion_mnist"  # the only metadata key: with two, safetensors' bytes vary from run to run


@dataclass(frozen=True)
class Split:
    """A split's arrays, the names of its classes, and how its pixels were normalised.

    Attributes:
        images: float32, N×1×28×28, (pixel / 255 - mean) / std.
        labels: int64, N, positions in `classes`.
        mean: of pixel / 255, as it was subtracted.
        std: by which it was then divided.
        classes: the name of each class, K, in label order, also of those that do not occur.
    """

    images: np.ndarray
    labels: np.ndarray
    mean: float
    std: float
    classes: tuple[str, ...]

    @property
    def black(self) -> float:
        """The normalised value of a zero pixel."""
        return (0 - self.mean) / self.std

    @property
    def pixels(self) -> np.ndarray:
        """The images before normalisation, float32, N×28×28, 0 (black) to 1."""
        return self.images[:, 0] * self.std + self.mean


def numbered(classes: Sequence[str]) -> tuple[str, ...]:
    """Names led by their label: DVC's plots sort classes as text, and these sort in label order.

    "6 Shirt" of ten classes, "06 Shirt" of eleven.
    """
    digits = len(str(len(classes) - 1))
    return tuple(f"{label:0{digits}} {name}" for label, name in enumerate(classes))


def to_bytes(split: Split) -> bytes:
    """The split as a safetensors file, the same bytes for the same split."""
    return safetensors_numpy.save(
        {
            "images": np.ascontiguousarray(split.images),
            "labels": split.labels,
            "mean": np.array([split.mean]),
            "std": np.array([split.std]),
        },
        metadata={KEY: json.dumps({"classes": split.classes}, sort_keys=True)},
    )


def read(path: Path) -> Split:
    """Read a split that `to_bytes` made.

    Raises:
        UserError: the file is missing or is no such split; nothing in it is ever executed.
    """
    try:
        path.open("rb").close()  # safetensors takes every failure to open for a missing file
        with safetensors.safe_open(path, framework="np") as file:
            description = json.loads((file.metadata() or {})[KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _split(arrays, description["classes"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes the library raise
        raise UserError(f"{path}: not a prepared split ({error}); `dvc repro` mends it") from None


def _split(arrays: dict[str, np.ndarray], classes: list[str]) -> Split:
    """The split that `to_bytes` was given, from its arrays and the names of its classes.

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
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(f"a label is not 0 to {len(classes) - 1}")
    return Split(images, labels, float(mean[0]), float(std[0]), tuple(classes))
