"""Exponential, logarithm, sine and cosine from products and sums alone, the same on every machine.

A library's own differ in the last digits, by processor and version. Those here reduce their
argument and evaluate a Taylor series in float64, one rounded operation at a time. Errors are a few
units in the last of 53 bits.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor

LN2 = 0.6931471805599453
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first has 32 bits
MANTISSA, ONE = (1 << 52) - 1, 1023 << 52  # of a float64's bits

T = TypeVar("T", float, Tensor)


def series(x: T, coefficients: list[float]) -> T:
    """A polynomial by Horner's rule, coefficients of the highest power first."""
    total = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        total = (total + coefficient) * x
    return total + coefficients[-1]


EXP = [1 / math.factorial(n) for n in range(14, -1, -1)]
SIN = [(-1) ** n / math.factorial(2 * n + 1) for n in range(11, -1, -1)]
COS = [(-1) ** n / math.factorial(2 * n) for n in range(12, -1, -1)]
ATANH = [2 / (2 * n + 1) for n in range(11, -1, -1)]


def exp(x: Tensor) -> Tensor:
    """e to the power of float64 numbers up to 700; at least e^-700."""
    x = x.clamp(min=-700)
    power = (x * (1 / LN2)).round()
    rest = (x - power * LN2_HIGH) - power * LN2_LOW
    return series(rest, EXP) * ((power.long() + 1023) << 52).view(torch.float64)


def log(x: Tensor) -> Tensor:
    """The natural logarithm of float64 numbers above 2^-1022."""
    bits = x.view(torch.int64)
    significand = ((bits & MANTISSA) | ONE).view(torch.float64)  # 1 to 2
    large = significand > 1.4142135623730951
    significand = torch.where(large, significand * 0.5, significand)
    power = ((bits >> 52) - 1023 + large).double()
    ratio = (significand - 1) / (significand + 1)
    return power * LN2_HIGH + (ratio * series(ratio * ratio, ATANH) + power * LN2_LOW)


def sin_cos(x: T) -> tuple[T, T]:
    """Sine and cosine of angles from -pi to pi, by those of half the angle."""
    half = x * 0.5
    square = half * half
    sine, cosine = half * series(square, SIN), series(square, COS)
    return (sine * cosine) * 2, 1 - (sine * sine) * 2


def power(base: float, exponent: int) -> float:
    """`base` to the power of a whole number, by products alone: C libraries' own differ."""
    total = 1.0
    while exponent:
        if exponent & 1:
            total *= base
        base *= base
        exponent >>= 1
    return total


def sum_of_few(x: Tensor) -> Tensor:
    """The sum over the last dimension, halves added until one is left: N×K to N."""
    while (size := x.shape[-1]) > 1:
        half = size // 2
        added = x[..., :half] + x[..., half : 2 * half]
        x = torch.cat([added, x[..., 2 * half :]], -1) if size % 2 else added
    return x[..., 0]


def log_softmax(logits: Tensor) -> Tensor:
    """Logarithms of the probabilities of each row, float64, N×K."""
    shifted = logits.double()
    shifted = shifted - shifted.amax(1, keepdim=True)
    return shifted - log(sum_of_few(exp(shifted)))[:, None]
