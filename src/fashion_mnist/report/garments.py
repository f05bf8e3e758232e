"""The images that one of two revisions alone gets right, side by side."""

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fashion_mnist.comparison.compare import Comparison
from fashion_mnist.pipeline import splits

TEST = Path("data/prepared/test.safetensors")
COLUMNS, ROWS = 5, 4
"""Of each side."""


def one_right_png(comparison: Comparison, root: Path) -> bytes | None:
    """The first images that the old one alone gets right, and beside them those of the new one.

    Under each stand the true class and what the other says instead.

    Args:
        comparison: of two revisions.
        root: the repository, whose prepared test split holds the images.

    Returns:
        A PNG; None where the split is not there, as in a clone that has not run prepare, where it
        has another number of images, or where the two get the same images right.
    """
    sides = [
        (f"only {comparison.old} gets right", comparison.lost),
        (f"only {comparison.new} gets right", comparison.gained),
    ]
    if not (root / TEST).exists() or all(side.empty for _, side in sides):
        return None
    split = splits.read(root / TEST)
    if len(split.labels) != comparison.pairs.count:
        return None
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=(12, 6), dpi=100, layout="constrained")
        halves: Any = figure.subfigures(1, 2)
        for part, (title, side) in zip(halves, sides, strict=True):
            part.suptitle(f"{title}: {len(side)}", fontsize=11)
            for axes in (cells := list(part.subplots(ROWS, COLUMNS).flat)):
                axes.set_axis_off()
            for axes, (index, row) in zip(cells, side.iterrows(), strict=False):
                _draw(axes, split.pixels(int(str(index))), row)
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _draw(axes: Axes, image: np.ndarray, row: pd.Series) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    title = f"{row['actual']}\nnot {row['predicted']}"
    axes.set_title(title, fontsize=7, parse_math=False)
