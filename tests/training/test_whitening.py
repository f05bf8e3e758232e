"""What the first layer sees of patches whose pixels are alike."""

import numpy as np
import pytest
import torch
from small import split, train_settings
from torch.nn.functional import avg_pool2d, conv2d

from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.training.trainer import Trainer
from fashion_mnist.training.whitening import FLOOR, eigen, whiten

CPU = torch.device("cpu")


def smooth(count=50):
    """Images whose neighbouring pixels are alike, with a bright left side."""
    noise = torch.randn(count, 1, 30, 30, generator=torch.Generator().manual_seed(0))
    return avg_pool2d(noise, 3, stride=1) + torch.linspace(1, 0, 28)


def first_of(network):
    return next(network.parameters()).detach()


def whitened(name, width, images):
    network = build(name, width, seed=1)
    whiten(network, images)
    return first_of(network)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_filters_see_each_something_else(name):
    """Their responses are not correlated, and of sizes that differ by less than the pixels'."""
    images = smooth()
    filters = whitened(name, 1.0, images)
    pairs = min(9, len(filters) // 2)
    seen = conv2d(images, filters[:pairs]).transpose(0, 1).flatten(1)
    covariance = seen.double().cov(correction=0)
    sizes = covariance.diag().sqrt()
    torch.testing.assert_close(covariance, covariance.diag().diag(), atol=1e-4, rtol=0)
    plain = sizes * FLOOR / (1 - sizes)  # what they were before the division, beside the largest
    assert (plain.diff() < 0).all()
    torch.testing.assert_close(plain[0], plain.new_tensor(1.0), atol=1e-4, rtol=0)


def symmetric(size, rank):
    rows = np.random.default_rng(size).normal(size=(rank, size))
    return rows.T @ rows / size


@pytest.mark.parametrize(
    "matrix",
    [symmetric(9, 9), symmetric(25, 25), symmetric(9, 3), np.eye(4), np.zeros((3, 3)), [[2.0]]],
    ids=["9", "25", "of rank 3", "unit", "zero", "one"],
)
def test_eigenvalues_and_vectors_are_numpys(matrix):
    """A covariance's; vectors up to their sign, and in a space of equal values up to its basis."""
    matrix = np.asarray(matrix)
    values, vectors = map(np.array, eigen(matrix.tolist()))
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[::-1], atol=1e-13)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(matrix)), atol=1e-13)
    np.testing.assert_allclose(vectors.T * values @ vectors, matrix, atol=1e-13)


@pytest.mark.parametrize(("width", "pairs"), [(0.125, 1), (1.0, 8), (2.0, 9)])
def test_each_is_there_with_either_sign_and_the_rest_as_drawn(width, pairs):
    filters, drawn = whitened("plain", width, smooth()), first_of(build("plain", width, seed=1))
    assert torch.equal(filters[pairs : 2 * pairs], -filters[:pairs])
    assert torch.equal(filters[2 * pairs :], drawn[2 * pairs :])
    assert not torch.equal(filters[:pairs], drawn[:pairs])


def test_a_layer_of_one_filter_stays_as_drawn():
    drawn = first_of(build("lenet", 0.125, seed=1))
    assert len(drawn) == 1
    assert torch.equal(whitened("lenet", 0.125, smooth()), drawn)


def test_images_without_contrast_give_finite_filters():
    assert whitened("plain", 1.0, torch.zeros(4, 1, 28, 28)).isfinite().all()


def test_the_images_come_from_the_whole_split():
    """One of every hundred here: the first ones may be of one class."""
    images = torch.cat([torch.zeros(99_000, 1, 5, 5), torch.randn(1000, 1, 5, 5)])
    assert whitened("plain", 1.0, images).abs().max() < 100


@pytest.mark.parametrize("wanted", [False, True])
def test_a_training_starts_so_if_asked(wanted):
    network, data = build("plain", 0.5, seed=1), split(40)
    before = first_of(network).clone()
    made = Trainer(network, data, split(10, 1), train_settings(whitening=wanted, ema=0.9), CPU)
    assert torch.equal(first_of(made.network), before) != wanted
    assert made.averaged is not None
    assert torch.equal(first_of(made.averaged), first_of(made.network))
