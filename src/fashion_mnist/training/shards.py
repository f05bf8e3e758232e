"""The gradient of a batch, as the sum of the gradients of its shards."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fashion_mnist.training.randomness import derive
from fashion_mnist.training.ranks import Group


class Gradients:
    """Leaves the gradient of a batch's mean loss in the network's parameters.

    A batch is cut into so many shards, each of which goes through the network alone: with
    its own statistics of batch normalisation and its own dropout. Every process of the group adds
    all gradients, and takes up all statistics, in the order of the shards, so that it makes no
    difference to any bit who computed which (a fixed number of logical workers, as in EasyScale, Li
    et al., 2023).

    Args:
        backward: takes samples as a call does, and a share; leaves that share of the gradient of
            their mean loss, and returns their logits.
    """

    def __init__(
        self,
        network: nn.Module,
        shards: int,
        group: Group,
        backward: Callable[[Tensor, Tensor, Tensor | None, float], Tensor],
    ) -> None:
        self.shards, self.group, self.backward = shards, group, backward
        self.parameters = list(network.parameters())
        self.running: list[Tensor] = []  # statistics, of which a layer has two
        self.counters: list[Tensor] = []
        kept = []
        for layer in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
            self.counters.append(layer.get_buffer("num_batches_tracked"))
            for name in ("running_mean", "running_var"):
                self.running.append(layer.get_buffer(name))
                kept.append(torch.full_like(self.running[-1], 1 - (layer.momentum or 0)))
        self.kept = flat(kept, self.parameters[0].device)

    def __call__(self, images: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        """One batch, in training mode.

        Dropout follows from the seed of the default generator, which is moved on by a batch.

        Args:
            images: float32, n×1×28×28.
            labels: int64, n.
            weights: what each sample counts for, float32, n; None where all count the same.

        Returns:
            Logits, n×classes, those of the whole batch in every process.
        """
        if self.shards == 1:
            return self.backward(images, labels, weights, 1.0)
        slices = cut(len(images), self.shards)
        own = self.shards // self.group.size
        before, seed = flat(self.running, images.device), torch.initial_seed()
        rows = []
        for number in range(self.group.rank * own, (self.group.rank + 1) * own):
            # A small batch has fewer shards: who has none repeats the first one, to no effect
            shard = number if number < len(slices) else 0
            torch.manual_seed(derive(seed, f"shard {shard}"))
            for buffer in self.running:
                buffer.zero_()  # so that it then holds what the shard alone adds
            part = slices[shard]
            logits = self.backward(
                images[part],
                labels[part],
                None if weights is None else weights[part],
                (part.stop - part.start) / len(images),
            )
            logits = pad(logits, [0, 0, 0, slices[0].stop - len(logits)])
            rows.append(flat([*self._gradients(), *self.running, logits], images.device))
        torch.manual_seed(derive(seed, "next batch"))
        for counter in self.counters:
            counter += len(slices) - own
        return self._add(self.group.gather(torch.stack(rows))[: len(slices)], before, slices)

    def _add(self, rows: Tensor, before: Tensor, slices: list[slice]) -> Tensor:
        """Leave the sum of the shards' gradients, and the statistics after them; return logits."""
        sizes = [sum(p.numel() for p in self.parameters), len(before)]
        gradients, statistics, logits = rows.split([*sizes, rows.shape[1] - sum(sizes)], dim=1)
        total, running = torch.zeros_like(gradients[0]), before
        for gradient, statistic in zip(gradients, statistics, strict=True):
            total = total + gradient
            running = running * self.kept + statistic
        put(total, self._gradients())
        put(running, self.running)
        of_shards = logits.view(len(rows), slices[0].stop, -1)
        lengths = [part.stop - part.start for part in slices]
        return torch.cat([of[:n] for of, n in zip(of_shards, lengths, strict=True)])

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self.parameters if p.grad is not None]


def cut(count: int, shards: int) -> list[slice]:
    """The shards of a batch of `count` samples: equal, but for the first having one more each.

    There are fewer than `shards` where there are fewer samples; none is empty.
    """
    shards = min(shards, count)
    size, larger = divmod(count, shards)
    bounds = [number * size + min(number, larger) for number in range(shards + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def flat(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """All elements as one vector, float32; of no tensor an empty one."""
    return torch.cat([torch.empty(0, device=device), *(tensor.flatten() for tensor in tensors)])


def put(vector: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copy what `flat` gave back into tensors of the same shapes."""
    parts = vector.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))
