"""Data of one's own: a folder becomes what `fetch` accepts and params.yaml names."""

import io
import os
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from fashion_mnist.data.idx import (
    FILES,
    IMAGES_MAGIC,
    LABELS_MAGIC,
    SIZE,
    parse_images,
    parse_labels,
    sha256,
)
from fashion_mnist.data.parameters import Prepare
from fashion_mnist.data.preparation import hold_out
from fashion_mnist.data.sources import SourceError, read_folder
from fashion_mnist.deployment.pictures import SUFFIXES, open_picture, to_image
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parameters import PATH, load

FOLDER = Path("data/own")
SHARE = 12  # one image of so many is held out where params.yaml's number is more than half of all
LAYOUT = "train/NAME/*.png and test/NAME/*.png, or the four IDX files " + ", ".join(FILES.values())
TOLD = 10  # mistakes that a message lists

Content = dict[str, bytes]


def adopt(folder: Path, root: Path) -> str:
    """Make `root` run on the data of `folder`: write params.yaml, and IDX files for pictures.

    Args:
        folder: of the four IDX files, plain or .gz; or of pictures, `train/NAME/*.png` and
            `test/NAME/*.png` (see `fashion_mnist.deployment.pictures.to_image`).
        root: the repository.

    Returns:
        What was found, and the command that runs it.

    Raises:
        UserError: the folder holds neither, or something in it cannot be used; nothing is written.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    if (folder / "train").is_dir() or (folder / "test").is_dir():
        content, names = of_pictures(folder)
        written = {root / FOLDER / FILES[key]: idx for key, idx in content.items()}
        used = FOLDER
    else:
        content, names = of_idx(folder)
        written, used = {}, Path(os.path.relpath(folder, root))
        used = folder.resolve() if used.parts[:1] == ("..",) else used
    labels = parse_labels(content["train_labels"], "train", len(names)).astype(np.int64)
    text, size = parameters(root / PATH, content, names, len(labels))
    files.write({**written, root / PATH: text.encode()})
    _, held_out = hold_out(labels, size, 0)
    lacking = [name for label, name in enumerate(names) if label not in labels[held_out]]
    tests = len(content["test_labels"]) - 8
    return "\n".join(
        [
            f"{len(names)} classes, {len(labels)} training images, of which {size} are for "
            f"validation, and {tests} test images",
            *(f"note: no validation image of {name}" for name in (lacking if size else [])),
            f"{PATH} has their digests and class names: prepare.classes says what a label means",
            f"run it: FASHION_MNIST_DIR='{used}' dvc repro",
        ]
    )


def of_idx(folder: Path) -> tuple[Content, list[str]]:
    """The four files of a folder, and the labels as names.

    Raises:
        UserError: one is missing, or is no IDX file of 28×28 images or of labels.
    """
    try:
        content = read_folder(folder)
    except SourceError as reason:
        raise UserError(f"{folder}: {reason}; expected {LAYOUT}") from None
    highest = 0
    for split in ("train", "test"):
        count = len(parse_images(content[f"{split}_images"], folder / FILES[f"{split}_images"]))
        labels = parse_labels(content[f"{split}_labels"], folder / FILES[f"{split}_labels"], 256)
        if count != len(labels):
            raise UserError(f"{folder}: {count} {split} images but {len(labels)} labels")
        highest = max(highest, int(labels.max()))
    return content, [str(label) for label in range(highest + 1)]


def of_pictures(folder: Path) -> tuple[Content, list[str]]:
    """IDX files of the pictures by class and split, and the names of the classes.

    Classes are in the order of their names, numbers by their value.

    Raises:
        UserError: a split is missing, a class has no pictures to train on, there is one class
            alone, or files are no pictures that can be used; the message names them.
    """
    mistakes: list[str] = []
    found: dict[str, dict[str, list[Path]]] = {}
    for split in ("train", "test"):
        if not (folder / split).is_dir():
            raise UserError(f"{folder / split}: no such folder; expected {LAYOUT}")
        classes = _visible(folder / split, Path.is_dir)
        found[split] = {path.name: _pictures(path) for path in classes}
        mistakes += [f"{path}: no pictures" for path in classes if not found[split][path.name]]
    for name in found["test"].keys() - found["train"].keys():
        mistakes.append(f"{folder / 'train' / name}: no such folder, but test has the class")
    names = sorted(found["train"], key=_by_value)
    if len(names) < 2:
        mistakes.append(f"{folder / 'train'}: {len(names)} classes, at least 2 are needed")
    if len(names) > 256:
        mistakes.append(f"{folder / 'train'}: {len(names)} classes, at most 256 have a label")
    content: Content = {}
    for split, pictures in found.items():
        images, labels = [], []
        for label, name in enumerate(names):
            for path in pictures.get(name, []):
                try:
                    images.append(to_image(open_picture(path)))
                    labels.append(label)
                except (UserError, OSError) as error:
                    mistakes.append(f"{path}: {getattr(error, 'strerror', None) or error}")
        if not images and not mistakes:
            mistakes.append(f"{folder / split}: no pictures")
        header = struct.pack(">4I", IMAGES_MAGIC, len(images), SIZE, SIZE)
        content[f"{split}_images"] = header + b"".join(image.tobytes() for image in images)
        content[f"{split}_labels"] = struct.pack(">2I", LABELS_MAGIC, len(labels)) + bytes(
            label % 256 for label in labels
        )
    if mistakes:
        more = f"\nand {len(mistakes) - TOLD} more" if len(mistakes) > TOLD else ""
        raise UserError("\n".join(mistakes[:TOLD]) + more)
    return content, names


def _by_value(name: str) -> tuple[bool, int, str]:
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def _visible(folder: Path, kind: Callable[[Path], bool]) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and kind(p))


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _visible(folder, Path.is_file) if path.suffix.lower() in SUFFIXES]


def parameters(
    path: Path, content: Mapping[str, bytes], names: list[str], count: int
) -> tuple[str, int]:
    """params.yaml for these files, its comments kept, and its validation_size.

    Raises:
        UserError: params.yaml is missing or wrong, or a name cannot be one of a class.
    """
    size = load(Prepare, "prepare", path).validation_size
    yaml = YAML()
    yaml.width = 1000
    params = yaml.load(path.read_text(encoding="utf-8"))
    for key, file in content.items():
        split, kind = key.split("_")
        params["fetch"]["sha256"][split][kind] = sha256(file)
    params["prepare"]["classes"] = list(names)
    if size > count // 2:
        params["prepare"]["validation_size"] = size = count // SHARE
    buffer = io.StringIO()
    yaml.dump(params, buffer)
    with tempfile.TemporaryDirectory() as folder:  # the names are checked as a stage would
        candidate = Path(folder, PATH)
        candidate.write_text(buffer.getvalue(), encoding="utf-8")
        try:
            load(Prepare, "prepare", candidate)
        except UserError as reason:
            raise UserError(str(reason).replace(str(candidate), str(path))) from None
    return buffer.getvalue(), size
