"""What a network's operations mean: portable, the same bytes on every machine, or PyTorch's own."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fashion_mnist.model import exact
from fashion_mnist.model.exact import Alone, Shared, anchor, bits_for, fixed, magnitude
from fashion_mnist.pipeline.errors import UserError

SAFE = {
    "__get__", "__getitem__", "__len__", "contiguous", "dim", "flatten", "flip", "permute", "relu",
    "reshape", "size", "view",
}  # fmt: skip
"""Functions that compute nothing, or the larger of two numbers."""

ELEMENTWISE = {
    "add", "add_", "sub", "mul", "__add__", "__radd__", "__sub__", "__mul__", "__rmul__",
}  # fmt: skip
"""One rounded operation on each element. Of one shape: the gradient of a smaller one is a sum."""


def arithmetic(name: str, shared: Shared | None = None) -> AbstractContextManager[object]:
    """What to compute a network in: `with arithmetic("portable"): network(images)`.

    Args:
        name: "portable", "avx2" or "native"; for the last two operations are PyTorch's own.
        shared: the processes that share each batch of a training.
    """
    return Portable(shared or Alone()) if name == "portable" else nullcontext()


class Portable(TorchFunctionMode):
    """Within it, PyTorch's functions are those of `exact`, or refused.

    Without gradients each sample is rounded by itself, so that it does not matter with which
    others it is in a batch; in training the batch is rounded as a whole.

    Attributes:
        source: of dropout's random numbers, on the CPU, where they are the same everywhere.
    """

    def __init__(self, shared: Shared) -> None:
        super().__init__()
        self.shared = shared
        self.source = torch.Generator()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if (own := OWN.get(name)) is not None:
            return own(self, *args, **kwargs)
        alike = name in ELEMENTWISE and _of_one_shape(args) and not kwargs  # alpha multiplies too
        if name not in SAFE and not alike:
            raise UserError(
                f"{name} has no portable form: set train.arithmetic and evaluate.arithmetic to "
                "native, or give it one in model/arithmetic.py"
            )
        return func(*args, **kwargs)

    def conv2d(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        """A convolution of stride 1 that pads all sides alike, neither dilated nor in groups."""
        rows, columns = _pair(padding)
        alike = rows == columns and not isinstance(padding, str)
        if not alike or not _pair(stride) == _pair(dilation) == (groups, groups) == (1, 1):
            raise UserError("only convolutions of stride 1 with one padding have a portable form")
        if torch.is_grad_enabled():
            made: Tensor = exact.Convolution.apply(x, weight, bias, rows, self.shared)
            return made
        bits = bits_for(weight[0].numel())
        of_weight = anchor(magnitude(weight), bits)
        where = exact.Geometry(x, weight, rows)
        return exact.convolved(x, weight, bias, where, _of_each(x, bits), of_weight)

    def linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """A linear layer."""
        if torch.is_grad_enabled():
            made: Tensor = exact.Linear.apply(x, weight, bias, self.shared)
            return made
        bits = bits_for(weight.shape[1])
        w = fixed(weight, anchor(magnitude(weight), bits))
        out = (fixed(x, _of_each(x, bits)) @ w.T).float()
        return out if bias is None else out.add_(bias)

    def batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """Batch normalisation over the whole batch, in whatever process its samples are."""
        if weight is None or bias is None or running_mean is None or running_var is None:
            raise UserError("only batch normalisation that learns all it can has a portable form")
        if not training:
            scale = exact.inverse_root(running_var + eps) * weight
            centred = x - running_mean[:, None, None]
            return centred.mul_(scale[:, None, None]).add_(bias[:, None, None])
        made: Tensor
        made, mean, variance = exact.BatchNorm.apply(x, weight, bias, eps, self.shared)
        count = self.shared.samples(len(x)) * x[0, 0].numel()
        with torch.no_grad():
            variance = variance * (count / max(1, count - 1))
            for running, new in ((running_mean, mean), (running_var, variance)):
                running += (new - running) * momentum
        return made

    def max_pool2d(self, x: Tensor, size: Any, stride: Any = None, **others: Any) -> Tensor:
        """The largest of each 2×2 pixels."""
        plain = {"padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False}
        if not _pair(size) == _pair(stride or size) == (2, 2) or plain | others != plain:
            raise UserError("only max-pooling of 2×2 pixels has a portable form")
        made: Tensor = exact.MaxPool.apply(x)
        return made

    def dropout(
        self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        """Dropout by random numbers that are drawn for the whole batch on the CPU."""
        if not training or p == 0:
            return x
        rows = self.shared.samples(len(x))
        drawn = torch.rand(rows, *x.shape[1:], generator=self.source)
        stays = self.shared.own(drawn).to(x.device) >= p
        return x * (stays * (1 / (1 - p)))

    def cross_entropy(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        **_: Any,
    ) -> Tensor:
        """The loss of each sample."""
        if reduction != "none" or weight is not None:
            raise UserError("only the plain loss of each sample has a portable form")
        made: Tensor = exact.CrossEntropy.apply(logits, labels, label_smoothing)
        return made

    def divided(self, x: Tensor, by: float) -> Tensor:
        """Divided by a number, which CUDA takes for a product with the inverse."""
        if isinstance(by, Tensor):
            raise UserError("only a division by a number has a portable form")
        return x * (1 / by)


OWN: dict[str, Callable[..., Tensor]] = {
    "conv2d": Portable.conv2d,
    "spare_conv2d": Portable.conv2d,
    "linear": Portable.linear,
    "batch_norm": Portable.batch_norm,
    "max_pool2d": Portable.max_pool2d,
    "dropout": Portable.dropout,
    "cross_entropy": Portable.cross_entropy,
    "__truediv__": Portable.divided,
    "div": Portable.divided,
}


def _of_each(x: Tensor, bits: int) -> Tensor:
    """The anchor of each sample alone: N×1×1×1, or N×1."""
    low, high = x.flatten(1).aminmax(dim=1)
    return anchor(torch.maximum(-low, high), bits).view(-1, *[1] * (x.dim() - 1))


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _of_one_shape(args: Any) -> bool:
    return len({x.shape for x in args if isinstance(x, Tensor) and x.dim()}) <= 1
