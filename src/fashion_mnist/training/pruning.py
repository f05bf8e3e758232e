"""Passing over samples that the network has right already: InfoBatch (Qin et al., 2024)."""

import math

import torch
from torch import Tensor

from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import generator

PRUNED = 7 / 8
"""Share of the epochs that may pass over samples; the last ones train on every sample."""


def sample_weights(losses: Tensor, settings: Train, epoch: int) -> Tensor | None:
    """What each sample counts for in `epoch`; none where all count the same.

    Of the samples whose loss is below the mean each is passed over with probability `pruning`. One
    that stays counts 1/(1 - pruning), so that gradients are on average what they would be.

    Args:
        losses: float32, N, on the CPU, of each sample when it was last trained on; infinite
            before.

    Returns:
        float32, N, on the CPU; 0 for what is passed over.
    """
    if settings.pruning == 0 or epoch > PRUNED * settings.epochs:
        return None
    source = generator(settings.seed, "pruning", epoch)
    mean = math.fsum(losses.tolist()) / len(losses)  # whose order makes no difference
    easy = losses < mean
    stays = torch.rand(len(losses), generator=source) >= settings.pruning
    return torch.where(easy, stays / (1 - settings.pruning), 1.0)
