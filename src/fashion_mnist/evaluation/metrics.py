"""Metrics and tables of a split from its logits."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import f1_score, precision_recall_fscore_support
from torch import Tensor

from fashion_mnist.classes import CLASSES, LABELS
from fashion_mnist.files import Value

CLASS_COUNT = len(CLASSES)


@dataclass(frozen=True)
class Predictions:
    """What a network says of a split, in the split's order.

    Attributes:
        labels: the true classes, int64, N.
        predicted: the most probable classes, int64, N.
        log_probabilities: float64, N×10.
    """

    labels: np.ndarray
    predicted: np.ndarray
    log_probabilities: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class, float64, N."""
        return np.exp(self.log_probabilities.max(axis=1))

    @property
    def correct(self) -> np.ndarray:
        """Whether the prediction is right, bool, N."""
        return self.predicted == self.labels


def predictions(logits: Tensor, labels: np.ndarray) -> Predictions:
    """Predictions from logits, N×10, on any device, and true classes, int64, N."""
    log_probabilities = logits.cpu().double().log_softmax(1).numpy()
    return Predictions(labels, log_probabilities.argmax(axis=1), log_probabilities)


def metrics(made: Predictions, bins: int) -> dict[str, Value]:
    """The figures of a split, shares of 1 but for `loss`, which is in nats.

    accuracy with its Wilson 95 % interval (Wilson, 1927): `accuracy_low`, `accuracy_high`; `loss`,
    the mean cross-entropy; `top2_accuracy`; `macro_f1` and `worst_recall` over the classes that
    occur; `ece`, the expected calibration error over `bins` equal bins (Guo et al., 2017).
    """
    count, right = len(made.labels), int(made.correct.sum())
    interval = binomtest(right, count).proportion_ci(0.95, method="wilson")
    of_label = made.log_probabilities[np.arange(count), made.labels]
    better = (made.log_probabilities > of_label[:, None]).sum(axis=1)
    occurring = np.unique(made.labels)
    recalls = [float(made.correct[made.labels == label].mean()) for label in occurring]
    return {
        "accuracy": accuracy(made),
        "accuracy_low": float(interval.low),
        "accuracy_high": float(interval.high),
        "loss": float(-of_label.mean()),
        "top2_accuracy": float((better < 2).mean()),
        "macro_f1": float(
            f1_score(
                made.labels, made.predicted, labels=occurring, average="macro", zero_division=0
            )
        ),
        "worst_recall": min(recalls),
        "ece": calibration_error(made, bins),
    }


def accuracy(made: Predictions) -> float:
    """The share of right predictions."""
    return int(made.correct.sum()) / len(made.labels)


def describe(figures: dict[str, Value]) -> str:
    """The accuracy with its interval as a line for the console."""
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    return f"test accuracy {figures['accuracy']:.4f}, 95 % interval {low:.4f} to {high:.4f}"


PREDICTION_COLUMNS = ("index", "actual", "predicted", "confidence")


def prediction_rows(made: Predictions) -> list[list[Value]]:
    """A row of `PREDICTION_COLUMNS` for each sample, in order."""
    return [
        [index, LABELS[label], LABELS[predicted], float(confidence)]
        for index, (label, predicted, confidence) in enumerate(
            zip(made.labels, made.predicted, made.confidence, strict=True)
        )
    ]


CLASS_COLUMNS = ("class", "precision", "recall", "f1", "support")


def class_rows(made: Predictions) -> list[list[Value]]:
    """A row of `CLASS_COLUMNS` for each of the ten classes in label order.

    A value that is not defined (a class that does not occur, or is never predicted) is 0.
    """
    columns = precision_recall_fscore_support(
        made.labels, made.predicted, labels=range(CLASS_COUNT), zero_division=0
    )
    return [
        [name, float(precision), float(recall), float(f1), int(support)]
        for name, precision, recall, f1, support in zip(LABELS, *columns, strict=True)
    ]


RELIABILITY_COLUMNS = ("confidence", "accuracy", "count")


def reliability_rows(made: Predictions, bins: int) -> list[list[Value]]:
    """A row of `RELIABILITY_COLUMNS` for each bin of confidence that holds a sample.

    Bin k of K holds confidences in (k/K, (k+1)/K], k from 0; a row gives the means over the bin.
    """
    bin_of = np.clip(np.ceil(made.confidence * bins).astype(int) - 1, 0, bins - 1)
    return [
        [
            float(made.confidence[bin_of == k].mean()),
            float(made.correct[bin_of == k].mean()),
            int((bin_of == k).sum()),
        ]
        for k in np.unique(bin_of)
    ]


def calibration_error(made: Predictions, bins: int) -> float:
    """Mean gap between confidence and accuracy over the bins, weighted by their counts."""
    rows = reliability_rows(made, bins)
    return sum(abs(c - a) * n for c, a, n in rows) / len(made.labels)
