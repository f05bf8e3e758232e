"""First filters that take apart what the pixels of a small patch have in common."""

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

SAMPLE = 1000
FLOOR = 0.1
"""Added to each standard deviation, as a share of the largest: what hardly varies is noise."""


def whiten(network: nn.Module, images: Tensor) -> None:
    """Start the first convolution with the principal components of its patches.

    Neighbouring pixels are much alike, so that random filters all see the brightness of a patch and
    hardly an edge. Those of the components see each something else, and divided by its standard
    deviation they see it at about the same size (Page, 2019; Jordan, 2024, who leaves them fixed,
    where here they learn on). Each is there twice, with either sign, as a rectifier lets one side
    of it through; the strongest come first, and filters that are left keep their initial weights.

    Args:
        network: whose first convolution is changed in place, on the CPU or another device.
        images: float32, N×1×H×W, those of the training split, of which some are looked at.
    """
    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    side = first.weight.shape[2]
    some = images[:: -(-len(images) // SAMPLE)].cpu()
    patches = unfold(some, side).transpose(1, 2).flatten(0, 1).double()
    # In double precision, so that another processor's last digits are rounded away
    values, vectors = torch.linalg.eigh(patches.T.cov())
    components, deviations = vectors.T.flip(0), values.flip(0).clamp(min=0).sqrt()
    at = components.abs().argmax(1, keepdim=True)
    components = components * components.gather(1, at).sign()  # of the two that there are
    filters = components / (deviations + FLOOR * deviations[0]).clamp(min=1e-6)[:, None]
    pairs = min(len(filters), len(first.weight) // 2)
    made = torch.cat([filters[:pairs], -filters[:pairs]]).reshape(-1, 1, side, side)
    with torch.no_grad():
        first.weight[: len(made)] = made
