"""The optimisers: SGD, Adam, AdamW and Muon.

Each operation of an update is one that IEEE 754 rounds in one way, so that it gives the same bytes
everywhere: torch's own multiply and add in one kernel, which rounds once or twice by the processor.
Parameters of a kind lie in one vector, so that the update of a small network is a few operations.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from fashion_mnist.model import exact
from fashion_mnist.model.elementary import power
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.ranks import Group

BETA2 = 0.999
EPS = 1e-8


class Flat:
    """Parameters that are views of one vector, and their gradients of another.

    Attributes:
        values: all parameters, float32, in the network's order.
        gradients: likewise; a backward pass adds to them.
        decay: the weight decay of all.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        kept, self.decay = list(parameters), decay
        size = sum(p.numel() for p in kept)
        device = kept[0].device if kept else torch.device("cpu")
        self.values, self.gradients = torch.zeros(2, size, device=device)
        at = 0
        for parameter in kept:
            view, gradient = (
                vector[at : at + parameter.numel()].as_strided(parameter.shape, parameter.stride())
                for vector in (self.values, self.gradients)
            )
            parameter.data = view.copy_(parameter.detach())
            parameter.grad = gradient
            at += parameter.numel()


class Optimizer:
    """Updates the parameters of a network, whose storage it takes over, by their gradients.

    What changes from step to step is kept on the network's device, so that a recorded step reads
    it from there. Weight decay is applied to weights alone: vectors (biases, the scales of batch
    normalisation) are not decayed, as is usual.

    Attributes:
        state: of each parameter vector and kind, float32.
        steps: how many have been begun.
    """

    def __init__(self, network: nn.Module, settings: Train) -> None:
        self.momentum, self.decay = settings.momentum, settings.weight_decay
        parameters = list(network.parameters())
        self.hidden = self._hidden([p for p in parameters if p.dim() > 1])
        hidden = {id(p) for p in self.hidden}
        others = [p for p in parameters if id(p) not in hidden]
        self.flats = [
            Flat((p for p in others if p.dim() > 1), self.decay),
            Flat((p for p in others if p.dim() <= 1), 0.0),
            *(Flat([p], self.decay) for p in self.hidden),
        ]
        self.steps = 0
        self.device = parameters[0].device
        self.scalars: dict[str, Tensor] = {}
        self.state = [
            {name: torch.zeros_like(flat.values) for name in self._kept(flat)}
            for flat in self.flats
        ]

    def _hidden(self, weights: list[nn.Parameter]) -> list[nn.Parameter]:
        """Those weights that each have a vector of their own."""
        return []

    def _kept(self, flat: Flat) -> list[str]:
        """The names of what is kept of a vector from step to step."""
        raise NotImplementedError

    def set(self, **values: float) -> None:
        """Put numbers where a step reads them, on the network's device."""
        for name, value in values.items():
            if name not in self.scalars:
                self.scalars[name] = torch.zeros((), device=self.device)
            self.scalars[name].fill_(value)

    def begin(self, lr: float) -> None:
        """Count a step at a learning rate, and compute on the host what depends on its number."""
        self.steps += 1
        self.set(lr=lr, kept=1 - lr * self.decay)

    def zero_gradients(self) -> None:
        """Before each backward pass."""
        for flat in self.flats:
            flat.gradients.zero_()

    def add_up(self, group: Group) -> None:
        """Add up the gradients of all processes, as DistributedDataParallel does."""
        for flat in self.flats:
            group.total(flat.gradients)

    @torch.no_grad()
    def update(self) -> None:
        """The step that was begun. It reads nothing from the host."""
        for flat, state in zip(self.flats, self.state, strict=True):
            if len(flat.values):
                self._update(flat, state)

    def _update(self, flat: Flat, state: dict[str, Tensor]) -> None:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on, but for the parameters."""
        return {"steps": self.steps, "state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.steps = state["steps"]
        for ours, theirs in zip(self.state, state["state"], strict=True):
            for name, tensor in ours.items():
                tensor.copy_(theirs[name])


class Sgd(Optimizer):
    """Stochastic gradient descent with Nesterov's momentum, as torch.optim.SGD."""

    def _kept(self, flat: Flat) -> list[str]:
        return ["momentum"]

    def _update(self, flat: Flat, state: dict[str, Tensor]) -> None:
        gradient = flat.gradients
        if flat.decay:
            gradient = gradient + flat.values * flat.decay
        momentum = state["momentum"].mul_(self.momentum).add_(gradient)
        flat.values.sub_((gradient + momentum * self.momentum).mul_(self.scalars["lr"]))


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), with weight decay in the gradient."""

    decoupled = False

    def _kept(self, flat: Flat) -> list[str]:
        return ["mean", "square"]

    def begin(self, lr: float) -> None:
        super().begin(lr)
        first, second = (1 - power(beta, self.steps) for beta in (self.momentum, BETA2))
        self.set(size=lr / first, correction=1 / math.sqrt(second))

    def _update(self, flat: Flat, state: dict[str, Tensor]) -> None:
        gradient, scalars = flat.gradients, self.scalars
        if flat.decay and not self.decoupled:
            gradient = gradient + flat.values * flat.decay
        mean = state["mean"].mul_(self.momentum).add_(gradient * (1 - self.momentum))
        square = state["square"].mul_(BETA2).add_((gradient * gradient).mul_(1 - BETA2))
        if flat.decay and self.decoupled:
            flat.values.mul_(scalars["kept"])
        size = exact.root(square).mul_(scalars["correction"]).add_(EPS)
        flat.values.sub_((mean / size).mul_(scalars["size"]))


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    decoupled = True


class Muon(AdamW):
    """Muon (Jordan et al., 2024) for hidden weights, AdamW for all others.

    The momentum of a weight, as a matrix of outputs × inputs, is replaced by the nearest
    orthogonal one, so that rare directions move as far as common ones. It is scaled to the size of
    AdamW's steps, and decayed as there (Liu et al., 2025), so that one rate suits both. As in its
    authors' use of it, the first and the last layer and all vectors are left to AdamW.
    """

    product: Callable[[Tensor, Tensor], Tensor] = staticmethod(torch.mm)

    def __init__(self, network: nn.Module, settings: Train) -> None:
        super().__init__(network, settings)
        if settings.arithmetic == "portable":
            self.product = exact.matmul
        self.shapes = {
            id(flat): p.shape for flat, p in zip(self.flats[2:], self.hidden, strict=True)
        }

    def _hidden(self, weights: list[nn.Parameter]) -> list[nn.Parameter]:
        return weights[1:-1]

    def _update(self, flat: Flat, state: dict[str, Tensor]) -> None:
        if id(flat) not in self.shapes:
            super()._update(flat, state)
            return
        new = flat.gradients * (1 - self.momentum)
        mean = state["mean"].mul_(self.momentum).add_(new)
        matrix = (mean * self.momentum).add_(new).view(self.shapes[id(flat)][0], -1)  # Nesterov's
        # The root mean square of AdamW's steps is about a fifth
        scale = 0.2 * math.sqrt(max(matrix.shape))
        step = orthogonal(matrix, self.product).mul_(scale).mul_(self.scalars["lr"])
        flat.values.mul_(self.scalars["kept"]).sub_(step.view(-1))


NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315  # a polynomial's coefficients (Jordan et al., 2024)
ITERATIONS = 5


def orthogonal(matrix: Tensor, product: Callable[[Tensor, Tensor], Tensor] = torch.mm) -> Tensor:
    """Nearly the orthogonal matrix nearest to this one: its singular values come close to 1.

    By five Newton-Schulz iterations of a polynomial chosen for speed, not for an exact end (Jordan
    et al., 2024). They are carried out on the matrix times its transpose, which is small, and the
    matrix itself is multiplied once, by what they come to (Gram Newton-Schulz, Dao AI Lab, 2026):
    the same but for rounding, and less than half the arithmetic where a matrix is long.

    Args:
        matrix: float32, m×n, not changed; of zeros, the result is zeros.
        product: of two matrices.

    Returns:
        float32, m×n, with singular values of 0.7 to 1.2 where the matrix's own are not tiny
        beside its largest.
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / exact.norm(wide).clamp(min=1e-20)
    square = product(wide, wide.T)
    unit = torch.eye(len(square), device=matrix.device)
    factor = step = unit * a + square * b + product(square, square) * c
    for _ in range(ITERATIONS - 1):
        square = product(product(step, square), step)
        step = unit * a + square * b + product(square, square) * c
        factor = product(step, factor)
    found = product(factor, wide)
    return found.T if tall else found


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "muon": Muon, "sgd": Sgd}
