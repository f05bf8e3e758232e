"""Two recipes on the same test images, each trained with several seeds: how far apart they are.

Both the seeds and the images are samples: another seed gives another network, and other photographs
would have given other accuracies. An interval has to cover both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm, t

Floats = NDArray[np.float64]

POWER = 0.8
MOST_SEEDS = 1000
"""More are not looked for."""
FEWEST = 6
"""Images on which two recipes differ with which McNemar's exact test can show a difference."""


@dataclass(frozen=True)
class Difference:
    """Mean accuracy of a new recipe less that of an old one, and how sure it is.

    Each attribute is an array of the leading axes of what `difference` was given; shares of 1.

    Attributes:
        value: the difference of the two means.
        low, high: its 95 % interval, over seeds and test images.
        p_value: that the recipes are equally accurate, two-sided.
        images: the variance that the choice of test images gives the difference however many
            seeds there are.
        seeds: the variance that one seed of each recipe adds to it, both recipes together.
    """

    value: Floats
    low: Floats
    high: Floats
    p_value: Floats
    images: Floats
    seeds: Floats


def difference(old: Floats, new: Floats, confidence: float = 0.95) -> Difference:
    """How much more accurate one recipe is than another, with an interval.

    Of an image's correctness under a recipe, a part belongs to the image, a part to the seed and
    a part to the two together, and they are uncorrelated. The variance of the difference of means
    is therefore that of the images' mean differences, plus that of each recipe's mean over its
    seeds, less the joint part, which both contain: the unbiased estimate for several readers and
    several cases of Gallas, Pennello and Myers, "Multireader multicase variance analysis for binary
    data", Journal of the Optical Society of America A 24 (2007), B70-B80, with seeds for readers.
    Seeds are taken as independent between recipes; where equal seeds run alike, the interval is
    a little too wide.

    The quantile is Student's with the degrees of freedom of Satterthwaite, Biometrics Bulletin 2
    (1946), 110-114, in which the spread over seeds enters at its median-unbiased estimate: among
    two or three seeds it mostly seems smaller than it is, and the degrees of freedom too many.

    Where fewer than `FEWEST` images tell the recipes apart, or all do in the same way, these
    variances are too small to be true. The interval then reaches at least as far as that of Clopper
    and Pearson for an event that none of as many images has shown, 3.7 / images; and the p-value is
    at least that of McNemar's exact test if all images that differ spoke for one recipe.

    Simulated (tests/comparison/test_seeds.py), 93 to 97 % of the intervals hold the true
    difference, with 2, 3 and 5 seeds; down to 90 % where one recipe's seeds
    differ several times as much as the other's and as the images allow.

    Args:
        old, new: whether (1 or 0; means over repeated runs lie between) each image is classified
            correctly, ... × seeds × images, at least two seeds each, the images in one order.
        confidence: of the interval.

    Raises:
        ValueError: a recipe has one seed, or there is one image: nothing is known of a spread.
    """
    count = old.shape[-1]
    if count < 2:
        raise ValueError("a spread over images needs two")
    if min(old.shape[-2], new.shape[-2]) < 2:
        raise ValueError("a spread over seeds needs two")
    by_image = new.mean(-2) - old.mean(-2)
    of_images = by_image.var(-1, ddof=1) / count
    joint = np.zeros_like(of_images)
    spread, likely, fourth = np.zeros_like(joint), np.zeros_like(joint), np.zeros_like(joint)
    one_seed = np.zeros_like(joint)
    for right in (old, new):
        seeds = right.shape[-2]
        of_seeds = right.mean(-1).var(-1, ddof=1)
        interaction = _interaction(right) / count
        joint += interaction / seeds
        one_seed += np.maximum(of_seeds, interaction)
        spread += of_seeds / seeds
        upwards = (seeds - 1) / chi2.ppf(0.5, seeds - 1)
        likely += upwards * of_seeds / seeds
        fourth += (upwards * of_seeds / seeds) ** 2 / (seeds - 1)
    images = np.maximum(of_images - joint, 0)
    alpha = 1 - confidence
    least = ((1 - (alpha / 2) ** (1 / count)) / norm.isf(alpha / 2)) ** 2
    # Seeds that agree by chance are no certainty: at least half the width that the images give
    variance = np.maximum(images + spread, of_images / 4)
    differing = np.count_nonzero(by_image, axis=-1)
    degenerate = (differing < FEWEST) | (of_images == 0)
    variance = np.where(degenerate, np.maximum(variance, least), variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(fourth > 0, (images + likely) ** 2 / fourth, np.inf)
    value, error = by_image.mean(-1), np.sqrt(variance)
    reach = t.isf(alpha / 2, freedom) * error
    by_images_alone = np.minimum(1, 0.5 ** (differing - 1.0))
    p_value = np.maximum(2 * t.sf(np.abs(value) / error, freedom), by_images_alone)
    low, high = np.maximum(value - reach, -1), np.minimum(value + reach, 1)
    return Difference(value, low, high, p_value, images, one_seed)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values for several comparisons together.

    Where those below 5 % are called differences, the probability of calling any wrongly is 5 % at
    most (Holm, Scandinavian Journal of Statistics 6 (1979), 65-70).
    """
    adjusted, least = [1.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = least
    return adjusted


def _interaction(right: Floats) -> Floats:
    """The variance of an image's correctness over seeds that neither image nor seed explains."""
    seeds, count = right.shape[-2:]
    rest = right - right.mean(-1, keepdims=True) - right.mean(-2, keepdims=True)
    rest += right.mean((-2, -1), keepdims=True)
    found: Floats = (rest**2).sum((-2, -1)) / ((seeds - 1) * (count - 1))
    return found


def seeds_needed(found: Difference, size: float, confidence: float = 0.95) -> int | None:
    """With how many seeds of each recipe a difference of `size` would be seen four times in five.

    That is, with how many the interval would leave out zero with a probability of `POWER`, the
    variances being as found; None where the test images alone leave too much open for any number
    up to `MOST_SEEDS`.
    """
    for seeds in range(2, MOST_SEEDS + 1):
        spread = float(found.seeds) / seeds
        variance = float(found.images) + spread
        freedom = variance**2 / (spread**2 / (2 * (seeds - 1))) if spread else np.inf
        reach = t.ppf((1 + confidence) / 2, freedom) + norm.ppf(POWER)
        if reach * np.sqrt(variance) <= size:
            return seeds
    return None
