"""First filters that take apart what the pixels of a small patch have in common."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from fashion_mnist.model import exact
from fashion_mnist.pipeline.errors import UserError

SAMPLE = 1000
SWEEPS = 12  # of Jacobi's method, which converges quadratically: six are enough for 25 rows
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

    Raises:
        UserError: the network has no convolution.
    """
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    if not convolutions:
        raise UserError("train.whitening needs a network with a convolution; set it to false")
    first = convolutions[0]
    side = first.weight.shape[2]
    some = images[:: -(-len(images) // SAMPLE)].cpu()
    patches = unfold(some, side).transpose(1, 2).flatten(0, 1)
    values, components = eigen(covariance(patches))
    deviations = [math.sqrt(max(value, 0.0)) for value in values]
    filters = []
    for component, deviation in zip(components, deviations, strict=True):
        size = max(deviation + FLOOR * deviations[0], 1e-6)
        sign = math.copysign(1.0, max(component, key=abs))  # of the two that there are
        filters.append([sign * number / size for number in component])
    pairs = min(len(filters), len(first.weight) // 2)
    made = torch.tensor(filters[:pairs], dtype=torch.float64)
    made = torch.cat([made, -made]).float().reshape(-1, 1, side, side)
    with torch.no_grad():
        first.weight[: len(made)] = made


def covariance(rows: Tensor) -> list[list[float]]:
    """The covariances of the columns of a float32 N×K matrix, K×K, from exact sums."""
    bits = exact.bits_for(len(rows))
    sums = exact.fixed(rows, exact.anchor(exact.magnitude(rows), bits)).sum(0)
    centred = rows - (sums * (1 / len(rows))).float()
    centred = exact.fixed(centred, exact.anchor(exact.magnitude(centred), bits))
    found: list[list[float]] = ((centred.T @ centred) * (1 / len(rows))).tolist()
    return found


def eigen(matrix: list[list[float]]) -> tuple[list[float], list[list[float]]]:
    """Eigenvalues of a symmetric matrix, falling, and their eigenvectors, by Jacobi's method.

    In Python's own numbers, one operation at a time: LAPACK's last digits are the processor's.
    """
    a, size = [list(row) for row in matrix], len(matrix)
    vectors = [[float(i == j) for j in range(size)] for i in range(size)]
    pairs = [(p, q) for p in range(size) for q in range(p + 1, size)]
    for _ in range(SWEEPS):
        for p, q in pairs:
            if abs(a[p][q]) <= 1e-18 * (abs(a[p][p]) + abs(a[q][q])):
                continue
            theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
            tangent = math.copysign(1.0, theta) / (abs(theta) + math.sqrt(theta * theta + 1))
            cosine = 1 / math.sqrt(tangent * tangent + 1)
            sine = tangent * cosine
            for row in a:
                row[p], row[q] = cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]
            for rows in (a, vectors):  # which hold eigenvectors as rows
                first, second = rows[p], rows[q]
                rows[p] = [cosine * x - sine * y for x, y in zip(first, second, strict=True)]
                rows[q] = [sine * x + cosine * y for x, y in zip(first, second, strict=True)]
    order = sorted(range(size), key=lambda i: -a[i][i])
    return [a[i][i] for i in order], [vectors[i] for i in order]
