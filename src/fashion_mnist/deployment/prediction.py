"""What a model says of pictures, as text, JSON, CSV, and as a picture of what it saw."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from fashion_mnist.deployment.models import Model
from fashion_mnist.deployment.pictures import SIZE, SUFFIXES, open_picture, to_image, upright
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.files import significant

STDIN = "-"
BATCH_SIZE = 1000
BEST = 3
"""Classes that are told of each picture."""
SHEET = 100
"""Pictures that `sheet_png` shows at most."""
ENLARGED = 8
"""Screen pixels for one of the network's."""


@dataclass(frozen=True)
class Seen:
    """A picture as it was given and as the network sees it.

    Attributes:
        name: as the user gave it, or the path in a folder that they gave.
        image: uint8, 28×28.
        thumbnail: the picture, upright and small; None beyond the first `SHEET`.
    """

    name: str
    image: np.ndarray
    thumbnail: Image.Image | None


@dataclass(frozen=True)
class Prediction:
    """The classes that are most probable, the first one first, with their probabilities."""

    name: str
    best: tuple[tuple[str, float], ...]


def read_pictures(names: Sequence[str]) -> tuple[list[Seen], list[str]]:
    """The pictures of files, of folders and those below them, and of `-`, which is stdin.

    Returns:
        The pictures, and a message for each that could not be read.
    """
    seen: list[Seen] = []
    mistakes = []
    for name in names:
        for path in _files(Path(name)) if name != STDIN else [STDIN]:
            try:
                picture = open_picture(sys.stdin.buffer.read() if path is STDIN else Path(path))
                image = to_image(picture)
            except UserError as reason:
                mistakes.append(f"{path}: {reason}")
            except OSError as error:
                mistakes.append(f"{path}: {error.strerror}")
            else:
                small = _thumbnail(picture) if len(seen) < SHEET else None
                seen.append(Seen(str(path), image, small))
        if name != STDIN and Path(name).is_dir() and not any(_files(Path(name))):
            mistakes.append(f"{name}: no pictures ({', '.join(SUFFIXES)}) in this folder")
    return seen, mistakes


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file():
            yield file


def _thumbnail(picture: Image.Image) -> Image.Image:
    side = SIZE * ENLARGED
    turned = upright(picture)
    if turned.mode.startswith("I"):  # 16 bits, which nothing shows
        return Image.fromarray(to_image(picture)).resize((side, side), Image.Resampling.NEAREST)
    return ImageOps.contain(turned.convert("RGBA"), (side, side))


def predict(model: Model, seen: Sequence[Seen]) -> list[Prediction]:
    """The prediction for each picture, in order."""
    made = []
    for start in range(0, len(seen), BATCH_SIZE):
        part = seen[start : start + BATCH_SIZE]
        for picture, probabilities in zip(
            part, model.probabilities(np.stack([one.image for one in part])), strict=True
        ):
            order = np.argsort(-probabilities, kind="stable")[:BEST]
            best = [(model.classes[i], significant(float(probabilities[i]), 4)) for i in order]
            made.append(Prediction(picture.name, tuple(best)))
    return made


def text(predictions: Sequence[Prediction]) -> str:
    """A line for each picture: its name, and the classes with their probabilities."""
    return "\n".join(
        f"{made.name}: " + ", ".join(f"{name} {share:.4f}" for name, share in made.best)
        for made in predictions
    )


def as_json(predictions: Sequence[Prediction]) -> str:
    """A list with an object for each picture."""
    return json.dumps(
        [
            {
                "picture": made.name,
                "class": made.best[0][0],
                "probability": made.best[0][1],
                "best": [{"class": name, "probability": share} for name, share in made.best],
            }
            for made in predictions
        ],
        indent=2,
        ensure_ascii=False,
    )


def as_csv(predictions: Sequence[Prediction]) -> str:
    """A row for each picture; with two classes the third stays empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    header = ["picture", "class", "probability"]
    header += [f"{kind}_{n}" for n in range(2, BEST + 1) for kind in ("class", "probability")]
    writer.writerow(header)
    for made in predictions:
        cells = [cell for pair in made.best for cell in pair]
        writer.writerow([made.name, *cells, *[""] * (len(header) - 1 - len(cells))])
    return buffer.getvalue().rstrip("\n")


def sheet_png(seen: Sequence[Seen], predictions: Sequence[Prediction]) -> bytes:
    """A PNG: each picture, beside it what the network saw, under both the class.

    Of the first `SHEET` pictures, in four columns.
    """
    side, gap, line, columns = SIZE * ENLARGED, 8, 16, 4
    pairs = list(zip(seen, predictions, strict=True))[:SHEET]
    across, down = min(columns, len(pairs)), -(-len(pairs) // columns)
    width, height = 2 * side + 3 * gap, side + line + 2 * gap
    sheet = Image.new("RGB", (across * width, down * height), "#8f9aa6")
    draw = ImageDraw.Draw(sheet)
    for place, (picture, made) in enumerate(pairs):
        left, top = gap + place % columns * width, gap + place // columns * height
        original = picture.thumbnail
        if original is not None:
            at = (left + (side - original.width) // 2, top + (side - original.height) // 2)
            sheet.paste(original, at, original if original.mode == "RGBA" else None)
        image = Image.fromarray(picture.image).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(image, (left + side + gap, top))
        name, share = made.best[0]
        draw.text((left, top + side + 1), f"{name} {share:.4f}  {picture.name}"[:70], fill="black")
    buffer = io.BytesIO()
    sheet.save(buffer, "png")
    return buffer.getvalue()
