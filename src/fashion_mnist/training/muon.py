"""The optimiser Muon: steps of hidden weights that move all directions alike."""

import inspect
import math

import torch
from torch import Tensor, nn, optim

STEPS = 5
COEFFICIENTS = 3.4445, -4.7750, 2.0315

update_others = inspect.unwrap(optim.AdamW.step)  # the wrappers import the compiler


class Muon(optim.Optimizer):
    """Muon (Jordan et al., 2024) for hidden weights, AdamW for all others.

    The momentum of a weight, as a matrix of outputs × inputs, is replaced by the nearest
    orthogonal one, so that rare directions move as far as common ones. It is scaled to the size of
    AdamW's steps, and decayed as there (Liu et al., 2025), so that one rate suits both. As in its
    authors' use of it, the first and the last layer and all vectors are left to AdamW.

    Args:
        hidden: of at least two dimensions, the first of which counts outputs.
        weight_decay: of `hidden`.
        adamw: has all others; its groups and its state become part of this optimiser's.
    """

    def __init__(
        self,
        hidden: list[nn.Parameter],
        adamw: optim.Adam,
        lr: float,
        momentum: float,
        weight_decay: float,
    ) -> None:
        own = {"params": hidden, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([own, *adamw.param_groups], {"lr": lr})
        self.adamw = adamw

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of every parameter that has a gradient."""
        own, *others = self.param_groups
        # A state that was loaded has put new ones in their place
        self.adamw.param_groups, self.adamw.state = others, self.state
        update_others(self.adamw)
        for weight in own["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
            momentum = state["momentum"].lerp_(weight.grad, 1 - own["momentum"])
            ahead = weight.grad.lerp(momentum, own["momentum"])  # Nesterov's
            matrix = orthogonal(ahead.flatten(1))
            # The root mean square of AdamW's steps is about a fifth
            matrix *= own["lr"] * (0.2 * math.sqrt(max(matrix.shape)))
            weight.mul_(1 - own["lr"] * own["weight_decay"]).sub_(matrix.view_as(weight))


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the orthogonal matrix nearest to this one: its singular values come close to 1.

    By five Newton-Schulz iterations of a polynomial chosen for speed, not for an exact end (Jordan
    et al., 2024). They are carried out on the matrix times its transpose, which is small, and the
    matrix itself is multiplied once, by what they come to (Gram Newton-Schulz, Dao AI Lab, 2026):
    the same but for rounding, and less than half the arithmetic where a matrix is long.

    Args:
        matrix: float32, m×n, not changed; of zeros, the result is zeros.

    Returns:
        float32, m×n, with singular values of 0.7 to 1.2 where the matrix's own are not tiny
        beside its largest.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / wide.norm().clamp(min=1e-20)
    square = wide @ wide.T
    unit = torch.eye(len(square), device=matrix.device)
    factor = step = torch.addmm(a * unit + b * square, square, square, alpha=c)
    for _ in range(STEPS - 1):
        square = step @ square @ step
        step = torch.addmm(a * unit + b * square, square, square, alpha=c)
        factor = step @ factor
    found: Tensor = factor @ wide
    return found.T if tall else found
