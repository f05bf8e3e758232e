"""Rows under the right names, the right way round, in order."""

import numpy as np
import pytest
from small import CLASSES, NAMES

from fashion_mnist.evaluation import tables
from fashion_mnist.evaluation.metrics import Predictions
from fashion_mnist.pipeline.splits import Nearest, numbered


def said(labels, predicted):
    """Predictions of ten classes, each with a confidence of 0.9."""
    count = len(labels)
    millionths = np.full(count, 900_000)
    return Predictions(np.array(labels), np.array(predicted), np.zeros((count, 10)), millionths)


def test_classes_that_do_not_occur_shift_no_name():
    """e01: labels 0, 2 and 9 only; what is not defined is 0."""
    predictions = said([0] * 10 + [2] * 10 + [9] * 10, [0] * 10 + [2] * 5 + [4] * 5 + [9] * 10)
    rows = tables.class_rows(predictions, NAMES)
    assert [row[0] for row in rows] == list(NAMES)
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["2 Pullover"] == [1.0, 0.5, pytest.approx(2 / 3), 10]
    assert by_name["9 Ankle boot"] == [1.0, 1.0, 1.0, 10]
    assert by_name["4 Coat"] == by_name["1 Trouser"] == [0.0, 0.0, 0.0, 0]


def test_a_confusion_is_told_the_right_way_round():
    """e02: three T-shirts taken for shirts, one shirt for a T-shirt."""
    rows = tables.prediction_rows(said([0, 0, 0, 6], [6, 6, 6, 0]), NAMES)
    assert tables.PREDICTION_COLUMNS == ("index", "actual", "predicted", "confidence")
    assert rows == [
        *([index, "0 T-shirt/top", "6 Shirt", 0.9] for index in range(3)),
        [3, "6 Shirt", "0 T-shirt/top", 0.9],
    ]


def test_labels_sort_as_text_in_label_order():
    """e04 e05: DVC's plots sort classes as text; the slash stays where it is a label."""
    assert numbered(CLASSES) == NAMES
    for count in (2, 3, 10, 11, 47, 100, 101, 256):
        names = numbered([f"{n * 7919 % 256}/x" for n in range(count)])
        assert list(names) == sorted(names)
        assert [int(name.split()[0]) for name in names] == list(range(count))
        assert names[-1] == f"{count - 1} {(count - 1) * 7919 % 256}/x"


@pytest.mark.parametrize("near", [0, 5, 25])
def test_nearly_seen_images_come_nearest_first_and_at_least_twenty_of_all(near):
    distances = np.concatenate([np.linspace(9, 1, near), np.linspace(40, 11, 30 - near)])
    nearest = Nearest(distances, np.arange(30) + 100, np.full(30, 9))
    rows = tables.near_rows(said([0] * 30, [6] * 30), nearest, NAMES)
    assert len(rows) == max(near, 20)
    order = sorted(range(30), key=lambda at: distances[at])
    for row, at in zip(rows, order, strict=False):
        assert row == [at, "0 T-shirt/top", "6 Shirt", distances[at], at + 100, "9 Ankle boot"]


def test_a_split_that_knows_of_no_nearest_image_has_no_rows():
    assert tables.near_rows(said([0], [0]), None, NAMES) == []
