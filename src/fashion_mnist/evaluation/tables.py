"""Tables of what a network says of a split, for the plots, with the columns of each."""

from collections.abc import Sequence

import numpy as np

from fashion_mnist.evaluation.metrics import NEAR_SEEN, Predictions, class_figures
from fashion_mnist.pipeline.files import Value
from fashion_mnist.pipeline.splits import Nearest

PREDICTION_COLUMNS = ("index", "actual", "predicted", "confidence")


def prediction_rows(made: Predictions, names: Sequence[str]) -> list[list[Value]]:
    """A row of `PREDICTION_COLUMNS` for each sample, in order; `names` are those of the classes."""
    return [
        [index, names[label], names[predicted], float(confidence)]
        for index, (label, predicted, confidence) in enumerate(
            zip(made.labels, made.predicted, made.confidence, strict=True)
        )
    ]


CLASS_COLUMNS = ("class", "precision", "recall", "f1", "support")


def class_rows(made: Predictions, names: Sequence[str]) -> list[list[Value]]:
    """A row of `CLASS_COLUMNS` for each class, by its name (see `metrics.class_figures`)."""
    return [
        [name, float(precision), float(recall), float(f1), int(support)]
        for name, precision, recall, f1, support in zip(names, *class_figures(made), strict=True)
    ]


NEAR_COLUMNS = ("index", "actual", "predicted", "distance", "training_index", "training_label")


def near_rows(
    made: Predictions, nearest: Nearest | None, names: Sequence[str]
) -> list[list[Value]]:
    """A row of `NEAR_COLUMNS` for each image that training has nearly seen, nearest first.

    Where there are fewer than twenty, those next to them follow. The training image is named by
    its position in the IDX file.
    """
    if nearest is None:
        return []
    order = np.argsort(nearest.distances, kind="stable")
    seen = int((nearest.distances <= NEAR_SEEN).sum())
    return [
        [
            int(at),
            names[made.labels[at]],
            names[made.predicted[at]],
            float(nearest.distances[at]),
            int(nearest.index[at]),
            names[nearest.labels[at]],
        ]
        for at in order[: max(seen, 20)]
    ]
