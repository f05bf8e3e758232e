"""Muon against torch's own, which takes matrices alone, and against what orthogonal means."""

import pytest
import torch
from fashion_mnist.training.muon import orthogonal
from fashion_mnist.training.optimisation import make_optimizer
from small import train_settings
from torch import optim

from fashion_mnist.model.networks import NETWORKS, build


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 16), (32, 144), (200, 20), (1, 50)])
def test_singular_values_come_close_to_one(shape):
    """The bounds are those that the polynomial keeps a value within, once it has come there."""
    values = torch.linalg.svdvals(orthogonal(drawn(*shape)))
    assert 0.6 < values.min() <= values.max() < 1.25


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (20, 20)])
def test_is_what_five_iterations_on_the_whole_matrix_give(shape):
    """Also where the matrix is nearly singular: then rounding must not grow from step to step."""
    u, _, v = torch.linalg.svd(drawn(*shape).double(), full_matrices=False)
    values = torch.logspace(0, -9, min(shape), dtype=torch.float64)
    found = matrix = u * values @ v
    found = found / found.norm()
    for _ in range(5):
        square = found @ found.T
        found = 3.4445 * found - 4.775 * square @ found + 2.0315 * square @ square @ found
    torch.testing.assert_close(orthogonal(matrix.float()).double(), found, atol=1e-3, rtol=0)


def test_directions_are_kept():
    """U and V of the singular value decomposition are the matrix's own."""
    matrix = drawn(8, 20)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    between = u.T @ orthogonal(matrix) @ v.T
    torch.testing.assert_close(between, between.diag().diag(), atol=1e-4, rtol=0)
    assert (between.diag() > 0).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_size_of_a_matrix_has_no_say(scale):
    matrix = drawn(8, 20)
    torch.testing.assert_close(orthogonal(matrix * scale), orthogonal(matrix), atol=1e-3, rtol=0)


def test_of_zeros_come_zeros():
    assert torch.equal(orthogonal(torch.zeros(4, 6)), torch.zeros(4, 6))


def test_a_matrix_steps_as_torchs():
    """Which works in bfloat16, whose eight bits are the tolerance."""
    settings = train_settings(optimizer="muon", lr=0.01, momentum=0.9, weight_decay=0.1)
    network = build("lenet", seed=1)
    ours, theirs = network.linear1.weight, network.linear1.weight.detach().clone()
    optimizer = make_optimizer(network, settings)
    torchs = optim.Muon(
        [theirs], lr=0.01, weight_decay=0.1, momentum=0.9, adjust_lr_fn="match_rms_adamw"
    )
    before = theirs.clone()
    for seed in range(3):
        ours.grad = drawn(*ours.shape, seed=seed)
        theirs.grad = ours.grad.clone()
        optimizer.step()
        torchs.step()
    moved = theirs - before
    assert (ours - theirs).norm() < 0.02 * moved.norm()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_and_the_last_layer_and_vectors_step_as_adamws(name):
    networks = [build(name, 0.25, seed=1) for _ in range(2)]
    for network, optimizer in zip(networks, ("muon", "adamw"), strict=True):
        settings = train_settings(optimizer=optimizer, lr=0.01, weight_decay=0.1)
        made = make_optimizer(network, settings)
        for _ in range(2):
            for number, parameter in enumerate(network.parameters()):
                parameter.grad = drawn(*parameter.shape, seed=number)
            made.step()
    muons, adamws = (list(network.parameters()) for network in networks)
    weights = [number for number, parameter in enumerate(muons) if parameter.dim() > 1]
    hidden = set(weights[1:-1])
    assert hidden
    for number, (a, b) in enumerate(zip(muons, adamws, strict=True)):
        assert torch.equal(a, b) == (number not in hidden), number
