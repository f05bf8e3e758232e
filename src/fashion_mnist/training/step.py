"""A training step on one batch, called operation by operation or recorded once and replayed.

On a GPU a small network's step is a hundred kernels of two microseconds, and calling each from
Python takes ten times as long. Recorded as a CUDA graph they are launched together, and the same
kernels on the same values give the same bytes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn, optim
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fashion_mnist.training.optimisation import update_of
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.ranks import Group
from fashion_mnist.training.shards import Gradients

Record = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""Takes work on fixed tensors; gives what does the same work again, on what they hold then."""


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
        averaged: the moving average of the weights, if one is wanted.
        record: makes full batches replay the recording of one; None calls each anew.
        group: the processes that share the shards of each batch.
    """

    def __init__(
        self,
        network: nn.Module,
        averaged: AveragedModel | None,
        optimizer: optim.Optimizer,
        settings: Train,
        record: Record | None = None,
        group: Group | None = None,
    ) -> None:
        self.network, self.averaged, self.optimizer = network, averaged, optimizer
        self.update = update_of(optimizer)
        self.settings = settings
        self.gradients = Gradients(network, settings.shards, group or Group(), self._backward)
        self.record = record
        # By the number of a batch's tensors, which is that of its kind: with weights or without
        self.recorded: dict[int, tuple[list[Tensor], Callable[[], Tensor]]] = {}
        # A recording reads the rate from the device, where it can change
        device = next(network.parameters()).device
        self.rate = None if record is None else torch.zeros((), device=device)
        self.ema = get_ema_multi_avg_fn(settings.ema)

    def __call__(self, images: Tensor, labels: Tensor, weights: Tensor | None, lr: float) -> Tensor:
        """Train on a batch at a learning rate.

        Args:
            images: float32, n×1×28×28, on the network's device.
            labels: int64, n.
            weights: what each sample counts for, float32, n; None where all count the same.

        Returns:
            The batch's logits before the update, n×K, detached; the next call may write over them.
        """
        rate = lr if self.rate is None else self.rate.fill_(lr)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
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
        if self.averaged is not None:
            self.averaged.n_averaged += 1
        if self.record is not None and full and recorded is None:
            # Not before: the first batch makes what is kept from one step to the next
            fixed = [tensor.clone() for tensor in batch]
            self.recorded[len(batch)] = fixed, self.record(lambda: self._work(*fixed))
        return logits

    def forget(self) -> None:
        """Drop the recordings: the tensors that they work on have been replaced."""
        self.recorded = {}

    def _work(self, images: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        logits = self.gradients(images, labels, weights)
        self.update()
        if self.averaged is not None:
            self._average(self.averaged)
        return logits

    def _backward(
        self, images: Tensor, labels: Tensor, weights: Tensor | None, share: float
    ) -> Tensor:
        """Leave `share` of the gradient of these samples' mean loss; return their logits."""
        with self._precision(images.device):
            logits: Tensor = self.network(images)
            loss = self._loss(logits, labels, weights)
        self.optimizer.zero_grad()
        (share * loss).backward()  # to name the gradient instead would import sympy, for a second
        return logits.detach()

    @torch.no_grad()
    def _average(self, averaged: AveragedModel) -> None:
        """As `AveragedModel.update_parameters`, which waits for the device."""
        ours, theirs = (
            [*module.parameters(), *module.buffers()] for module in (averaged.module, self.network)
        )
        if averaged.n_averaged == 0:  # on the CPU, hence known without waiting
            for average, current in zip(ours, theirs, strict=True):
                average.copy_(current)
            return
        for floating in (True, False):
            of_kind = [
                [tensor for tensor in tensors if tensor.is_floating_point() == floating]
                for tensors in (ours, theirs)
            ]
            if of_kind[0]:
                self.ema(*of_kind, averaged.n_averaged)

    def _loss(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        smoothing = self.settings.label_smoothing
        if weights is None:
            return cross_entropy(logits, labels, label_smoothing=smoothing)
        losses = cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        return (weights * losses).mean()

    def _precision(self, device: torch.device) -> AbstractContextManager[object]:
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)
