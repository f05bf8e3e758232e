"""Exact sums are as near to the true ones as 18 bits promise (in any order: test_order.py).

Rounded to its fixed point, a number of a tensor is off by at most d = 2^-18 of the largest
magnitude there. A product of sums f, linear in a and in b, is then off by at most

    f(|a| + d_a, |b| + d_b) - f(|a|, |b|)

and by the roundings to float32. All bounds below are this one, for each element.
"""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, cross_entropy, linear, max_pool2d

from fashion_mnist.model import exact

ALONE = exact.Alone()
ROUNDED = 2.0**-22  # relative, of at most four roundings to float32
TINY = 2.0**-140  # of products that float32 holds no more, or not with all its digits
few = settings(max_examples=15)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def off(x, bits=exact.BITS):
    """The most by which an element is off."""
    return float(x.abs().max().clamp(min=exact.LEAST)) * 2.0**-bits if x.numel() else 0.0


def results(operation, inputs, gradient):
    """What an operation gives, and its gradients with respect to each input."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    out = operation(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, gradient)]


def assert_within_the_promise(operation, reference, inputs, gradient):
    """Value and gradients of what multiplies its first two inputs and adds the third."""
    found = results(operation, inputs, gradient)
    wide, g = [x.double() for x in inputs], gradient.double()
    expected = results(reference, wide, g)
    sizes = [off(x) for x in inputs[:2]] + [0.0]
    inflated = [x.abs() + size for x, size in zip(wide, sizes, strict=False)]
    most = results(reference, inflated, g.abs() + off(gradient))
    least = results(reference, [x.abs() for x in wide], g.abs())
    for one, other, upper, lower in zip(found, expected, most, least, strict=True):
        allowed = (upper - lower) + upper * ROUNDED + TINY
        assert ((one.double() - other).abs() <= allowed).all()
        assert one.dtype == torch.float32


def as_convolution(padding):
    return (
        lambda x, w, b=None: exact.Convolution.apply(x, w, b, padding, ALONE),
        lambda x, w, b=None: conv2d(x, w, b, padding=padding),
    )


@few
@given(
    count=st.integers(1, 20),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    side=st.tuples(st.integers(3, 12), st.integers(3, 12)),
    kernel=st.sampled_from([(1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (2, 1)]),
    biased=st.booleans(),
)
@example(count=18, channels=(2, 3), side=(7, 7), kernel=(3, 1), biased=False)  # nine side by side
@example(count=5, channels=(2, 3), side=(3, 3), kernel=(3, 1), biased=True)  # all side by side
def test_a_convolution(count, channels, side, kernel, biased):
    size, padding = kernel
    inputs = [drawn(count, channels[0], *side), drawn(channels[1], channels[0], size, size, seed=1)]
    inputs += [drawn(channels[1], seed=2)] if biased else []
    shape = conv2d(*inputs[:2], padding=padding).shape
    assert_within_the_promise(*as_convolution(padding), inputs, drawn(*shape, seed=3))


@few
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_a_linear_layer(count, inputs, outputs, biased):
    tensors = [drawn(count, inputs), drawn(outputs, inputs, seed=1)]
    tensors += [drawn(outputs, seed=2)] if biased else []
    assert_within_the_promise(
        lambda x, w, b=None: exact.Linear.apply(x, w, b, ALONE),
        linear,
        tensors,
        drawn(count, outputs, seed=3),
    )


NASTY = {
    "zeros": torch.zeros(4, 3, 5, 5),
    "one huge among tiny ones": drawn(4, 3, 5, 5).mul(1e-20).index_fill(3, torch.tensor(2), 1e20),
    "the largest allowed": drawn(4, 3, 5, 5).clamp(-1, 1) * 2.0**120,
    "denormal": drawn(4, 3, 5, 5) * 2.0**-135,
    "powers of two": torch.full((4, 3, 5, 5), 2.0**-7),
}


@pytest.mark.parametrize("x", NASTY.values(), ids=NASTY)
def test_nasty_tensors_keep_the_promise(x):
    weight = drawn(2, 3, 3, 3, seed=1) * 2.0**-30
    gradient = drawn(4, 2, 5, 5, seed=2) * 2.0**-30
    assert_within_the_promise(*as_convolution(1), [x, weight], gradient)
    assert_within_the_promise(*as_convolution(1), [gradient, drawn(1, 2, 3, 3)], x[:, :1])
    flat, weights = x.flatten(1), drawn(2, 75, seed=1) * 2.0**-30
    made, expected = exact.matmul(flat, weights.T), flat.double() @ weights.T.double()
    larger = (flat.double().abs() + off(flat)) @ (weights.T.double().abs() + off(weights))
    allowed = larger - flat.double().abs() @ weights.T.double().abs() + larger * ROUNDED + TINY
    assert ((made - expected).abs() <= allowed).all()


@few
@given(st.integers(1, 300), st.integers(-30, 30))
def test_a_norm(count, power):
    """The norm of what is off, at most, by the triangle's inequality."""
    x = drawn(count) * 2.0**power
    found, expected = float(exact.norm(x)), float(x.double().norm())
    assert abs(found - expected) <= off(x) * math.sqrt(count) + expected * ROUNDED


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 2.0**122])
def test_what_is_not_finite_stays_so(value):
    """And what is too large to be rounded becomes so: a training finds a loss that is no number."""
    x = drawn(4, 2, 6, 6).requires_grad_()
    bad = torch.where(torch.arange(6) == 3, value, x.detach())
    for inputs in ([bad, drawn(3, 2, 3, 3)], [x.detach(), bad[:3, :, 3:, 3:]]):
        assert not as_convolution(0)[0](*inputs).isfinite().any()
    assert not exact.Linear.apply(bad.flatten(1), drawn(3, 72), None, ALONE).isfinite().any()
    assert not exact.matmul(bad.flatten(1), drawn(72, 3)).isfinite().any()
    assert not exact.norm(bad).isfinite()
    made, mean, _ = exact.BatchNorm.apply(bad, torch.ones(2), torch.zeros(2), 1e-5, ALONE)
    assert not made.isfinite().any()
    assert not mean.isfinite().any()
    if abs(value) != 2.0**122:
        losses = exact.CrossEntropy.apply(bad[:, 0, 0], torch.zeros(4, dtype=torch.int64), 0.1)
        assert not losses.isfinite().any()
    out = as_convolution(0)[0](x, drawn(3, 2, 3, 3))
    (gradient,) = torch.autograd.grad(out, x, torch.full_like(out, value))
    assert not gradient.isfinite().any()


@pytest.mark.parametrize(("terms", "bits"), [(1, 18), (2**17, 18), (2**17 + 1, 17), (2**33, 10)])
def test_products_and_their_sum_have_53_bits(terms, bits):
    assert exact.bits_for(terms) == bits
    assert 2 * bits + math.log2(terms) <= 53


def test_too_many_terms_are_refused():
    with pytest.raises(ValueError, match="too long to be exact"):
        exact.bits_for(2**33 + 1)


@pytest.mark.parametrize("bits", [10, 18, 22])
@given(exponent=st.integers(-99, 110))
@few
def test_the_fixed_point_is_the_nearest_multiple(bits, exponent):
    x = torch.cat([drawn(100), torch.tensor([2.0 - 2.0**-23, -1.0, 0.0])]) * 2.0**exponent
    unit = 2.0 ** (math.frexp(float(x.abs().max()))[1] - bits)
    expected = (x.double() / unit).round() * unit  # halves to the even one, as IEEE 754
    assert torch.equal(exact.fixed(x, exact.anchor(exact.magnitude(x), bits)), expected)


@pytest.mark.parametrize("bits", [10, 18, 22])
def test_the_smallest_unit_is_a_normal_number(bits):
    """Some processors take denormal ones for zero."""
    unit = float(exact.anchor(torch.zeros(()), bits)) / 1.5 * 2.0**-23
    assert unit >= torch.finfo(torch.float32).tiny


def test_a_root_is_correctly_rounded():
    x = torch.cat([drawn(10_000).abs(), torch.tensor([0.0, 1.0, 2.0**-149, 3e38])])
    below, above = (torch.nextafter(exact.root(x), x.new_tensor(s * math.inf)) for s in (-1, 1))
    for other in (below, above):
        miss, others = (torch.abs(r.double() ** 2 - x) for r in (exact.root(x), other))
        assert (miss <= others).all()


@few
@given(st.integers(2, 20), st.integers(1, 4), st.integers(1, 6), st.floats(-3, 3))
def test_batch_normalisation(count, channels, side, shift):
    """Errors go through x̂ = (x - mean)·scale to first order; what is left is far below them."""
    x = drawn(count, channels, side, side) + shift
    weight, bias, g = drawn(channels, seed=1), drawn(channels, seed=2), drawn(*x.shape, seed=3)
    saved = []

    def ours(*inputs):
        out, mean, variance = exact.BatchNorm.apply(*inputs, 1e-5, ALONE)
        saved.extend([mean, variance])
        return out

    def reference(x, weight, bias):
        return torch.batch_norm(x, weight, bias, None, None, True, 0.1, 1e-5, False)

    found = results(ours, [x, weight, bias], g)
    wide = [t.double() for t in (x, weight, bias)]
    expected = results(reference, wide, g.double())
    mean, variance = (f(wide[0], (0, 2, 3)) for f in (torch.mean, lambda t, d: t.var(d, False)))
    each = (slice(None), None, None)
    centred, scale = wide[0] - mean[each], (variance + 1e-5).rsqrt()
    of_mean = off(x) + ROUNDED * float(x.abs().max())
    of_centred = off(centred) + of_mean
    of_variance = of_centred * (2 * centred.abs().mean((0, 2, 3)) + of_centred)
    relative = of_variance / (variance + 1e-5) + ROUNDED
    assert ((saved[0] - mean).abs() <= of_mean).all()
    assert ((saved[1] - variance).abs() <= of_variance + variance * ROUNDED).all()
    normal = centred * scale[each]
    of_normal = normal.abs() * relative[each] + of_mean * scale[each]
    of_out = of_normal * wide[1].abs()[each] + expected[0].abs() * ROUNDED + 2.0**-22
    g = g.double()
    of_g, of_n = off(g), off(normal) + of_normal
    size = normal.abs()
    along, of_along = (
        t.mean((0, 2, 3)) for t in (g * normal, of_g * (size + of_n) + of_n * g.abs())
    )
    of_bracket = 2 * of_g + of_n * along.abs()[each] + (size + of_n) * of_along[each]
    of_bracket = of_bracket + (g.abs() + size * along.abs()[each] + g.abs().max()) * ROUNDED
    of_x = of_bracket * (scale * wide[1].abs())[each] + expected[1].abs() * relative[each]
    terms = x[:, 0].numel()
    bounds = of_out, of_x * (1 + relative[each]), of_along * terms, of_g * terms
    for one, other, bound in zip(found, expected, bounds, strict=True):
        assert ((one.double() - other).abs() <= bound + other.abs() * ROUNDED + 1e-7).all()


@few
@given(st.integers(1, 5), st.integers(2, 9), st.integers(2, 9), st.integers(1, 6))
def test_max_pooling(count, height, width, values):
    """With equals too, as black regions have many: one of them gets the gradient."""
    source = torch.Generator().manual_seed(values)
    x = torch.randint(values, (count, 2, height, width), generator=source).float().requires_grad_()
    out = exact.MaxPool.apply(x)
    assert torch.equal(out, max_pool2d(x, 2))
    (made,) = torch.autograd.grad(out, x, torch.ones_like(out))
    inside = made[:, :, : height // 2 * 2, : width // 2 * 2]
    assert torch.equal(inside.unfold(2, 2, 2).unfold(3, 2, 2).sum((4, 5)), torch.ones_like(out))
    assert torch.equal((made * x).sum(), out.sum())
    assert made.sum() == inside.sum()


def test_of_equals_the_upper_left_one_has_the_gradient():
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    exact.MaxPool.apply(x).sum().backward()
    assert x.grad[0, 0].nonzero().tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]]


@few
@given(st.integers(1, 9), st.integers(2, 12), st.floats(0, 0.9), st.floats(0.01, 30))
def test_a_cross_entropy(count, classes, smoothing, scale):
    """In float64 within: no more than the rounding of the result is lost."""
    logits = drawn(count, classes) * scale
    labels = torch.arange(count) % classes
    gradient = drawn(count, seed=1)
    found = results(lambda x: exact.CrossEntropy.apply(x, labels, smoothing), [logits], gradient)
    expected = results(
        lambda x: cross_entropy(x, labels, reduction="none", label_smoothing=smoothing),
        [logits.double()],
        gradient.double(),
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=2.0**-23, atol=1e-13)
