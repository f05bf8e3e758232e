"""A network over a split of images."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn


def predict_logits(
    network: nn.Module,
    images: Tensor,
    batch_size: int,
    arithmetic: AbstractContextManager[object] | None = None,
) -> Tensor:
    """Logits of every image, in order, in evaluation mode and without gradients.

    The network's mode is put back afterwards.

    Args:
        network: maps float32 n×1×28×28 to logits n×K.
        images: float32, N×1×28×28, normalised, on the network's device.
        batch_size: images at a time; affects memory and speed, not the result beyond rounding,
            and in portable arithmetic not at all.
        arithmetic: that is computed in (see `fashion_mnist.model.arithmetic.arithmetic`); native
            by default.

    Returns:
        float32, N×K, on the images' device.
    """
    mode, batches = network.training, images.split(batch_size)
    network.eval()
    try:
        with torch.inference_mode(), arithmetic or nullcontext():
            logits = [network(batch) for batch in batches]
        return torch.cat(logits)
    finally:
        network.train(mode)
