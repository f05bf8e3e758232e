"""Metrics of a split from its logits.

In NumPy alone: importing scikit-learn and scipy.stats would take longer than an evaluation. The
tests compare each figure with theirs.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.files import Value
from fashion_mnist.pipeline.metric import Metric, in_order
from fashion_mnist.pipeline.splits import Nearest

if TYPE_CHECKING:  # a comparison reads the table below without waiting for PyTorch
    from torch import Tensor

METRICS = (
    Metric("accuracy", "Accuracy", "higher"),
    Metric("accuracy_low", "Accuracy, lower end of the 95 % interval"),
    Metric("accuracy_high", "Accuracy, upper end of the 95 % interval"),
    Metric("loss", "Cross-entropy (nats)", "lower"),
    Metric("top2_accuracy", "Top-2 accuracy", "higher"),
    Metric("macro_f1", "Macro F1", "higher"),
    Metric("worst_recall", "Recall of the worst class", "higher"),
    Metric("ece", "Expected calibration error", "lower"),
    Metric("near_seen", "Near-duplicates of training images", digits=0),
    Metric("accuracy_without_near_seen", "Accuracy without near-duplicates", "higher"),
    Metric("accuracy_corrupted", "Mean accuracy under corruptions", "higher"),
)
"""All that `metrics` may return, in this order."""

MILLION = 1_000_000


@dataclass(frozen=True)
class Predictions:
    """What a network says of a split, in the split's order.

    Attributes:
        labels: the true classes, int64, N.
        predicted: the most probable classes, int64, N; of equals the first.
        log_probabilities: float64, N×K.
        millionths: the probability of the predicted class in whole millionths, int64, N. What is
            decided or averaged by confidence is so in whole numbers, and never by a last digit.
    """

    labels: np.ndarray
    predicted: np.ndarray
    log_probabilities: np.ndarray
    millionths: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class, rounded to a millionth, float64, N."""
        return self.millionths / MILLION

    @property
    def correct(self) -> np.ndarray:
        """Whether the prediction is right, bool, N."""
        right: np.ndarray = self.predicted == self.labels
        return right


def predictions(logits: "Tensor", labels: np.ndarray) -> Predictions:
    """Predictions from logits, N×K, on any device, and true classes, int64, N.

    Raises:
        UserError: a logit is not finite, as those of a network that diverged.
    """
    from fashion_mnist.model.elementary import exp, log_softmax

    if not logits.isfinite().all():
        raise UserError("the network's outputs are not finite; train it with a lower train.lr")
    log_probabilities = log_softmax(logits.cpu())
    millionths = (exp(log_probabilities.amax(1)) * MILLION).round().long()
    log_shares = log_probabilities.numpy()
    return Predictions(labels, log_shares.argmax(axis=1), log_shares, millionths.numpy())


def metrics(
    made: Predictions,
    bins: int,
    nearest: Nearest | None = None,
    corrupted: Collection[float] = (),
) -> dict[str, Value]:
    """The figures of a split by the keys of `METRICS`: shares of 1, the loss in nats, a count.

    The interval is Wilson's; of equal logits the first class counts as the most probable; F1 and
    recall are of the classes that occur; `ece` is that of Guo et al., 2017.

    Args:
        made: the predictions.
        bins: of confidence, equally wide, for `ece`.
        nearest: the most similar training images, where they are known.
        corrupted: the accuracies under corruptions, where they were measured.
    """
    count, right = len(made.labels), int(made.correct.sum())
    low, high = wilson_interval(right, count)
    of_label = made.log_probabilities[np.arange(count), made.labels]
    equal_before = np.arange(made.log_probabilities.shape[1]) < made.labels[:, None]
    before = made.log_probabilities > of_label[:, None]
    before |= equal_before & (made.log_probabilities == of_label[:, None])
    _, recall, f1, support = class_figures(made)
    occurring = support > 0
    figures: dict[str, Value] = {
        "accuracy": right / count,
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": -math.fsum(of_label) / count,
        "top2_accuracy": float((before.sum(axis=1) < 2).mean()),
        "macro_f1": math.fsum(f1[occurring]) / int(occurring.sum()),
        "worst_recall": float(recall[occurring].min()),
        "ece": calibration_error(made, bins),
        **without_near_seen(made, nearest),
    }
    if corrupted:
        figures["accuracy_corrupted"] = math.fsum(corrupted) / len(corrupted)
    return in_order(METRICS, figures)


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share of `count` trials (Wilson, 1927)."""
    z = 1.959963984540054  # the normal distribution's 97.5 % point
    share = right / count
    centre = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def class_figures(made: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall, F1 and support of each of the K classes, in label order.

    A share that is not defined (a class that does not occur, or is never predicted) is 0.
    """
    classes = made.log_probabilities.shape[1]
    pairs = made.labels * classes + made.predicted
    confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    hits, support, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(support, 1)
    return precision, recall, 2 * hits / np.maximum(support + predicted, 1), support


def accuracy(made: Predictions) -> float:
    """The share of right predictions."""
    return int(made.correct.sum()) / len(made.labels)


NEAR_SEEN = 10
"""Grey levels of 255: a test image is nearly seen in training where the root mean square of its
pixels' differences to a training image's is at most this."""


def without_near_seen(made: Predictions, nearest: Nearest | None) -> dict[str, Value]:
    """How many images training has nearly seen, and the accuracy without them, if any are left.

    No figure where the split does not know.
    """
    if nearest is None:
        return {}
    near = nearest.distances <= NEAR_SEEN
    figures: dict[str, Value] = {"near_seen": int(near.sum())}
    if not near.all():
        figures["accuracy_without_near_seen"] = float(made.correct[~near].mean())
    return figures


RELIABILITY_COLUMNS = ("confidence", "accuracy", "count")


def reliability_rows(made: Predictions, bins: int) -> list[tuple[float, float, int]]:
    """A row of `RELIABILITY_COLUMNS` for each bin of confidence that holds a sample.

    Bin k of K holds confidences in (k/K, (k+1)/K], k from 0; a row gives the means over the bin.
    """
    bin_of = np.maximum(made.millionths * bins - 1, 0) // MILLION
    counts = np.bincount(bin_of, minlength=bins)
    confidences = np.bincount(bin_of, made.millionths, bins)  # sums of whole numbers are exact
    right = np.bincount(bin_of[made.correct], minlength=bins)
    return [
        (float(confidences[k] / MILLION / counts[k]), float(right[k] / counts[k]), int(counts[k]))
        for k in np.flatnonzero(counts)
    ]


def calibration_error(made: Predictions, bins: int) -> float:
    """Mean gap between confidence and accuracy over the bins, weighted by their counts."""
    rows = reliability_rows(made, bins)
    return sum(abs(c - a) * n for c, a, n in rows) / len(made.labels)


def describe(figures: dict[str, Value]) -> str:
    """The accuracy with its interval as a line for the console."""
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    return f"test accuracy {figures['accuracy']:.4f}, 95 % interval {low:.4f} to {high:.4f}"
