"""Two classifiers on the same test images: a test and an interval for paired proportions."""

from dataclasses import dataclass
from math import sqrt

from scipy.stats import beta, binom, binomtest

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Pairs:
    """How many images each of two classifiers gets right.

    Attributes:
        both: images that both get right.
        only_new: images that only the new one gets right.
        only_old: images that only the old one gets right.
        neither: images that neither gets right.
    """

    both: int
    only_new: int
    only_old: int
    neither: int

    @property
    def count(self) -> int:
        """All images."""
        return self.both + self.only_new + self.only_old + self.neither

    @property
    def old(self) -> float:
        """The old one's accuracy."""
        return (self.both + self.only_old) / self.count

    @property
    def new(self) -> float:
        """The new one's accuracy."""
        return (self.both + self.only_new) / self.count

    @property
    def difference(self) -> float:
        """New accuracy less old."""
        return (self.only_new - self.only_old) / self.count


def mcnemar_exact(pairs: Pairs) -> float:
    """The two-sided p-value of McNemar's exact test that both are equally accurate.

    Under that hypothesis an image that only one of the two gets right is either one's with
    probability one half (McNemar, Psychometrika 12, 1947; Dietterich, Neural Computation 10, 1998,
    recommends the test for two classifiers and one test set).
    """
    changed = pairs.only_new + pairs.only_old
    return float(binomtest(pairs.only_new, changed).pvalue) if changed else 1.0


def smallest_difference(pairs: Pairs, power: float = 0.8) -> float | None:
    """The smallest true difference of accuracies that the test would have shown, with `power`.

    That is, the one for which `mcnemar_exact` falls below `SIGNIFICANCE` with that probability,
    where as many images as here are right for one of the two alone: given their number the test is
    binomial, and so is its power (Duffy, "Asymptotic and exact power for the McNemar test",
    Biometrics 40 (1984), 1005-1015). None where so few images show no difference at all.
    """
    changed = pairs.only_new + pairs.only_old
    needed = int(binom.isf(SIGNIFICANCE / 2, changed, 0.5)) + 1
    if binomtest(min(needed, changed), changed or 1).pvalue >= SIGNIFICANCE or needed > changed:
        return None
    share = float(beta.ppf(power, needed, changed - needed + 1))  # P(binomial >= needed) = power
    return (2 * share - 1) * changed / pairs.count


def difference_interval(pairs: Pairs, confidence: float = 0.95) -> tuple[float, float]:
    """Newcombe's interval for the difference of paired proportions, new less old.

    Method 10 of Newcombe, "Improved confidence intervals for the difference between binomial
    proportions based on paired data", Statistics in Medicine 17 (1998), 2635-2650: Wilson's
    intervals of the two proportions, combined by their squares, with the correlation of the two
    under a continuity correction. It stays within -1 and 1, also where few images changed.

    The test is exact and the interval is not: close to p = 0.05 one may speak while the other does
    not. The verdict goes by the test.
    """
    rights = (pairs.both + pairs.only_new, pairs.both + pairs.only_old)
    new, old = (
        binomtest(right, pairs.count).proportion_ci(confidence, "wilson") for right in rights
    )
    correlation = _correlation(pairs)

    def distance(towards_new: float, towards_old: float) -> float:
        crossed = 2 * correlation * towards_new * towards_old
        return sqrt(max(0.0, towards_new**2 - crossed + towards_old**2))

    below = distance(pairs.new - new.low, old.high - pairs.old)
    above = distance(new.high - pairs.new, pairs.old - old.low)
    return pairs.difference - below, pairs.difference + above


def _correlation(pairs: Pairs) -> float:
    """The phi coefficient, towards zero by Newcombe's correction; 0 where a margin is empty."""
    margins = (
        (pairs.both + pairs.only_new)
        * (pairs.only_old + pairs.neither)
        * (pairs.both + pairs.only_old)
        * (pairs.only_new + pairs.neither)
    )
    if margins == 0:
        return 0.0
    numerator: float = pairs.both * pairs.neither - pairs.only_new * pairs.only_old
    if numerator > 0:
        numerator = max(numerator - pairs.count / 2, 0)
    return numerator / sqrt(margins)
