"""Figures against scikit-learn, SciPy and values worked by hand; classes in label order."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as sk
from small import NAMES

from fashion_mnist.evaluation import metrics, tables
from fashion_mnist.evaluation.metrics import MILLION
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.splits import Nearest


def made(labels, predicted, confidence=0.9):
    """Predictions with a given confidence in each predicted class, the rest spread evenly."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    confidence = np.broadcast_to(confidence, predicted.shape)
    shares = np.repeat((1 - confidence)[:, None] / 9, 10, axis=1)
    shares[np.arange(len(labels)), predicted] = confidence
    return metrics.predictions(torch.from_numpy(np.log(shares)), labels.astype(np.int64))


def random_predictions(count=500, seed=0, classes=10):
    generator = np.random.default_rng(seed)
    logits = torch.from_numpy(generator.normal(size=(count, 10)).astype(np.float32)) * 3
    return metrics.predictions(logits, generator.integers(0, classes, count)), logits


def test_three_rows_by_hand():
    """Right with 0.9, wrong with 0.6 (the label second), wrong with 0.8 (the label last)."""
    shares = np.full((3, 10), 0.01)
    shares[0, 2], shares[1, 5], shares[1, 4], shares[2, 0] = 0.91, 0.6, 0.32, 0.9
    shares[2, 3] = 0.02
    shares[2, 9] = 0.01
    figures = metrics.metrics(
        metrics.predictions(torch.from_numpy(np.log(shares)), np.int64([2, 4, 9])), bins=10
    )
    shares /= shares.sum(1, keepdims=True)
    assert figures["accuracy"] == 1 / 3
    assert figures["top2_accuracy"] == 2 / 3
    expected = -np.log([shares[0, 2], shares[1, 4], shares[2, 9]]).mean()
    assert figures["loss"] == pytest.approx(expected)
    assert figures["worst_recall"] == 0
    assert figures["macro_f1"] == pytest.approx(1 / 3)
    # 0.9 is in the bin up to 0.9, whatever its last digit, and 0.91 in the next
    assert figures["ece"] == pytest.approx((1 - 0.91 + shares[1, 5] + 0.9) / 3, abs=1e-6)


def shares_to_logits(*confidences):
    """Logits of two classes that occur, whose first has these probabilities."""
    shares = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([shares, 1 - shares, *[torch.zeros_like(shares)] * 8], 1).log()


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_the_last_digit_moves_no_sample_to_another_bin(bins):
    """On both sides of an edge: within half a millionth of it counts as the edge itself."""
    edge = 3 * MILLION // 5 / MILLION
    logits = shares_to_logits(edge - 4e-7, edge, edge + 4e-7, edge + 6e-7).clamp(min=-700)
    found = metrics.reliability_rows(metrics.predictions(logits, np.zeros(4, np.int64)), bins)
    assert [count for _, _, count in found] == [3, 1]
    assert [confidence for confidence, _, _ in found] == [edge, edge + 1e-6]


def test_of_equal_logits_the_first_class_is_predicted():
    made = metrics.predictions(torch.zeros(1, 10), np.array([3]))
    assert made.predicted.tolist() == [0]


def test_of_equal_logits_a_share_of_the_classes_is_in_the_top_two():
    """A network that says nothing is right as often as scikit-learn has it, and not always."""
    labels, logits = np.arange(10), torch.zeros(10, 10)
    figures = metrics.metrics(metrics.predictions(logits, labels), 15)
    assert figures["top2_accuracy"] == 0.2 == sk.top_k_accuracy_score(labels, logits.numpy(), k=2)


def test_every_row_of_the_table_is_a_figure_and_every_figure_has_a_row():
    predictions, _ = random_predictions()
    distances = np.full(500, 50, np.float32)
    nearest = Nearest(distances, np.arange(500), predictions.labels)
    figures = metrics.metrics(predictions, 15, nearest, [0.5, 0.7])
    assert list(figures) == [metric.key for metric in metrics.METRICS]


@pytest.mark.parametrize("classes", [3, 10])
@pytest.mark.parametrize("seed", [0, 1])
def test_figures_are_scikit_learns(seed, classes):
    predictions, logits = random_predictions(seed=seed, classes=classes)
    labels, shares = predictions.labels, logits.double().softmax(1).numpy()
    figures = metrics.metrics(predictions, 15)
    occurring = np.unique(labels)
    recalls = sk.recall_score(labels, shares.argmax(1), labels=occurring, average=None)
    expected = {
        "accuracy": sk.accuracy_score(labels, shares.argmax(1)),
        "loss": sk.log_loss(labels, shares, labels=range(10)),
        "top2_accuracy": sk.top_k_accuracy_score(labels, shares, k=2, labels=range(10)),
        "macro_f1": sk.f1_score(labels, shares.argmax(1), labels=occurring, average="macro"),
        "worst_recall": recalls.min(),
    }
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, rel=1e-9), name
    table = sk.precision_recall_fscore_support(
        labels, shares.argmax(1), labels=range(10), zero_division=0
    )
    rows = [row[1:] for row in tables.class_rows(predictions, NAMES)]
    np.testing.assert_allclose(np.array(rows, float), np.array(table).T)


@given(st.integers(1, 10_000), st.data())
def test_the_interval_is_wilsons(count, data):
    right = data.draw(st.integers(0, count))
    interval = binomtest(right, count).proportion_ci(0.95, method="wilson")
    low, high = metrics.wilson_interval(right, count)
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert 0 <= low <= right / count + 1e-12  # the last bit of a rounded sum
    assert right / count - 1e-12 <= high <= 1


def test_the_interval_of_86_percent_of_10000():
    low, high = metrics.wilson_interval(8600, 10_000)
    assert (round(low, 4), round(high, 4)) == (0.8531, 0.8667)


def test_calibration_by_hand():
    """Two bins of ten: four at 0.75 of which three are right, two at 0.95 of which one is."""
    predictions = made([0, 1, 2, 3, 4, 5], [0, 1, 2, 9, 4, 9], [0.75, 0.75, 0.75, 0.75, 0.95, 0.95])
    rows = metrics.reliability_rows(predictions, 10)
    assert [row[2] for row in rows] == [4, 2]
    np.testing.assert_allclose([row[:2] for row in rows], [[0.75, 0.75], [0.95, 0.5]])
    assert metrics.calibration_error(predictions, 10) == pytest.approx((0 * 4 + 0.45 * 2) / 6)


@pytest.mark.parametrize("bins", [2, 15, 100])
def test_every_sample_is_in_one_bin(bins):
    predictions, _ = random_predictions()
    rows = metrics.reliability_rows(predictions, bins)
    assert sum(row[2] for row in rows) == 500
    confidences = [row[0] for row in rows]
    assert confidences == sorted(confidences)
    edges = np.arange(bins + 1) / bins
    numpys = np.histogram(predictions.confidence, edges)[0]
    assert [row[2] for row in rows] == [count for count in numpys if count]


def test_full_confidence_is_in_the_last_bin():
    logits = torch.zeros(2, 10)
    logits[:, 3] = 1000
    (row,) = metrics.reliability_rows(metrics.predictions(logits, np.int64([3, 3])), 15)
    assert row == (1.0, 1.0, 2)


def test_classes_that_do_not_occur_enter_no_mean():
    """e01: labels 0, 2 and 9 only."""
    predictions = made([0] * 10 + [2] * 10 + [9] * 10, [0] * 10 + [2] * 5 + [4] * 5 + [9] * 10)
    figures = metrics.metrics(predictions, 15)
    assert figures["worst_recall"] == 0.5
    assert figures["macro_f1"] == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_the_order_of_the_samples_changes_no_table():
    """e04: as they are written, rounded, since sums in another order differ in the last digit."""
    predictions, logits = random_predictions()
    order = np.random.default_rng(1).permutation(500)
    shuffled = metrics.predictions(logits[torch.from_numpy(order)], predictions.labels[order])

    def written(made):
        return [
            files.json_bytes(metrics.metrics(made, 15)),
            files.csv_bytes(tables.CLASS_COLUMNS, tables.class_rows(made, NAMES)),
            files.csv_bytes(metrics.RELIABILITY_COLUMNS, metrics.reliability_rows(made, 15)),
        ]

    assert written(predictions) == written(shuffled)


def test_every_figure_is_plain_and_finite():
    """c14 d17: also where all is right, all is wrong, or there is but one sample."""
    for predictions in (made([1], [1]), made([1], [2], 1 - 1e-12), made([3, 3], [3, 3])):
        figures = metrics.metrics(predictions, 15)
        assert {type(value) for value in figures.values()} == {float}
        assert all(math.isfinite(value) for value in figures.values())
        files.json_bytes(figures)


def test_the_most_certain_mistake_has_a_finite_loss():
    logits = torch.zeros(1, 10)
    logits[0, 3] = 1e30
    figures = metrics.metrics(metrics.predictions(logits, np.int64([0])), 15)
    assert math.isfinite(figures["loss"])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_outputs_that_are_not_finite_are_refused(value):
    """c14"""
    logits = torch.zeros(3, 10)
    logits[1, 1] = value
    with pytest.raises(UserError, match=r"not finite; .* lower train\.lr"):
        metrics.predictions(logits, np.int64([0, 1, 2]))


def test_the_line_for_the_console_tells_accuracy_and_interval():
    line = metrics.describe({"accuracy": 0.86, "accuracy_low": 0.85314, "accuracy_high": 0.86666})
    assert "0.8600" in line
    assert "95 %" in line
    assert "0.8531 to 0.8667" in line
