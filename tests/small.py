"""A data set of a few dozen images and a params.yaml for it, as the tests use them.

digests = write_idx(folder)
(root / "params.yaml").write_text(params_text(digests, **{"train.epochs": 2}))
"""

import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from fashion_mnist.data.idx import FILES

PARAMS = Path(__file__).parent.parent / "params.yaml"


def images(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Learnable images, uint8, N×28×28: dim noise, and a bright patch at the class's own place."""
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 60, (len(labels), 28, 28), dtype=np.uint8)
    for image, label in zip(made, labels, strict=True):
        row, column = 4 + 10 * (label // 5), 2 + 5 * (label % 5)
        image[row : row + 8, column : column + 5] += 150
    return made


def labels(count: int, seed: int = 0) -> np.ndarray:
    """Labels, uint8, in random order, each class as often as any other, give or take one."""
    return np.random.default_rng(seed).permutation(np.arange(count, dtype=np.uint8) % 10)


def images_idx(pixels: np.ndarray) -> bytes:
    """The IDX file of uint8 N×H×W images."""
    return struct.pack(">IIII", 2051, *pixels.shape) + pixels.astype(np.uint8).tobytes()


def labels_idx(classes: np.ndarray) -> bytes:
    """The IDX file of N labels."""
    return struct.pack(">II", 2049, len(classes)) + np.asarray(classes, np.uint8).tobytes()


def content(train: int = 200, test: int = 60, seed: int = 0) -> dict[str, bytes]:
    """The content of the four files by key of `FILES`; ten images hold all classes."""
    made = {}
    for offset, (split, count) in enumerate({"train": train, "test": test}.items()):
        classes = labels(count, 2 * seed + offset)
        made[f"{split}_images"] = images_idx(images(classes, 2 * seed + offset))
        made[f"{split}_labels"] = labels_idx(classes)
    return made


def digests_of(files: dict[str, bytes]) -> dict[str, str]:
    """What `fetch.sha256` must hold for these contents to be accepted."""
    return {key: hashlib.sha256(files[key]).hexdigest() for key in FILES}


def write_idx(folder: Path, train: int = 200, test: int = 60, seed: int = 0) -> dict[str, str]:
    """Write the four uncompressed files under their official names; return their digests."""
    folder.mkdir(parents=True, exist_ok=True)
    made = content(train, test, seed)
    for key, name in FILES.items():
        (folder / name).write_bytes(made[key])
    return digests_of(made)


def params_text(digests: dict[str, str] | None = None, **overrides: Any) -> str:
    """The project's params.yaml, comments kept, with other digests and values.

    Args:
        digests: of the four files; None leaves the official ones.
        overrides: by dotted key, as `**{"train.epochs": 2}`; a key that is not there is an error.
    """
    yaml = YAML()
    yaml.width = 1000
    params = yaml.load(PARAMS.read_text(encoding="utf-8"))
    sha256 = {f"fetch.sha256.{key}": digest for key, digest in (digests or {}).items()}
    for dotted, value in {**sha256, **overrides}.items():
        *parents, key = dotted.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        if key not in section:
            raise KeyError(dotted)
        section[key] = value
    buffer = io.StringIO()
    yaml.dump(params, buffer)
    return buffer.getvalue()
