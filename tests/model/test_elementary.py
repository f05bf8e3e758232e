"""Functions from products and sums alone, against the C library's and torch's."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fashion_mnist.model import elementary

NEARLY = 1e-15  # relative


def numbers(low, high):
    made = torch.linspace(low, high, 100_001, dtype=torch.float64)
    return torch.cat([made, torch.linspace(-1e-3, 1e-3, 1001).double().clamp(low, high)])


def assert_nearly(made, expected, absolute=0.0):
    torch.testing.assert_close(made, expected, rtol=NEARLY, atol=absolute)


def test_exp():
    x = numbers(-700, 700)
    assert_nearly(elementary.exp(x), x.exp())
    assert elementary.exp(x.new_tensor(0.0)) == 1
    assert elementary.exp(x.new_tensor(-math.inf)) == elementary.exp(x.new_tensor(-700.0))
    assert elementary.exp(x.new_tensor([math.nan])).isnan()


def test_log():
    x = torch.cat([numbers(-690, 700).exp(), numbers(0.5, 2.0)])
    # Next to 1 the logarithm is as small as the rounding of its argument
    assert_nearly(elementary.log(x), x.log(), absolute=1e-17)
    assert elementary.log(x.new_tensor(1.0)) == 0


def test_sine_and_cosine():
    x = numbers(-math.pi, math.pi)
    sine, cosine = elementary.sin_cos(x)
    assert_nearly(sine, x.sin(), absolute=NEARLY)
    assert_nearly(cosine, x.cos(), absolute=NEARLY)


@given(st.floats(-math.pi, math.pi))
def test_a_number_and_a_tensor_have_the_same_sine(angle):
    """Schedules take the one, rotations the other."""
    tensors = elementary.sin_cos(torch.tensor(angle, dtype=torch.float64))
    assert elementary.sin_cos(angle) == tuple(float(tensor) for tensor in tensors)


@given(st.floats(0.01, 1), st.integers(0, 2000))
def test_a_power_is_the_exact_one_to_rounding(base, exponent):
    found, expected = elementary.power(base, exponent), Fraction(base) ** exponent
    assert abs(Fraction(found) - expected) <= expected * Fraction(2 * exponent + 1, 2**53) + (
        Fraction(2 * exponent + 1, 2**1074)
    )


@pytest.mark.parametrize("count", range(1, 12))
def test_a_sum_of_few_is_the_sum(count):
    x = torch.randn(5, count, generator=torch.Generator().manual_seed(0)).double()
    assert_nearly(elementary.sum_of_few(x), x.sum(1), absolute=NEARLY * count)


def test_log_softmax():
    logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(0)) * 20
    logits[0], logits[1, 3] = 5.0, 1e30
    expected = torch.log_softmax(logits.double(), 1)
    assert_nearly(elementary.log_softmax(logits), expected, absolute=NEARLY)
    for value in (math.nan, math.inf):
        assert not elementary.log_softmax(torch.tensor([[0.0, value]])).isfinite().all()
