"""The difference of two recipes over seeds and images, against studies whose truth is known."""

import numpy as np
import pytest
from scipy.stats import norm

from fashion_mnist.comparison.seeds import Difference, difference, holm, seeds_needed
from fashion_mnist.comparison.statistics import Pairs, mcnemar_exact

STUDIES = 10_000
LEVEL = 1.4
"""Where a standard normal lies below with a probability of 92 %, such as accuracies have here."""


def simulate(seeds, spread, rng, studies, images, gain=0.1):
    """Correctness under two recipes, studies × seeds × images each, and the true difference.

    An answer is correct where a normal score is above zero, of which a part belongs to the image,
    under both recipes or under one, a part to the seed, with a standard deviation of `spread`, and
    the rest to the two together; the expectation over images and seeds is then known exactly.
    """

    def draw(rows, columns, deviation):
        shape = (studies, rows, columns)
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)

    common, made, truths = draw(1, images, 0.8), [], []
    for level, of_seed in zip((LEVEL, LEVEL + gain), spread, strict=True):
        score = common + draw(1, images, 0.3) + draw(seeds, 1, of_seed) + draw(seeds, images, 0.5)
        made.append((level + score > 0).astype(np.float64))
        truths.append(norm.cdf(level / np.sqrt(0.8**2 + 0.3**2 + of_seed**2 + 0.5**2)))
    return (*made, truths[1] - truths[0])


def coverage(seeds, spread, images):
    """The share of simulated studies whose interval holds the true difference."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):  # few at a time stay in the processor's cache
        old, new, truth = simulate(seeds, spread, rng, STUDIES // 200, images)
        found = difference(old, new)
        held += int(((found.low <= truth) & (truth <= found.high)).sum())
    return held / STUDIES


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_holds_the_true_difference(seeds):
    """Here the spread over seeds is twice what the images allow, as with the project's recipes."""
    assert 0.93 <= coverage(seeds, (0.1, 0.1), images=100) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("spread", [(0, 0), (0.05, 0.05), (0.15, 0.15), (0.1, 0.02), (0.15, 0.02)])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_interval_holds_the_true_difference_whatever_the_spread(seeds, spread):
    """From seeds that differ in nothing but single images to five times what the images allow."""
    assert 0.93 <= coverage(seeds, spread, images=400) <= 0.97


@pytest.mark.slow
def test_two_seeds_of_very_different_recipes_cover_less():
    """What the docstring admits."""
    assert 0.9 <= coverage(2, (0.35, 0.0), images=400) < 0.93


def test_the_variance_is_that_of_the_studies():
    """On average, as the estimate is unbiased; here no part of it is cut off at zero."""
    old, new, _ = simulate(3, (0.15, 0.15), np.random.default_rng(1), 4000, 400)
    found = difference(old, new)
    estimated = found.images + found.seeds / 3
    assert estimated.mean() == pytest.approx(found.value.var(), rel=0.09)  # 4 standard errors


def test_a_hand_made_study():
    """Two seeds and four images: each term of the variance worked out by hand."""
    old = np.array([[1.0, 1, 0, 0], [1, 1, 1, 0]])
    new = np.array([[1.0, 1, 1, 0], [1, 1, 1, 1]])
    found = difference(old, new)
    assert found.value == pytest.approx(0.875 - 0.625)
    # by image 0, 0, 1/2, 1/2: variance 1/12; each recipe's seeds are 1/4 apart: 1/32; what
    # remains beside image and seed: 1/8 in each
    joint = 2 * (1 / 8 / 4) / 2
    assert found.images == pytest.approx(max(1 / 12 / 4 - joint, 0))
    assert found.seeds == pytest.approx(2 * max(1 / 32, 1 / 8 / 4))


@pytest.mark.parametrize("images", [2, 4, 6, 10_000])
def test_no_image_that_tells_recipes_apart_is_no_certainty(images):
    """3.7 of the images could be others in as large a sample, and McNemar's test needs six."""
    wrong, right = np.zeros((2, images)), np.ones((2, images))
    same, apart = difference(right, right), difference(wrong, right)
    assert same.high == -same.low == pytest.approx(min(1 - 0.025 ** (1 / images), 1))
    assert same.p_value == 1
    assert apart.high == 1
    assert apart.low == pytest.approx(1 - same.high)
    assert apart.p_value >= mcnemar_exact(Pairs(0, images, 0, 0))
    assert (apart.p_value < 0.05) == (images >= 6)


def test_one_image_has_no_spread():
    with pytest.raises(ValueError, match="over images"):
        difference(np.ones((2, 1)), np.ones((2, 1)))


def test_the_p_value_and_the_interval_agree():
    old, new, _ = simulate(3, (0.1, 0.1), np.random.default_rng(2), 500, 400, gain=0.3)
    found = difference(old, new)
    assert 0.1 < ((found.low > 0) | (found.high < 0)).mean() < 0.9
    np.testing.assert_array_equal(found.p_value < 0.05, (found.low > 0) | (found.high < 0))


def test_holm_of_a_published_example():
    """Holm (1979) in the form of R's p.adjust: multiplied by rank, and never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


def test_old_and_new_exchanged():
    old, new, _ = simulate(3, (0.1, 0.1), np.random.default_rng(0), 5, 100)
    one, other = difference(old, new), difference(new, old)
    assert one.low == pytest.approx(-other.high)
    assert one.value == pytest.approx(-other.value)


def test_seeds_that_agree_by_chance_are_no_certainty():
    same = np.array([[1.0] * 90 + [0] * 10, [0] * 10 + [1] * 90])
    found = difference(same, np.roll(same, 5, axis=1))
    assert found.value == 0
    assert found.images == 0
    assert found.low < 0 < found.high


def test_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="needs two"):
        difference(np.ones((1, 10)), np.ones((2, 10)))


def study(images, seeds):
    value = np.array(0.0)
    return Difference(value, value, value, value, np.array(images), np.array(seeds))


def test_seeds_needed():
    """Twice the spread needs four times the seeds, less what Student's quantile asks of few."""
    few, many = (seeds_needed(study(0.0, (k * 0.001) ** 2), 0.002) for k in (4, 8))
    assert 3.5 * few < many <= 4 * few
    assert many == pytest.approx(((1.96 + 0.84) * 4) ** 2, abs=3)  # as for a normal quantile
    assert seeds_needed(study(0.0, 0.002**2), 0.002) == 9  # 8 by the normal quantile
    assert seeds_needed(study(0.0, 1e-12), 0.002) == 2
    assert seeds_needed(study(0.001**2, 1e-12), 0.002) is None  # 2.8 standard errors are 0.0028
