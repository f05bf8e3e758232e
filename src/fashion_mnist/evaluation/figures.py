"""Pictures of an evaluation, drawn without a display."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from fashion_mnist.pipeline.classes import CLASSES

GAP = 2  # pixels between cells


def misclassified_png(images: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> bytes:
    """A grid of garments that were taken for others, one cell for each pair of classes.

    The row is the true class, the column the predicted one; a cell shows the first such sample of
    the split and stays dark where there is none. A cell's place never changes, so that two
    revisions can be laid over each other.

    Args:
        images: N×28×28, 0 (black) to 1.
        labels: true classes, N.
        predicted: predicted classes, N.

    Returns:
        A PNG, the same bytes for the same input.
    """
    size = images.shape[-1]
    step = size + GAP
    grid = np.full((len(CLASSES) * step - GAP,) * 2, np.nan)
    for actual in range(len(CLASSES)):
        for other in range(len(CLASSES)):
            found = np.flatnonzero((labels == actual) & (predicted == other))
            if actual != other and len(found):
                row, column = actual * step, other * step
                grid[row : row + size, column : column + size] = images[found[0]]
    figure = Figure(figsize=(8, 8), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#dfe5ec")
    axes.imshow(grid, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    centres = np.arange(len(CLASSES)) * step + size / 2
    axes.set_xticks(centres, CLASSES, rotation=45, ha="right")
    axes.set_yticks(centres, CLASSES)
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
