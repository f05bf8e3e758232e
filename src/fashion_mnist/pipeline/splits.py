"""The prepared splits as files, which stages hand to each other."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from fashion_mnist.pipeline.errors import UserError

NEAREST = "nearest_"
LAYOUT = ("int64", "float64", "float32")  # the order of arrays in a file of safetensors
KEY = "fashion_mnist"  # the only metadata key: with two, safetensors' bytes vary from run to run


@dataclass(frozen=True)
class Nearest:
    """The training image that each image of a split resembles most.

    Attributes:
        distances: float32, N, root mean square of the pixels' differences, in grey levels, 0 to
            255; 0 where the two are identical.
        index: int64, N, the training image's position in its IDX file.
        labels: int64, N, the training image's class.
    """

    distances: np.ndarray
    index: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Split:
    """A split's arrays, the names of its classes, and how its pixels were normalised.

    Attributes:
        images: float32, N×1×28×28, (pixel / 255 - mean) / std.
        labels: int64, N, positions in `classes`.
        mean: of pixel / 255, as it was subtracted.
        std: by which it was then divided.
        classes: the name of each class, K, in label order, also of those that do not occur.
        index: int64, N, each image's position in the IDX file that it comes from.
        nearest: of the test split alone.
    """

    images: np.ndarray
    labels: np.ndarray
    mean: float
    std: float
    classes: tuple[str, ...]
    index: np.ndarray
    nearest: Nearest | None = None

    @property
    def black(self) -> float:
        """The normalised value of a zero pixel."""
        return (0 - self.mean) / self.std

    def pixels(self, chosen: slice | int = slice(None)) -> np.ndarray:
        """Images before normalisation, all or one, float32, N×28×28 or 28×28, 0 (black) to 1."""
        shown: np.ndarray = self.images[chosen, 0] * self.std + self.mean
        return shown

    @property
    def grey(self) -> np.ndarray:
        """The images as they were in the file, uint8, N×28×28."""
        return grey(self.images, self.mean, self.std)


def normalise(images: np.ndarray, mean: float, std: float) -> np.ndarray:
    """(pixel / 255 - mean) / std, for uint8 N×28×28 images.

    Returns:
        float32, N×1×28×28.
    """
    table: np.ndarray = ((np.arange(256) / 255 - mean) / std).astype(np.float32)
    normalised: np.ndarray = table[images][:, None]
    return normalised


def grey(images: np.ndarray, mean: float, std: float) -> np.ndarray:
    """The inverse of `normalise`, to the nearest grey level: uint8, N×28×28."""
    levels: np.ndarray = np.rint((images[:, 0] * std + mean) * 255).clip(0, 255).astype(np.uint8)
    return levels


def numbered(classes: Sequence[str]) -> tuple[str, ...]:
    """Names led by their label: DVC's plots sort classes as text, and these sort in label order.

    "6 Shirt" of ten classes, "06 Shirt" of eleven.
    """
    digits = len(str(len(classes) - 1))
    return tuple(f"{label:0{digits}} {name}" for label, name in enumerate(classes))


def class_names(found: object) -> tuple[str, ...]:
    """The names of classes that a file holds.

    Raises:
        ValueError: they are no list of two or more different texts.
    """
    if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
        raise ValueError("its classes are no list of names")
    if len(found) < 2 or len(set(found)) < len(found):
        raise ValueError(f"{len(set(found))} different names for {len(found)} classes")
    return tuple(found)


def check_normalisation(mean: Any, std: Any) -> None:
    """Refuse what pixels cannot be normalised by.

    Raises:
        ValueError: one is no finite number, or the deviation is not above zero.
    """
    finite = all(type(value) in (int, float) and np.isfinite(value) for value in (mean, std))
    if not finite or std <= 0:
        raise ValueError(f"normalised by a mean of {mean} and a deviation of {std}")


def serialised(split: Split) -> Iterator[bytes | memoryview]:
    """The split as a safetensors file in parts, the same bytes for the same split.

    The library's own writer gives these bytes too, but writes to no open file: it would copy the
    images first, or hide why a disk refused them.
    """
    arrays = {
        "images": split.images,
        "labels": split.labels,
        "mean": np.array([split.mean]),
        "std": np.array([split.std]),
        "index": split.index,
    }
    if split.nearest is not None:
        arrays |= {NEAREST + name: array for name, array in vars(split.nearest).items()}
    header: dict[str, Any] = {"__metadata__": {KEY: json.dumps({"classes": split.classes})}}
    end = 0
    ordered = sorted(arrays.items(), key=lambda item: (LAYOUT.index(item[1].dtype.name), item[0]))
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        dtype = array.dtype.kind.upper() + str(8 * array.itemsize)
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": (begin, end)}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for _, array in ordered:
        yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def read(path: Path) -> Split:
    """Map the file of a split that `serialised` made: its images are read as they are used.

    It must not be overwritten in place meanwhile; DVC and `files.write` put a new one there.

    Raises:
        UserError: the file is missing or is no such split; nothing in it is ever executed.
    """
    try:
        path.open("rb").close()  # safetensors takes every failure to open for a missing file
        # For NumPy it would copy; PyTorch's tensors are the file itself
        with safetensors.safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {})[KEY])
            names = file.keys()
            arrays = {name: file.get_tensor(name).numpy() for name in names}
        return _split(arrays, class_names(description["classes"]))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes the library raise
        raise UserError(f"{path}: not a prepared split ({error}); `dvc repro` mends it") from None


def _split(arrays: dict[str, np.ndarray], classes: tuple[str, ...]) -> Split:
    """The split that `serialised` was given, from its arrays and the names of its classes.

    Raises:
        KeyError, ValueError: they are another file's, or damaged.
    """
    count = len(arrays["labels"])
    wanted: dict[str, tuple[type, tuple[int, ...]]] = {
        "images": (np.float32, (count, 1, 28, 28)),
        "labels": (np.int64, (count,)),
        "mean": (np.float64, (1,)),
        "std": (np.float64, (1,)),
        "index": (np.int64, (count,)),
        f"{NEAREST}distances": (np.float32, (count,)),
        f"{NEAREST}index": (np.int64, (count,)),
        f"{NEAREST}labels": (np.int64, (count,)),
    }
    for name, array in arrays.items():
        dtype, shape = wanted[name]
        if array.dtype != np.dtype(dtype) or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    images, labels, mean, std, index = (arrays[name] for name in list(wanted)[:5])
    near = {n.removeprefix(NEAREST): arrays[n] for n in arrays if n.startswith(NEAREST)}
    nearest = Nearest(**near) if near else None
    for found in (labels, *([nearest.labels] if nearest else [])):
        if len(found) and not 0 <= found.min() <= found.max() < len(classes):
            raise ValueError(f"a label is not 0 to {len(classes) - 1}")
    check_normalisation(float(mean[0]), float(std[0]))
    return Split(images, labels, float(mean[0]), float(std[0]), classes, index, nearest)
