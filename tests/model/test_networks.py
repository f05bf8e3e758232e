"""The architectures: shapes, sizes, and that lenet is the original exercise's function."""

import pytest
import torch
from original import Original
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax

from fashion_mnist.model.networks import NETWORKS, build, multiply_adds
from fashion_mnist.model.parameters import Model

IMAGES = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def parameter_count(network):
    return sum(p.numel() for p in network.parameters())


def test_lenet_has_the_originals_parameters():
    assert parameter_count(build("lenet")) == parameter_count(Original()) == 60_074


def test_lenet_is_the_originals_function():
    """The same weights give the same log-probabilities and gradients, up to float32's rounding."""
    network, original = build("lenet", seed=1), Original()
    pairs = list(zip(network.parameters(), original.parameters(), strict=True))
    with torch.no_grad():
        for ours, theirs in pairs:
            theirs.copy_(ours)
    logits, expected = network(IMAGES), original(IMAGES)
    torch.testing.assert_close(log_softmax(logits, 1), expected, rtol=1e-5, atol=1e-6)
    labels = torch.tensor([0, 5, 9])
    cross_entropy(logits, labels).backward()
    cross_entropy(expected, labels).backward()
    for ours, theirs in pairs:
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_log_softmax_before_cross_entropy_changes_nothing():
    """The original network ended in it; cross-entropy applies it itself, and it is idempotent."""
    logits = torch.randn(3, 10, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, 0, 7])
    losses = [cross_entropy(logits, labels), cross_entropy(log_softmax(logits, 1), labels)]
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in losses]
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_every_name_that_params_yaml_accepts_is_there():
    assert set(Model.model_json_schema()["properties"]["name"]["enum"]) == set(NETWORKS)


@pytest.mark.parametrize(
    ("name", "parameters", "multiplications"),
    [("lenet", 60_074, 199_968), ("plain", 75_450, 2_708_352), ("resnet", 501_562, 24_454_656)],
)
def test_sizes_are_those_of_the_docstrings(name, parameters, multiplications):
    """Without LeNet's spare channels."""
    network = build(name)
    assert parameter_count(network) == parameters
    assert multiply_adds(network) == multiplications


def test_multiply_adds_of_a_network_counted_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 10))
    assert multiply_adds(network) == 2 * 9 * 26 * 26 + 2 * 26 * 26 * 10


@pytest.mark.parametrize("name", NETWORKS)
class TestEachNetwork:
    @pytest.mark.parametrize("width", [0.125, 0.5, 1.0])
    def test_maps_images_to_ten_logits(self, name, width):
        network = build(name, width)
        assert network(IMAGES).shape == (3, 10)
        assert network(IMAGES).dtype == torch.float32

    def test_grows_with_its_width(self, name):
        sizes = [parameter_count(build(name, width)) for width in (0.5, 1.0, 2.0)]
        assert sizes == sorted(sizes)
        assert len(set(sizes)) == 3

    def test_weights_are_the_seeds_and_leave_the_global_state_alone(self, name):
        state = torch.get_rng_state()
        first, again, other = (build(name, seed=seed).state_dict() for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(first[key], again[key]) for key in first)
        assert any(not torch.equal(first[key], other[key]) for key in first)

    def test_dropout_acts_in_training_alone(self, name):
        network = build(name, dropout=0.5)
        same = network.eval()(IMAGES)
        assert torch.equal(network(IMAGES), same)
        network.train()
        assert not torch.equal(network(IMAGES), network(IMAGES))

    def test_the_mean_over_the_mirror_image_in_evaluation_alone(self, name):
        """And it knows left from right no more."""
        network, same = build(name, seed=1), build(name, mirror_average=True, seed=1)
        assert torch.equal(same.train()(IMAGES), network.train()(IMAGES))
        expected = (network.eval()(IMAGES) + network(IMAGES.flip(3))) / 2
        assert torch.equal(same.eval()(IMAGES), expected)
        assert torch.equal(same(IMAGES.flip(3)), expected)
        assert not torch.equal(network(IMAGES), expected)
        assert multiply_adds(same) == 2 * multiply_adds(network)

    def test_every_parameter_learns(self, name):
        network = build(name).train()
        cross_entropy(network(IMAGES), torch.tensor([0, 1, 2])).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    def test_a_network_on_a_device_uses_deterministic_operations(self, name):
        torch.set_deterministic_debug_mode("error")
        network = build(name).train()
        cross_entropy(network(IMAGES), torch.tensor([0, 1, 2])).backward()
