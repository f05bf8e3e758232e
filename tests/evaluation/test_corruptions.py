"""Corruptions: stronger is farther, the same on every machine, and black stays what is outside."""

import hashlib

import numpy as np
import pytest
from small import images, labels

from fashion_mnist.evaluation import corruptions
from fashion_mnist.evaluation.corruptions import CORRUPTIONS, STRENGTHS

IMAGES = images(labels(40))


@pytest.mark.parametrize("name", CORRUPTIONS)
class TestEach:
    def test_stronger_is_farther(self, name):
        """By the mean absolute difference; the images that it is given stay as they were."""
        before = IMAGES.copy()
        made = [CORRUPTIONS[name](IMAGES, strength) for strength in STRENGTHS]
        assert all((one.dtype, one.shape) == (np.uint8, IMAGES.shape) for one in made)
        apart = [np.abs(one.astype(int) - IMAGES).mean() for one in made]
        assert apart == sorted(apart)
        assert apart[0] > 0
        np.testing.assert_array_equal(IMAGES, before)

    def test_one_image_is_corrupted_as_well_as_many(self, name):
        for strength in STRENGTHS:
            assert CORRUPTIONS[name](IMAGES[:1], strength).shape == (1, 28, 28)

    def test_black_stays_black_but_under_noise(self, name):
        black = np.zeros((9, 28, 28), np.uint8)
        for strength in STRENGTHS:
            assert CORRUPTIONS[name](black, strength).any() == (name == "noise")


def test_the_bytes_are_the_same_everywhere():
    """Whole numbers alone: the digest holds on every processor."""
    digest = hashlib.sha256()
    for name, strength, made in corruptions.corrupted(IMAGES):
        digest.update(f"{name} {strength}".encode() + made.tobytes())
    assert digest.hexdigest()[:16] == "1e06e9f51076cd95"


def test_blur_of_a_point_by_hand():
    point = np.zeros((1, 28, 28), np.uint8)
    point[0, 5, 5] = 160
    made = corruptions.blur(point, 1)[0]
    assert made[4:7, 4:7].tolist() == [[10, 20, 10], [20, 40, 20], [10, 20, 10]]
    assert made.sum() == 160


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_shift_moves_every_pixel_and_loses_none_inside(strength):
    point = np.zeros((50, 28, 28), np.uint8)
    point[:, 14, 10] = 200
    made = corruptions.shift(point, strength)
    moved = {tuple(np.argwhere(image)[0] - (14, 10)) for image in made}
    assert len(moved) == 8
    assert {max(map(abs, by)) for by in moved} == {strength}
    assert set(np.unique(made)) == {0, 200}


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_rotation_is_by_six_degrees_a_strength_to_either_side(strength):
    """Of a bar from the centre to the right: where its end comes to lie."""
    bar = np.zeros((30, 28, 28), np.uint8)
    bar[:, 13:15, 14:] = 255
    sides = set()
    for image in corruptions.rotation(bar, strength):
        rows, columns = np.nonzero(image > 128)
        far = columns >= 22
        angle = np.degrees(np.arctan2(rows[far].mean() - 13.5, columns[far].mean() - 13.5))
        assert abs(angle) == pytest.approx(6 * strength, abs=1.5)
        sides.add(np.sign(angle))
    assert sides == {-1, 1}


def test_occlusion_blackens_one_square_of_the_stated_side():
    white = np.full((20, 28, 28), 255, np.uint8)
    for strength in STRENGTHS:
        side = 4 + 2 * strength
        for image in corruptions.occlusion(white, strength):
            rows, columns = np.nonzero(image == 0)
            assert (np.ptp(rows) + 1, np.ptp(columns) + 1, len(rows)) == (side, side, side**2)


def test_contrast_keeps_the_mean_and_lessens_the_spread():
    for strength in STRENGTHS:
        made = corruptions.contrast(IMAGES, strength)
        np.testing.assert_allclose(made.mean(axis=(1, 2)), IMAGES.mean(axis=(1, 2)), atol=1)
        assert made.std() == pytest.approx(IMAGES.std() * (7 - strength) / 7, rel=0.05)


def test_rows_are_the_clean_one_and_one_for_each_that_was_measured():
    measured = {(n, s): s / 10 for n in CORRUPTIONS for s in STRENGTHS}
    assert corruptions.rows(0.9, {}) == []
    made = corruptions.rows(0.9, measured)
    assert made[:3] == [["none", 0, 0.9], ["noise", 1, 0.1], ["noise", 2, 0.2]]
    assert len(made) == 1 + len(measured)
