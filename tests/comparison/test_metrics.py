"""The metrics of two revisions: judged by the direction that their row gives."""

import pytest

from fashion_mnist.comparison.metrics import ROWS, differing
from fashion_mnist.pipeline.metric import Metric, in_order


def test_each_metric_is_judged_by_its_direction():
    base = {"accuracy": 0.9, "accuracy_low": 0.88, "accuracy_high": 0.92, "ece": 0.02, "loss": 0.4}
    base |= {"train_loss": 0.5, "parameters": 1000, "same": 1}
    new = {"accuracy": 0.91, "accuracy_low": 0.89, "accuracy_high": 0.93, "ece": 0.03, "loss": 0.3}
    new |= {"train_loss": 0.4, "parameters": 2000, "same": 1, "gone": 7}
    made = differing(base, new, ("main", "this pull request"), markdown=True)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in made.splitlines()]
    assert rows[0] == ["metric", "main", "this pull request", "difference", ""]
    assert rows[2:] == [
        ["Accuracy", "0.9000 (0.8800 to 0.9200)", "0.9100 (0.8900 to 0.9300)", "+0.0100", "better"],
        ["Cross-entropy (nats)", "0.4000", "0.3000", "-0.1000", "better"],
        ["Expected calibration error", "0.0200", "0.0300", "+0.0100", "worse"],
        ["Training loss (nats)", "0.5000", "0.4000", "-0.1000", ""],
        ["Parameters", "1,000", "2,000", "+1,000", ""],
        ["gone", "-", "7.0000", "-", ""],
    ]


def test_a_metric_that_one_side_lacks_is_shown_without_a_judgement():
    made = differing({"accuracy": 0.9}, {"accuracy": 0.9, "ece": 0.1}, ("a", "b"), markdown=True)
    assert made.splitlines()[2:] == ["| Expected calibration error | - | 0.1000 | - |  |"]


def test_no_difference_makes_no_table():
    assert differing({"accuracy": 0.9}, {"accuracy": 0.9}, ("a", "b")) is None


@pytest.mark.parametrize("key", ROWS)
def test_a_direction_is_given_where_a_value_can_be_better(key):
    """That of training's own loss and accuracy, of bounds and of counts cannot."""
    neither = key.startswith("train_") or key.endswith(("_low", "_high")) or not ROWS[key].digits
    assert (ROWS[key].direction == "none") == neither


@pytest.mark.parametrize(
    ("value", "signed", "shown"),
    [
        (0.86694, False, "0.8669"),
        (-0.02, True, "-0.0200"),
        (3e-6, True, "+3e-06"),
        (0, True, "0.0000"),
    ],
)
def test_a_value_is_shown_with_the_digits_of_its_metric(value, signed, shown):
    assert Metric("ece", "ECE").shown(value, signed=signed) == shown


def test_a_figure_without_a_row_is_named():
    rows = (Metric("b", "B"), Metric("a", "A"))
    assert list(in_order(rows, {"a": 1, "b": 2})) == ["b", "a"]
    with pytest.raises(ValueError, match="METRICS has no row for c"):
        in_order(rows, {"a": 1, "c": 3})
