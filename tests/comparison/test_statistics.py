"""The test and the interval for pairs, against published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_mnist.comparison.statistics import (
    Pairs,
    difference_interval,
    mcnemar_exact,
    smallest_difference,
)

# Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 8:
# complete response before and after consolidation therapy (Cavo et al., 2012).
CAVO = Pairs(both=59, only_new=6, only_old=16, neither=80)
# The same chapter, and Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014): airway
# hyper-responsiveness before and after stem cell transplantation (Bentur et al., 2009).
BENTUR = Pairs(both=1, only_new=1, only_old=7, neither=12)

counts = st.integers(0, 500)
pairs = st.builds(Pairs, counts, counts, counts, counts).filter(lambda made: made.count > 0)


def test_mcnemar_of_published_examples():
    assert mcnemar_exact(CAVO) == pytest.approx(0.052479, abs=5e-7)
    assert mcnemar_exact(BENTUR) == pytest.approx(0.0703, abs=5e-5)


def test_interval_of_published_example():
    assert CAVO.difference == pytest.approx(-0.0621, abs=5e-5)
    assert difference_interval(CAVO) == pytest.approx((-0.1186, -0.0046), abs=5e-5)


def test_nothing_changed():
    same = Pairs(both=90, only_new=0, only_old=0, neither=10)
    low, high = difference_interval(same)
    assert mcnemar_exact(same) == 1
    assert low < 0 < high


@given(pairs)
def test_interval_holds_the_difference_and_stays_in_range(made):
    low, high = difference_interval(made)
    assert -1 - 1e-12 <= low <= made.difference <= high <= 1 + 1e-12


@given(pairs)
def test_old_and_new_exchanged(made):
    exchanged = Pairs(made.both, made.only_old, made.only_new, made.neither)
    low, high = difference_interval(made)
    assert difference_interval(exchanged) == pytest.approx((-high, -low), abs=1e-12)
    assert mcnemar_exact(exchanged) == pytest.approx(mcnemar_exact(made))


@pytest.mark.parametrize("changed", [6, 7, 20, 500])
def test_the_smallest_difference_is_shown_four_times_in_five(changed):
    """By drawing who is right alone, and testing: 0.8 within four standard errors."""
    size = smallest_difference(Pairs(1000 - changed, changed // 2, changed - changed // 2, 0))
    share = (1 + size * 1000 / changed) / 2
    drawn = np.random.default_rng(0).binomial(changed, share, 10_000)
    p_values = {n: mcnemar_exact(Pairs(1000 - changed, n, changed - n, 0)) for n in set(drawn)}
    shown = np.mean([p_values[n] < 0.05 and 2 * n > changed for n in drawn])
    assert shown == pytest.approx(0.8, abs=0.016)


@pytest.mark.parametrize("changed", [0, 1, 5])
def test_few_changed_images_can_show_no_difference(changed):
    assert smallest_difference(Pairs(90, changed, 0, 10)) is None
    assert mcnemar_exact(Pairs(90, changed, 0, 10)) >= 0.05
