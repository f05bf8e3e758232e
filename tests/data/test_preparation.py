"""The hold-out and the normalisation, on a few rows."""

import numpy as np
import pytest
import small
from hypothesis import given
from hypothesis import strategies as st

from fashion_mnist.data.parameters import Prepare
from fashion_mnist.data.preparation import divide, hold_out, make_splits, statistics
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.splits import normalise

FIXED = {
    "classes": list(small.CLASSES),
    "validation_size": 2,
    "seed": 0,
    "normalisation": "fixed",
    "mean": 0.5,
    "std": 0.5,
}


def pair(count, seed=0):
    labels = small.labels(count, seed)
    return small.images(labels, seed), labels


def prepare(train, test, **changes):
    """The splits, under `FIXED` with changes."""
    settings = Prepare(**{**FIXED, **changes})
    parts = divide(train, test, settings.validation_size, settings.seed)
    return make_splits(parts, settings, {})


def test_three_pixels_are_normalised():
    """0.5/0.5 maps black to -1 and white to 1."""
    images = np.zeros((3, 28, 28), np.uint8)
    images[1], images[2] = 51, 255
    made = normalise(images, 0.5, 0.5)
    assert (made.shape, made.dtype) == ((3, 1, 28, 28), np.float32)
    np.testing.assert_array_equal(made[:, 0, 5, 5], np.float32([-1, -0.6, 1]))
    assert normalise(images, 0.2, 0.1)[1, 0, 0, 0] == pytest.approx(0, abs=1e-7)


def test_statistics_of_three_images():
    images = np.zeros((3, 28, 28), np.uint8)
    images[2] = 255
    assert statistics(images) == pytest.approx((1 / 3, np.sqrt(2) / 3))


@given(st.integers(2, 90), st.data())
def test_the_hold_out_is_stratified(count, data):
    """Every class gives its share of the hold-out, give or take less than one image."""
    size = data.draw(st.integers(0, count - 1))
    labels = np.array(data.draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)))
    train, validation = hold_out(labels, size, seed=data.draw(st.integers(0, 99)))
    assert len(validation) == size
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(count))
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(validation) > 0)
    shares = np.bincount(labels, minlength=10) * size / count
    assert np.all(np.abs(np.bincount(labels[validation], minlength=10) - shares) < 1)


def test_the_seed_alone_decides_the_hold_out():
    labels = small.labels(100)
    first, again, other = (hold_out(labels, 30, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("size", [20, 21, 1000])
def test_a_hold_out_that_leaves_nothing_is_refused(size):
    with pytest.raises(UserError, match=rf"validation_size is {size}.*20 training.*at most 19"):
        hold_out(small.labels(20), size, 0)


@pytest.mark.parametrize("size", [0, 100])
def test_no_image_is_lost(size):
    """a16: the hold-out and the training split add up, and keep their labels."""
    train, test = pair(1000), pair(20, 1)
    made = prepare(train, test, validation_size=size)
    assert [len(made[name].labels) for name in ("train", "validation", "test")] == [
        1000 - size,
        size,
        20,
    ]
    _, held_out = hold_out(train[1], size, 0)
    np.testing.assert_array_equal(made["validation"].labels, train[1][held_out])
    np.testing.assert_array_equal(
        made["validation"].images, normalise(train[0][held_out], 0.5, 0.5)
    )
    np.testing.assert_array_equal(made["test"].images, normalise(test[0], 0.5, 0.5))
    np.testing.assert_array_equal(made["validation"].index, held_out)
    np.testing.assert_array_equal(made["train"].grey, train[0][made["train"].index])
    np.testing.assert_array_equal(made["test"].index, np.arange(20))
    assert made["validation"].images.shape[1:] == (1, 28, 28)
    assert made["train"].labels.dtype == np.int64


def test_measured_statistics_are_those_of_the_training_split_alone():
    train, test = pair(40), pair(10, 1)
    kept, held_out = hold_out(train[1], 10, 0)
    train[0][held_out] = 255  # would move the mean, were it looked at
    made = prepare(train, test, validation_size=10, normalisation="measured")
    pixels = train[0][kept] / 255
    for split in made.values():
        assert (split.mean, split.std) == pytest.approx((pixels.mean(), pixels.std()))
    assert made["train"].images.mean() == pytest.approx(0, abs=1e-5)  # float32
    assert made["train"].images.std() == pytest.approx(1, abs=1e-5)


def test_equal_pixels_cannot_be_measured():
    images = np.full((3, 28, 28), 7, np.uint8)
    split = (images, np.uint8([0, 1, 2]))
    with pytest.raises(UserError, match=r"prepare\.normalisation is measured.*equal"):
        prepare(split, split, validation_size=0, normalisation="measured")
