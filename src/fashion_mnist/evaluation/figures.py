"""Pictures of an evaluation, drawn without a display."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

# With a name that it does not know, matplotlib cannot even be imported. Nothing here uses it.
os.environ.pop("MPLBACKEND", None)

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

GAP = 2  # pixels between cells
MOST = 20  # classes that are shown: more could not be told apart
LONGEST = 24  # characters of a name


@contextmanager
def matplotlibs_defaults() -> Iterator[None]:
    """Draw as matplotlib does where nobody has a matplotlibrc, for the same bytes everywhere."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


@matplotlibs_defaults()
def misclassified_png(
    images: np.ndarray, labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]
) -> bytes:
    """A grid of garments that were taken for others, one cell for each pair of classes.

    The row is the true class, the column the predicted one; a cell shows the first such sample of
    the split and stays dark where there is none. A cell's place never changes, so that two
    revisions can be laid over each other. Of more than `MOST` classes the first are shown.

    Args:
        images: N×28×28, 0 (black) to 1.
        labels: true classes, N.
        predicted: predicted classes, N.
        classes: their names, in label order.

    Returns:
        A PNG, the same bytes for the same input.
    """
    size, count = images.shape[-1], min(len(classes), MOST)
    step = size + GAP
    grid = np.full((count * step - GAP,) * 2, np.nan)
    for actual in range(count):
        for other in range(count):
            found = np.flatnonzero((labels == actual) & (predicted == other))
            if actual != other and len(found):
                row, column = actual * step, other * step
                grid[row : row + size, column : column + size] = images[found[0]]
    figure = Figure(figsize=(8, 8), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#dfe5ec")
    axes.imshow(grid, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    centres = np.arange(count) * step + size / 2
    names = [shortened(name) for name in classes[:count]]
    axes.set_xticks(centres, names, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(centres, names, parse_math=False)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    axes.set_title("Misclassified test images: the first of each kind")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L").save(buffer, "png")
    return buffer.getvalue()


def shortened(name: str) -> str:
    """A name of at most `LONGEST` characters; what is cut off ends in an ellipsis."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
