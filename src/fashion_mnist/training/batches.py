"""The training split as augmented batches, resident on the device."""

from collections.abc import Iterator

import torch
from torch import Tensor

from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.augmentation import augment, draw, draw_mirrored
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import generator
from fashion_mnist.training.ranks import Group

BLOCK = 512  # images that are augmented at a time: few large operations, and still in the cache
ACCELERATOR_BLOCK = 32 * BLOCK  # there each operation costs its call, whatever its size


class Batches:
    """Batches of a split, in a new order and augmented anew in each epoch.

    Whole blocks of batches are gathered and augmented at a time, in this thread: on two cores a
    helper that works ahead cost the network more than it saved. Random numbers are drawn for all
    samples on the CPU, so that they are the same on every device and in any number of processes.
    """

    def __init__(
        self, split: Split, settings: Train, device: torch.device, group: Group | None = None
    ) -> None:
        self.images = torch.from_numpy(split.images).to(device)
        self.labels = torch.from_numpy(split.labels).to(device)
        self.black = split.black
        self.settings = settings
        self.group = group or Group()

    def __len__(self) -> int:
        """Batches of an epoch of all; the last one may be smaller, and none is dropped."""
        return -(-len(self.labels) // self.settings.batch_size)

    def order(self, epoch: int, chosen: Tensor | None = None) -> Tensor:
        """The positions of an epoch's samples, int64, n, on the CPU; all, or those chosen."""
        source = generator(self.settings.seed, "order", epoch)
        order = torch.randperm(len(self.labels), generator=source)
        return order if chosen is None else order[chosen[order]]

    @torch.no_grad()
    def epoch(self, epoch: int, order: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches of an epoch: images, float32, n×1×28×28, labels and positions, int64, n.

        Of each batch those samples that are this process's. Positions are those in the split.
        """
        settings, device = self.settings, self.images.device
        mirrored = draw_mirrored(len(self.labels), settings.augment, settings.seed, epoch)
        source = generator(settings.seed, "augmentation", epoch)
        block = BLOCK if device.type == "cpu" else ACCELERATOR_BLOCK
        size = max(1, block // settings.batch_size) * settings.batch_size
        for index in order.split(size):
            drawn = draw(len(index), settings.augment, source)
            batches = torch.arange(len(index)).split(settings.batch_size)
            own = [self.group.own(batch) for batch in batches]
            rows = torch.cat(own)
            here = index[rows]
            images = augment(
                self.images[here.to(device)],
                settings.augment,
                self.black,
                mirrored[here].to(device),
                [numbers[:, rows].to(device) for numbers in drawn],
            )
            positions = here.to(device)
            lengths = [len(batch) for batch in own]
            parts = images, self.labels[positions], positions
            yield from zip(*(tensor.split(lengths) for tensor in parts), strict=True)
