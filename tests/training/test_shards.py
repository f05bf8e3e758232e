"""The gradient of a batch by shards: the same mean, and statistics in the order of the shards."""

import pytest
import torch
from small import split, train_settings
from torch import nn
from torch.nn.functional import cross_entropy

from fashion_mnist.model.networks import build
from fashion_mnist.training.optimisation import make_optimizer
from fashion_mnist.training.shards import cut
from fashion_mnist.training.step import Step
from fashion_mnist.training.trainer import Trainer

SPLIT = split(22)
IMAGES, LABELS = torch.from_numpy(SPLIT.images), torch.from_numpy(SPLIT.labels)


def gradients(network, shards, count, weights=None, **changes):
    """Logits and gradients of the first `count` samples."""
    network.train()
    settings = train_settings(shards=shards, **changes)
    torch.manual_seed(0)
    step = Step(network, None, make_optimizer(network, settings), settings)
    logits = step.gradients(IMAGES[:count], LABELS[:count], weights)
    return logits, [parameter.grad for parameter in network.parameters()]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 22, 64])
@pytest.mark.parametrize("shards", [1, 2, 4, 7])
def test_every_sample_is_in_one_shard(count, shards):
    samples = list(range(count))
    parts = [samples[part] for part in cut(count, shards)]
    assert [sample for part in parts for sample in part] == samples
    lengths = [len(part) for part in parts]
    assert len(parts) == min(shards, count)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] - lengths[-1] <= 1


@pytest.mark.parametrize("count", [22, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_shards_add_up_to_the_mean_over_the_batch(count, weighted):
    """Of shards of 6, 6, 5 and 5 as of fewer samples than shards; smoothed, and with weights."""
    weights = torch.linspace(0.5, 2, count) if weighted else None
    logits, found = gradients(build("lenet", seed=1), 4, count, weights, label_smoothing=0.1)
    network = build("lenet", seed=1)
    expected = network(IMAGES[:count])
    losses = cross_entropy(expected, LABELS[:count], label_smoothing=0.1, reduction="none")
    (losses if weights is None else losses * weights).mean().backward()
    torch.testing.assert_close(logits, expected)
    for ours, parameter in zip(found, network.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad)


def test_statistics_are_taken_up_in_the_order_of_the_shards():
    """As if each shard had been a batch, of which batch normalisation keeps nine tenths."""
    network, by_hand = build("plain", 0.5, seed=1), build("plain", 0.5, seed=1)
    by_hand.train()
    for batch in (22, 7):  # what the first leaves is where the second begins
        gradients(network, 4, batch)
        for part in cut(batch, 4):
            by_hand(IMAGES[:batch][part])
    for (name, ours), theirs in zip(network.named_buffers(), by_hand.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_each_shard_has_a_dropout_of_its_own():
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Dropout(0.5))
    first, _ = gradients(network, 2, 22)
    assert torch.equal(first, gradients(network, 2, 22)[0])
    assert not torch.equal(first[:11] == 0, first[11:] == 0)


@pytest.mark.parametrize(
    ("name", "precision"), [("lenet", "float32"), ("plain", "bfloat16"), ("resnet", "float32")]
)
def test_a_sharded_run_learns(name, precision):
    settings = train_settings(
        shards=4, epochs=5, lr=0.005, precision=precision, arithmetic="native"
    )
    network = build(name, 0.25, seed=1)
    trainer = Trainer(network, split(200), split(40, 1), settings, torch.device("cpu"))
    assert [row["validation_accuracy"] for row in trainer.epochs()][-1] > 0.9
