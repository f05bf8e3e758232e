"""What prepare sees in the data, against counts by hand and by brute force."""

import numpy as np
import pytest
import small

from fashion_mnist.data import quality
from fashion_mnist.data.preparation import Part


def part(images, labels, start=0):
    return Part(images, np.asarray(labels, np.int64), np.arange(start, start + len(images)))


def noise(count, seed, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (count, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize("low", [0, 250], ids=["any pixels", "bright pixels"])
def test_the_nearest_is_that_of_brute_force(monkeypatch, low):
    """Also where blocks end within the images; exact where float32 holds no square of a pixel."""
    monkeypatch.setattr(quality, "ROWS", 7)
    monkeypatch.setattr(quality, "COLUMNS", 9)
    training = part(noise(40, 0, low), np.arange(40) % 10, start=100)
    images = part(noise(15, 1, low), np.zeros(15))
    found = quality.nearest(images, training)
    apart = images.images[:, None].astype(np.int64) - training.images[None]
    squares = (apart**2).sum(axis=(2, 3))
    at = squares.argmin(axis=1)
    np.testing.assert_array_equal(found.index, 100 + at)
    np.testing.assert_array_equal(found.labels, at % 10)
    expected = np.sqrt(squares.min(axis=1) / 784).astype(np.float32)
    assert found.distances.tobytes() == expected.tobytes()


@pytest.mark.parametrize("level", [0, 255])
def test_the_farthest_and_the_nearest_images_have_exact_distances(level):
    black, grey = np.zeros((1, 28, 28), np.uint8), np.full((1, 28, 28), level, np.uint8)
    found = quality.nearest(part(grey, [0]), part(black, [1]))
    assert found.distances.tolist() == [level]
    assert found.distances.dtype == np.float32


def test_of_equally_near_ones_the_first_is_named(monkeypatch):
    monkeypatch.setattr(quality, "COLUMNS", 2)
    same = np.repeat(noise(1, 0), 7, axis=0)
    assert quality.nearest(part(same[:1], [0]), part(same, np.arange(7))).index.tolist() == [0]


def test_no_images_have_no_nearest():
    found = quality.nearest(part(noise(0, 0), []), part(noise(3, 1), [0, 1, 2]))
    assert [len(array) for array in vars(found).values()] == [0, 0, 0]


def test_identical_and_conflicting_images_are_counted():
    """One twice in training, with two labels; one of them again in test; one near one."""
    training, test = noise(6, 0), noise(4, 1)
    training[3] = training[0]
    test[2] = training[0]
    test[1] = training[5]
    test[1, 0, 0] ^= 64  # 64 levels in one of 784 pixels: 2.3 in the mean of squares
    parts = {
        "train": part(training, [0, 1, 2, 1, 0, 2]),
        "validation": part(noise(0, 2), []),
        "test": part(test, [0, 1, 0, 2]),
    }
    near = {name: quality.nearest(parts[name], parts["train"]) for name in ("validation", "test")}
    made = quality.report(parts, near, 3)
    assert [made[f"{name}_images"] for name in parts] == [6, 0, 4]
    assert (made["smallest_class"], made["largest_class"]) == (2, 2)
    assert (made["identical"], made["conflicting"]) == (2, 3)
    assert [made[f"test_within_{level}"] for level in (1, 3, 5, 8, 10)] == [1, 2, 2, 2, 2]
    assert made["validation_within_10"] == 0


def test_a_class_without_a_training_image_is_the_smallest():
    parts = {"train": part(noise(3, 0), [0, 0, 2]), "test": part(noise(0, 1), [])}
    made = quality.report(parts, {}, 4)
    assert (made["smallest_class"], made["largest_class"]) == (0, 2)


def test_a_distance_on_the_threshold_is_within_it():
    image = np.full((1, 28, 28), 100, np.uint8)
    parts = {"train": part(image, [0]), "test": part(image + 5, [0])}
    near = {"test": quality.nearest(parts["test"], parts["train"])}
    assert quality.report(parts, near, 1)["test_within_5"] == 1
    parts["test"].images[0, 0, 0] += 1
    near = {"test": quality.nearest(parts["test"], parts["train"])}
    assert quality.report(parts, near, 1)["test_within_5"] == 0


def test_images_are_counted_by_class_and_split():
    parts = {"train": part(noise(3, 0), [2, 0, 2]), "test": part(noise(1, 0), [0])}
    rows = quality.class_rows(parts, ["0 a", "1 b", "2 c"])
    assert rows == [["0 a", 1, 1], ["1 b", 0, 0], ["2 c", 2, 0]]


@pytest.mark.parametrize(("classes", "rows", "each"), [(10, 10, 8), (47, 47, 4), (256, 200, 1)])
def test_samples_are_the_first_of_each_class_at_fixed_places(classes, rows, each):
    labels = np.arange(300) % classes
    made = quality.samples(part(noise(300, 0), labels), [str(n) for n in range(classes)])
    assert [name for name, _ in made] == [str(n) for n in range(rows)]
    assert {images.shape for _, images in made} == {(each, 28, 28)}
    found = noise(300, 0)[labels == 3][:each]
    np.testing.assert_array_equal(made[3][1][: len(found)], found)
    assert not made[3][1][len(found) :].any()


def test_a_class_without_images_keeps_its_row():
    made = quality.samples(part(noise(2, 0), [0, 0]), small.NAMES)
    assert [bool(images.any()) for _, images in made] == [True] + [False] * 9
