"""Exact sums have the same bits in any order: of samples, terms, blocks and processes."""

from threading import Barrier, Thread

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from fashion_mnist.model import exact
from fashion_mnist.model.arithmetic import Portable, arithmetic
from fashion_mnist.model.inference import predict_logits
from fashion_mnist.model.networks import NETWORKS, build

ALONE = exact.Alone()


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Meeting(exact.Alone):
    """One of two processes, here threads, that share a batch."""

    def __init__(self, rank, sizes, barrier, told):
        self.rank, self.sizes, self.barrier, self.told = rank, sizes, barrier, told

    def samples(self, here):
        assert here == self.sizes[self.rank]
        return sum(self.sizes)

    def _all(self, value):
        self.told[self.rank] = value
        self.barrier.wait(20)
        made = torch.stack(self.told)
        self.barrier.wait(20)
        return made

    def largest(self, value):
        return self._all(value).amax(0)

    def total(self, value):
        return self._all(value).sum(0)

    def own(self, rows):
        return rows.split(self.sizes)[self.rank]


IMAGES, LABELS = drawn(20, 1, 28, 28), torch.arange(20) % 10


def trained(name, images, labels, shared=ALONE, dropout=0.3):
    """Gradients of all parameters, statistics of batch normalisation, each sample's loss."""
    network, mode = build(name, 0.25, dropout, seed=1), Portable(shared)
    mode.source.manual_seed(0)
    with mode:
        losses = cross_entropy(network(images), labels, reduction="none", label_smoothing=0.1)
        losses = losses * (1 / shared.samples(len(labels)))
    losses.sum().backward()
    return [p.grad for p in network.parameters()], list(network.buffers()), losses.detach()


def assert_equal(first, second):
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("first", [1, 7, 10])
def test_two_processes_give_the_bits_of_one(name, first):
    """Weights' gradients, statistics, losses and dropout, from uneven parts."""
    sizes, barrier, told, made = [first, 20 - first], Barrier(2), [None, None], [None, None]

    def work(rank):
        part = [rows.split(sizes)[rank] for rows in (IMAGES, LABELS)]
        made[rank] = trained(name, *part, Meeting(rank, sizes, barrier, told))

    threads = [Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gradients, statistics, losses = trained(name, IMAGES, LABELS)
    for part in made:
        assert_equal(part[0], gradients)
        assert_equal(part[1], statistics)
    assert torch.equal(torch.cat([part[2] for part in made]), losses)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_order_of_a_batch_changes_no_bit(name):
    """But for dropout, whose numbers are drawn in that order."""
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    gradients, statistics, losses = trained(name, IMAGES, LABELS, dropout=0.0)
    permuted = trained(name, IMAGES[order], LABELS[order], dropout=0.0)
    assert_equal(permuted[0], gradients)
    assert_equal(permuted[1], statistics)
    assert torch.equal(permuted[2], losses[order])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("block", [1, 5000, 2**30])
def test_the_size_of_a_block_changes_no_bit(name, block, monkeypatch):
    """It goes by the number of threads."""
    expected = trained(name, IMAGES, LABELS)
    monkeypatch.setattr(exact, "BLOCK", block)
    for found, wanted in zip(trained(name, IMAGES, LABELS), expected, strict=True):
        assert_equal(found, wanted)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_alone_has_the_bits_that_it_has_in_a_batch(name):
    """However large the others are."""
    network = build(name, 0.25, seed=1).eval()
    images = IMAGES * torch.logspace(0, 20, 20)[:, None, None, None]
    together, alone = (predict_logits(network, images, n, arithmetic("portable")) for n in (20, 1))
    assert torch.equal(together, alone)
    assert together.isfinite().all()


@settings(max_examples=15)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.randoms())
def test_terms_in_another_order_change_no_bit(rows, terms, columns, random):
    order = random.sample(range(terms), terms)
    a, b = drawn(rows, terms), drawn(terms, columns, seed=1)
    assert torch.equal(exact.matmul(a, b), exact.matmul(a[:, order], b[order]))
    assert torch.equal(exact.norm(a[0]), exact.norm(a[0, order]))
