"""Sums that are exact, and therefore the same on every machine.

A sum of floating-point numbers depends on its order, and so on the processor, the library, the
threads and the device. A sum of integers does not. Here each operand of a sum of products is first
rounded to a fixed point: to a multiple of u = 2^(e + 1 - bits), where 2^e is the power of two at or
below the largest magnitude of the tensor. In float64 each is then an integer of at most 2^bits
times u, a product one of at most 2^(2 bits), and a sum of n of them one of at most n·2^(2 bits).
With 2 bits + log2(n) <= 53 every partial sum is exact in any order, with or without fused
multiply-add, and what is rounded to float32 is the one true sum. It is the scheme of Ozaki et al.
(2012) with one slice.

Everything else is made of operations that IEEE 754 rounds in one way only, one at a time.
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from fashion_mnist.model.elementary import exp, log_softmax, sum_of_few

BITS = 18
"""Of an operand, while at most 2^17 terms are summed: bfloat16 has 8, TF32 11, float32 24."""

LEAST = 2.0**-100
"""A tensor whose largest magnitude is smaller is rounded as if it were this: u stays normal."""

BLOCK = 2**18
"""Elements that each thread of a CPU works on at a time, so that they stay in its cache."""


class Shared(Protocol):
    """The processes that share each batch of a training."""

    def samples(self, here: int) -> int:
        """Samples of the present batch in all processes, of which `here` are in this one."""

    def largest(self, value: Tensor) -> Tensor:
        """The largest of all processes' values, float32."""

    def total(self, value: Tensor) -> Tensor:
        """The sum of all processes' values, float64, which is exact."""

    def own(self, rows: Tensor) -> Tensor:
        """Of a row for each sample of the batch, those of this process's samples."""


class Alone:
    """One process has the whole batch."""

    def samples(self, here: int) -> int:
        return here

    def largest(self, value: Tensor) -> Tensor:
        return value

    def total(self, value: Tensor) -> Tensor:
        return value

    def own(self, rows: Tensor) -> Tensor:
        return rows


def bits_for(terms: int) -> int:
    """Bits of each operand, so that a sum of this many products is exact: 2 bits + log2 <= 53.

    Raises:
        ValueError: fewer than 10 bits would be left, for more than 2^33 terms.
    """
    bits = min(BITS, (53 - max(terms - 1, 0).bit_length()) // 2)
    if bits < 10:
        raise ValueError(f"a sum of {terms} products is too long to be exact and precise")
    return bits


def magnitude(x: Tensor) -> Tensor:
    """The largest magnitude of a tensor, of no dimension; NaN where an element is."""
    low, high = x.aminmax()
    return torch.maximum(-low, high)


def anchor(largest: Tensor, bits: int) -> Tensor:
    """What rounds a float32 tensor to its fixed point when it is added and taken away again.

    It is 1.5·2^k, next to which float32 numbers are u = 2^(k - 23) apart: k = e + 24 - bits. NaN
    or infinite where the largest magnitude is, or where it is so large (2^121) that the anchor
    overflows: what is rounded is then NaN, and a loss that is not finite tells of it.

    Args:
        largest: float32, magnitudes, of any shape.
        bits: at most 22.
    """
    power = largest.clamp(min=LEAST).view(torch.int32).bitwise_and(0x7F800000)
    return power.view(torch.float32) * (1.5 * 2.0 ** (24 - bits))


def fixed(x: Tensor, at: Tensor) -> Tensor:
    """The tensor rounded to its fixed point by its anchor, in float64."""
    return (x + at).sub_(at).double()


def parts(count: int, elements: int, device: torch.device) -> list[slice]:
    """Slices of `count` samples of so many elements: all at once but on a CPU."""
    size = max(1, BLOCK * torch.get_num_threads() // elements) if device.type == "cpu" else count
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The product of two float32 matrices, rounded once: float32."""
    bits = bits_for(a.shape[1])
    made = [fixed(x, anchor(magnitude(x), bits)) for x in (a, b)]
    return (made[0] @ made[1]).float()


def norm(x: Tensor) -> Tensor:
    """The Euclidean norm of a float32 tensor's elements, float32, of no dimension."""
    at = anchor(magnitude(x), bits_for(x.numel()))
    return root(fixed(x, at).square_().sum().float())


# Convolution and linear layer ---------------------------------------------------------------------


class Geometry:
    """How a convolution goes through a batch.

    Maps of few columns are laid side by side, with the padding between them, so that few large
    products of matrices replace many small ones.
    """

    def __init__(self, x: Tensor, weight: Tensor, padding: int) -> None:
        count, _, height, width = x.shape
        rows, columns = weight.shape[2:]
        self.padding = padding
        self.height, self.width = height + 2 * padding - rows + 1, width + 2 * padding - columns + 1
        self.parts = parts(count, weight[0].numel() * self.height * self.width, x.device)
        same = columns == 2 * padding + 1
        self.beside = 64 // width if same and width <= 8 and x.device.type == "cpu" else 1

    def widened(self, x: Tensor) -> Tensor:
        """Maps, n×C×H×W, laid side by side: m×C×H×(n/m·(W + padding)), where that helps."""
        count, channels, height, width = x.shape
        if self.beside == 1:
            return x
        beside = self.beside if count % self.beside == 0 else count
        spaced = pad(x, [0, self.padding]).view(-1, beside, channels, height, width + self.padding)
        return spaced.permute(0, 2, 3, 1, 4).reshape(count // beside, channels, height, -1)

    def narrowed(self, x: Tensor, width: int) -> Tensor:
        """What `widened` laid side by side, as maps of `width` columns again."""
        if self.beside == 1:
            return x
        count, channels, height, _ = x.shape
        apart = x.view(count, channels, height, -1, width + self.padding).permute(0, 3, 1, 2, 4)
        return apart.flatten(0, 1)[..., :width]


class Convolution(torch.autograd.Function):
    """A convolution of stride 1 and its gradients, from exact sums."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, shared: Shared
    ) -> Tensor:
        where = Geometry(x, weight, padding)
        pixels = shared.samples(len(x)) * where.height * where.width
        bits = bits_for(max(pixels, weight[0].numel(), weight[:, 0].numel()))
        ats = anchor(shared.largest(magnitude(x)), bits), anchor(magnitude(weight), bits)
        ctx.save_for_backward(x, weight, *ats)
        ctx.where, ctx.bits, ctx.shared, ctx.biased = where, bits, shared, bias is not None
        return convolved(x, weight, bias, where, *ats)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, at_x, at_w = ctx.saved_tensors
        where, shared, wanted = ctx.where, ctx.shared, ctx.needs_input_grad[0]
        at = anchor(shared.largest(magnitude(gradient)), ctx.bits)
        w = fixed(weight, at_w)
        to_x = torch.empty_like(x, memory_format=torch.contiguous_format) if wanted else None
        to_w, to_b = torch.zeros_like(w), w.new_zeros(len(w)) if ctx.biased else None
        for part in where.parts:
            g, inputs = fixed(gradient[part], at), fixed(x[part], at_x)
            by_x, by_w, _ = torch.ops.aten.convolution_backward(
                where.widened(g), where.widened(inputs), w, None, [1, 1], [where.padding] * 2,
                [1, 1], False, [0, 0], 1, [wanted, True, False],
            )  # fmt: skip
            to_w += by_w
            if to_x is not None:
                to_x[part] = where.narrowed(by_x, x.shape[3])
            if to_b is not None:
                to_b += g.sum((0, 2, 3))
        made = None if to_b is None else shared.total(to_b).float()
        return to_x, shared.total(to_w).float(), made, None, None


def convolved(
    x: Tensor, weight: Tensor, bias: Tensor | None, where: Geometry, at_x: Tensor, at_w: Tensor
) -> Tensor:
    """The convolution itself; `at_x` is one anchor for all samples, or one for each, N×1×1×1."""
    w = fixed(weight, at_w)
    out = x.new_empty(len(x), len(w), where.height, where.width)
    for part in where.parts:
        inputs = fixed(x[part], at_x[part] if at_x.dim() else at_x)
        made = torch.conv2d(where.widened(inputs), w, None, 1, where.padding)
        out[part] = where.narrowed(made, where.width)
        if bias is not None:
            out[part] += bias[:, None, None]
    return out


class Linear(torch.autograd.Function):
    """A linear layer and its gradients, from exact sums."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, shared: Shared) -> Tensor:
        bits = bits_for(max(shared.samples(len(x)), *weight.shape))
        inputs = fixed(x, anchor(shared.largest(magnitude(x)), bits))
        w = fixed(weight, anchor(magnitude(weight), bits))
        ctx.save_for_backward(inputs, w)
        ctx.bits, ctx.shared, ctx.biased = bits, shared, bias is not None
        out = (inputs @ w.T).float()
        return out if bias is None else out.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (inputs, w), shared = ctx.saved_tensors, ctx.shared
        g = fixed(gradient, anchor(shared.largest(magnitude(gradient)), ctx.bits))
        to_x = (g @ w).float() if ctx.needs_input_grad[0] else None
        to_b = shared.total(g.sum(0)).float() if ctx.biased else None
        return to_x, shared.total(g.T @ inputs).float(), to_b, None


# Batch normalisation ------------------------------------------------------------------------------


class BatchNorm(torch.autograd.Function):
    """Batch normalisation by the statistics of the whole batch, and its gradients.

    Gives the mean and the variance too, float32, one of each channel.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, shared: Shared
    ) -> tuple[Tensor, Tensor, Tensor]:
        count = shared.samples(len(x)) * x[0, 0].numel()
        bits = bits_for(count)
        ctx.parts = parts(len(x), 2 * x[0].numel(), x.device)
        at = anchor(shared.largest(magnitude(x)), bits)
        added = torch.zeros_like(weight, dtype=torch.float64)
        for part in ctx.parts:
            added += fixed(x[part], at).sum((0, 2, 3))
        mean = (shared.total(added) * (1 / count)).float()
        centred = x - mean[:, None, None]
        at = anchor(shared.largest(magnitude(centred)), bits)
        squares = torch.zeros_like(added)
        for part in ctx.parts:
            squares += fixed(centred[part], at).square_().sum((0, 2, 3))
        variance = (shared.total(squares) * (1 / count)).float()
        scale = inverse_root(variance + eps)
        centred *= scale[:, None, None]
        ctx.save_for_backward(centred, scale, weight)
        ctx.count, ctx.bits, ctx.shared = count, bits, shared
        ctx.mark_non_differentiable(mean, variance)
        return (centred * weight[:, None, None]).add_(bias[:, None, None]), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        normal, scale, weight = ctx.saved_tensors
        shared = ctx.shared
        at, at_n = (
            anchor(shared.largest(magnitude(tensor)), ctx.bits) for tensor in (gradient, normal)
        )
        alone, with_normal = torch.zeros(2, len(scale), dtype=torch.float64, device=scale.device)
        for part in ctx.parts:
            g = fixed(gradient[part], at)
            alone += g.sum((0, 2, 3))
            with_normal += g.mul_(fixed(normal[part], at_n)).sum((0, 2, 3))
        alone, with_normal = shared.total(alone), shared.total(with_normal)
        share = 1 / ctx.count
        common, along = ((added * share).float()[:, None, None] for added in (alone, with_normal))
        to_x = (gradient - common).sub_(normal * along).mul_((scale * weight)[:, None, None])
        return to_x, with_normal.float(), alone.float(), None, None


def root(x: Tensor) -> Tensor:
    """The square root of a float32 tensor, correctly rounded, whatever the library.

    MKL's own, of a float32, is off by a digit in a fifth of all values. One in float64 that is off
    by a digit is still nearer to the true root than any float32 midpoint can be.
    """
    return x.double().sqrt().float()


def inverse_root(x: Tensor) -> Tensor:
    """1 / root(x)."""
    return torch.ones_like(x) / root(x)


# Loss ---------------------------------------------------------------------------------------------


class CrossEntropy(torch.autograd.Function):
    """The cross-entropy of each sample with its label, in nats, float32, N."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        logs = log_softmax(logits)
        wanted = torch.full_like(logs, smoothing / logs.shape[1])
        wanted.scatter_(1, labels[:, None], 1 - smoothing + smoothing / logs.shape[1])
        ctx.save_for_backward(exp(logs), wanted)
        return -sum_of_few(logs * wanted).float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        shares, wanted = ctx.saved_tensors
        return ((shares - wanted) * gradient[:, None].double()).float(), None, None


# Pooling ------------------------------------------------------------------------------------------


class MaxPool(torch.autograd.Function):
    """The largest of each 2×2 pixels, N×C×H×W to N×C×(H/2)×(W/2), an odd row or column left out.

    Of equals the upper, then the left one has the gradient. Rows first, which a processor does
    several pixels at a time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        rows = _larger(x, 2)
        return _larger(rows, 3)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return _to_larger(x, 2, _to_larger(_larger(x, 2), 3, gradient))


def _halves(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    pairs = x.narrow(dim, 0, x.shape[dim] // 2 * 2).unflatten(dim, (-1, 2))
    return pairs.select(dim + 1, 0), pairs.select(dim + 1, 1)


def _larger(x: Tensor, dim: int) -> Tensor:
    return torch.maximum(*_halves(x, dim))


def _to_larger(x: Tensor, dim: int, gradient: Tensor) -> Tensor:
    """The gradient of `_larger`."""
    made = torch.zeros_like(x)
    first, second = _halves(x, dim)
    to_first, to_second = _halves(made, dim)
    chosen = first >= second
    torch.mul(gradient, chosen, out=to_first)
    torch.mul(gradient, ~chosen, out=to_second)
    return made
