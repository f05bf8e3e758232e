"""Logits of a split: in evaluation mode, in order, whatever the batch size."""

import pytest
import torch
from torch import nn

from fashion_mnist.model.arithmetic import arithmetic
from fashion_mnist.model.inference import predict_logits
from fashion_mnist.model.networks import NETWORKS, build

IMAGES = torch.randn(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))


class Recording(nn.Module):
    """Remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, images):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.seen.append(images)
        return images.flatten(1)[:, :10]


@pytest.mark.parametrize("kind", ["portable", "native"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_batch_size_and_the_seed_do_not_matter(name, kind):
    """d15 d21: dropout is off; in native arithmetic kernels differ with the size of a batch."""
    network = build(name, dropout=0.5).train()
    results = []
    for seed, size in enumerate((1, 7, 19, 20, 1000)):
        torch.manual_seed(seed)
        results.append(predict_logits(network, IMAGES, size, arithmetic(kind)))
    for logits in results:
        assert logits.shape == (20, 10)
        allowed = {"rtol": 1e-5, "atol": 1e-6} if kind == "native" else {"rtol": 0, "atol": 0}
        torch.testing.assert_close(logits, results[0], **allowed)
    assert network.training, "the network's mode is put back"


@pytest.mark.parametrize("size", [1, 7, 20])
def test_the_network_sees_exactly_the_images_in_order(size):
    """d23: bit-equal, nothing is augmented; d16: no image is left out."""
    network = Recording()
    logits = predict_logits(network, IMAGES, size)
    assert torch.equal(torch.cat(network.seen), IMAGES)
    assert torch.equal(logits, IMAGES.flatten(1)[:, :10])
    assert max(len(batch) for batch in network.seen) == size


def test_no_images_give_no_logits():
    assert predict_logits(build("lenet"), IMAGES[:0], 5).shape == (0, 10)


def test_the_mode_is_put_back_after_a_failure():
    network = build("lenet").train()
    with pytest.raises(RuntimeError):
        predict_logits(network, IMAGES[:, :, :9], 5)
    assert network.training
