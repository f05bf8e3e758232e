"""The training split as augmented batches, resident on the device."""

from collections.abc import Iterator

import torch
from torch import Tensor

from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.augmentation import augment, draw_mirrored
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import generator

BLOCK = 1024  # images that are augmented at a time: few large operations, and still in the cache
ACCELERATOR_BLOCK = 16 * BLOCK  # there each operation costs its call, whatever its size


class Batches:
    """Batches of a split, in a new order and augmented anew in each epoch.

    Whole blocks of batches are gathered and augmented at a time, in this thread: on two cores a
    helper that works ahead cost the network more than it saved.
    """

    def __init__(self, split: Split, settings: Train, device: torch.device) -> None:
        self.images = torch.from_numpy(split.images).to(device)
        self.labels = torch.from_numpy(split.labels).to(device)
        self.black = split.black
        self.settings = settings

    def __len__(self) -> int:
        """Batches of an epoch of all; the last one may be smaller, and none is dropped."""
        return -(-len(self.labels) // self.settings.batch_size)

    def epoch(
        self, epoch: int, chosen: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches of an epoch: images, float32, n×1×28×28, labels and positions, int64, n.

        Positions are those in the split. `chosen`, bool, N, on the device, are the samples that the
        epoch consists of, all of them by default.
        """
        size = self.settings.batch_size
        for block in self._blocks(epoch, chosen):
            yield from zip(*(tensor.split(size) for tensor in block), strict=True)

    @torch.no_grad()
    def _blocks(self, epoch: int, chosen: Tensor | None) -> Iterator[tuple[Tensor, ...]]:
        settings, count, device = self.settings, len(self.labels), self.images.device
        order = torch.randperm(
            count, generator=generator(settings.seed, "order", epoch, device), device=device
        )
        if chosen is not None:
            order = order[chosen[order]]
        mirrored = draw_mirrored(count, settings.augment, settings.seed, epoch, device)
        source = generator(settings.seed, "augmentation", epoch, device)
        block = BLOCK if device.type == "cpu" else ACCELERATOR_BLOCK
        size = max(1, block // settings.batch_size) * settings.batch_size
        for index in order.split(size):
            images = augment(
                self.images[index], settings.augment, self.black, source, mirrored[index]
            )
            yield images, self.labels[index], index
