"""The IDX format, in which MNIST and its kin are published."""

import hashlib
import struct
from pathlib import Path

import numpy as np

from fashion_mnist.pipeline.errors import UserError

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
"""The official names of the four files, without .gz, by what they hold."""

IMAGES_MAGIC = 2051  # unsigned bytes in three dimensions
LABELS_MAGIC = 2049  # unsigned bytes in one dimension
SIZE = 28

HOW_TO_MEND = (
    "`dvc repro` fetches it again; where fetch.sha256 names these very bytes, mend the file that "
    "they came from and its digest"
)


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_pair(folder: Path, split: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the images and labels of a split, "train" or "test", from uncompressed IDX files.

    Returns:
        Images, uint8, N×28×28, and labels, uint8, N, below `classes`.

    Raises:
        UserError: a file is missing, is no IDX file of the right kind, is cut off or too long,
            holds a label that is no class, or the two counts differ.
    """
    images_path = folder / FILES[f"{split}_images"]
    labels_path = folder / FILES[f"{split}_labels"]
    images = parse_images(_read(images_path), images_path)
    labels = parse_labels(_read(labels_path), labels_path, classes)
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} holds {len(images)} images but {labels_path} {len(labels)} labels; "
            + HOW_TO_MEND
        )
    return images, labels


def parse_images(content: bytes, name: str | Path) -> np.ndarray:
    """Images, uint8, N×28×28, from the bytes of an IDX file.

    Raises:
        UserError: the bytes are something else; the message leads with `name`.
    """
    header = _header(content, name, IMAGES_MAGIC, words=4)
    count, height, width = header[1:]
    if (height, width) != (SIZE, SIZE):
        raise UserError(
            f"{name}: images of {height}×{width}, expected {SIZE}×{SIZE}, which the networks are "
            "made for; `fashion-mnist own` scales a folder of pictures"
        )
    return _body(content, name, offset=16, shape=(count, SIZE, SIZE))


def parse_labels(content: bytes, name: str | Path, classes: int) -> np.ndarray:
    """Labels, uint8, N, below `classes`, from the bytes of an IDX file.

    Raises:
        UserError: the bytes are something else; the message leads with `name`.
    """
    _, count = _header(content, name, LABELS_MAGIC, words=2)
    labels = _body(content, name, offset=8, shape=(count,))
    if labels.max() >= classes:
        at = int((labels >= classes).argmax())
        raise UserError(
            f"{name}: label {labels[at]} at position {at}, but prepare.classes names only "
            f"{classes} classes, 0 to {classes - 1}"
        )
    return labels


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file; {HOW_TO_MEND}") from None


def _header(content: bytes, name: str | Path, magic: int, words: int) -> list[int]:
    """The big-endian 32-bit words of the header: the magic number, then the sizes."""
    if len(content) < 4 * words:
        raise UserError(
            f"{name}: truncated: {len(content)} bytes, the header alone has {4 * words}; "
            + HOW_TO_MEND
        )
    header = list(struct.unpack_from(f">{words}I", content))
    if header[0] != magic:
        raise UserError(f"{name}: magic {header[0]}, expected {magic}; {HOW_TO_MEND}")
    return header


def _body(content: bytes, name: str | Path, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    expected = offset + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        state = "truncated" if len(content) < expected else "too long"
        raise UserError(
            f"{name}: {state}: {len(content)} bytes, expected {expected} for {shape[0]} items; "
            + HOW_TO_MEND
        )
    if shape[0] == 0:
        raise UserError(f"{name}: holds no items")
    return np.frombuffer(content, dtype=np.uint8, offset=offset).reshape(shape)
