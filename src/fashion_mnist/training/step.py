"""A training step on one batch, called operation by operation or recorded once and replayed.

On a GPU a small network's step is a hundred kernels of two microseconds, and calling each from
Python takes ten times as long. Recorded as a CUDA graph they are launched together, and the same
kernels on the same values give the same bytes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fashion_mnist.model.arithmetic import Portable, arithmetic
from fashion_mnist.training.optimisers import Optimizer
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.ranks import Group

Record = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""Captures a step on fixed tensors; gives a function that replays it on their current content."""


def cuda_graph(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record the kernels that `work` calls, without running them; give what replays them.

    Random numbers continue the default generator's, as they would in a call of `work`.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = work()

    def replay() -> Tensor:
        graph.replay()
        return output

    return replay


class Step:
    """Forward, loss, backward, the optimiser's update and the average's.

    Args:
        averaged: a copy of the network that holds the moving average of its weights, if wanted.
        record: makes full batches replay the recording of one; None calls each anew.
        group: the processes that share each batch.

    Attributes:
        arithmetic: what the network is computed in.
    """

    def __init__(
        self,
        network: nn.Module,
        averaged: nn.Module | None,
        optimizer: Optimizer,
        settings: Train,
        record: Record | None = None,
        group: Group | None = None,
    ) -> None:
        self.network, self.averaged, self.optimizer = network, averaged, optimizer
        self.settings, self.group = settings, group or Group()
        self.arithmetic = arithmetic(settings.arithmetic, self.group)
        self.record = record
        # By the number of a batch's tensors, which is that of its kind: with weights or without
        self.recorded: dict[int, tuple[list[Tensor], Callable[[], Tensor]]] = {}

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        weights: Tensor | None,
        lr: float,
        samples: int | None = None,
    ) -> Tensor:
        """Train on a batch at a learning rate.

        Args:
            images: float32, n×1×28×28, on the network's device.
            labels: int64, n.
            weights: what each sample counts for, float32, n; None where all count the same.
            samples: of the batch in all processes, of which these are this one's; n by default.

        Returns:
            These samples' logits before the update, n×K, detached; the next call may write over
            them.
        """
        self.group.begin(samples or len(labels))
        self.optimizer.begin(lr)
        # The first average is the network itself
        self.optimizer.set(average=1 - self.settings.ema if self.optimizer.steps > 1 else 1.0)
        batch = [images, labels] if weights is None else [images, labels, weights]
        full = len(labels) == self.settings.batch_size
        recorded = self.recorded.get(len(batch)) if full else None
        if recorded is None:
            logits = self._work(*batch)
        else:
            fixed, replay = recorded
            for tensor, new in zip(fixed, batch, strict=True):
                tensor.copy_(new)
            logits = replay()
        if self.record is not None and full and recorded is None:
            # Not before: the first batch makes what is kept from one step to the next
            fixed = [tensor.clone() for tensor in batch]
            self.recorded[len(batch)] = fixed, self.record(lambda: self._work(*fixed))
        return logits

    def _work(self, images: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        self.optimizer.zero_gradients()
        share = 1 / self.group.samples(len(labels))
        smoothing = self.settings.label_smoothing
        with self.arithmetic, self._precision(images.device):
            logits: Tensor = self.network(images)
            losses = cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
            losses = losses * share if weights is None else losses * (weights * share)
        losses.sum().backward()  # the gradient of a sum is 1 for each, whatever their order
        if self.settings.arithmetic != "portable":
            self.optimizer.add_up(self.group)
        self.optimizer.update()
        if self.averaged is not None:
            self._average(self.averaged)
        return logits.detach()

    def forget(self) -> None:
        """Drop the recordings: what they work on has been replaced."""
        self.recorded = {}

    def seed(self, seed: int) -> None:
        """Of dropout in the epoch that begins."""
        if isinstance(self.arithmetic, Portable):
            self.arithmetic.source.manual_seed(seed)
        else:
            torch.manual_seed(seed + self.group.rank)  # each process has samples of its own

    @torch.no_grad()
    def _average(self, averaged: nn.Module) -> None:
        share = self.optimizer.scalars["average"]
        theirs = [*self.network.parameters(), *self.network.buffers()]
        for ours, current in zip(
            [*averaged.parameters(), *averaged.buffers()], theirs, strict=True
        ):
            if ours.is_floating_point():
                ours += (current - ours) * share
            else:
                ours.copy_(current)

    def _precision(self, device: torch.device) -> AbstractContextManager[object]:
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)
