"""Pictures of an evaluation, drawn without a display."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

# With a name that it does not know, matplotlib cannot even be imported. Nothing here uses it.
os.environ.pop("MPLBACKEND", None)

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from fashion_mnist.pipeline.pictures import shortened
from fashion_mnist.pipeline.splits import Split

GAP = 2  # pixels between cells
CAPTION = 9  # pixels below each image
MOST = 20  # classes that are shown: more could not be told apart


@contextmanager
def matplotlibs_defaults() -> Iterator[None]:
    """Draw as matplotlib does where nobody has a matplotlibrc, for the same bytes everywhere."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


@matplotlibs_defaults()
def misclassified_png(split: Split, predicted: np.ndarray, confidence: np.ndarray) -> bytes:
    """A grid of garments that were taken for others, one cell for each pair of classes.

    The row is the true class, the column the predicted one; a cell shows the sample with the
    highest confidence (of equals the first of the split), how many there are, and that confidence.
    It stays empty where there is none; the diagonal, grey, tells how many are right. A cell's place
    never changes, so that two revisions can be laid beside each other. Of more than `MOST` classes
    the first are shown.

    Args:
        split: of N images.
        predicted: predicted classes, N.
        confidence: the probability of the predicted class, N.

    Returns:
        A PNG, the same bytes for the same input.
    """
    size, count = split.images.shape[-1], min(len(split.classes), MOST)
    height, width = size + CAPTION + GAP, size + GAP
    # 644 pixels: two of them stand side by side on a page of 1,400
    figure = Figure(figsize=(6.44, 7.6), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    grid = np.full((count * height, count * width), np.nan)
    for actual in range(count):
        for other in range(count):
            found = np.flatnonzero((split.labels == actual) & (predicted == other))
            row, column = actual * height, other * width
            if actual == other:
                grid[row : row + height - GAP, column : column + size] = 0.9
                _write(axes, column + size / 2, row + height / 2, f"{len(found)}\nright")
            elif len(found):
                shown = found[confidence[found].argmax()]
                grid[row : row + size, column : column + size] = split.pixels(shown)
                text = f"{len(found)} · {confidence[shown]:.0%}"
                _write(axes, column + size / 2, row + size + CAPTION / 2, text)
    axes.imshow(grid, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    across, down = (np.arange(count) * step + size / 2 for step in (width, height))
    names = [shortened(name) for name in split.classes[:count]]
    axes.set_xticks(across, names, rotation=45, ha="right", fontsize=8, parse_math=False)
    axes.set_yticks(down, names, fontsize=8, parse_math=False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel("Predicted class", fontsize=9)
    axes.set_ylabel("True class", fontsize=9)
    axes.set_title(
        "Misclassified test images: of each pair the most confident one,\n"
        "how many there are · its confidence",
        fontsize=10,
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L").save(buffer, "png")
    return buffer.getvalue()


def _write(axes: Axes, x: float, y: float, text: str) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=6)
