"""A network over a split of images."""

import torch
from torch import Tensor, nn


def predict_logits(network: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """Logits of every image, in order, in evaluation mode and without gradients.

    The network's mode is put back afterwards.

    Args:
        network: maps float32 n×1×28×28 to logits n×K.
        images: float32, N×1×28×28, normalised, on the network's device.
        batch_size: images at a time; affects memory and speed, not the result beyond rounding.

    Returns:
        float32, N×K, on the images' device.
    """
    mode = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return torch.cat([network(batch) for batch in images.split(batch_size)])
    finally:
        network.train(mode)
