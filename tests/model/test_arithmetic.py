"""Portable arithmetic computes what native does, and nothing that is not exact."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from fashion_mnist.model.arithmetic import Portable, arithmetic
from fashion_mnist.model.exact import Alone
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.pipeline.errors import UserError

IMAGES = torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(6)
MAPS, FILTERS = IMAGES[:, :, :8, :8], IMAGES[:2, :, :3, :3]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_network_computes_what_it_does_in_native(name, mirrored):
    """Logits of both modes, statistics of batch normalisation, and gradients, to 18 bits."""
    found = []
    for kind in ("portable", "native"):
        network = build(name, 0.5, mirror_average=mirrored, seed=1).train()
        with arithmetic(kind):
            logits = network(IMAGES)
            losses = functional.cross_entropy(logits, LABELS, reduction="none")
            losses = losses * (1 / 6)
        losses.sum().backward()
        with torch.no_grad(), arithmetic(kind):
            evaluated = network.eval()(IMAGES)
        gradients = [parameter.grad for parameter in network.parameters()]
        found.append([logits.detach(), evaluated, *network.buffers(), *gradients])
    for ours, torchs in zip(*found, strict=True):
        size = torchs.abs().max().float()
        torch.testing.assert_close(ours, torchs, rtol=0, atol=float(1e-2 * size))


REFUSED = {
    "sigmoid": lambda: torch.sigmoid(IMAGES),
    "softmax": lambda: functional.softmax(IMAGES, 1),
    "matmul": lambda: torch.matmul(IMAGES, IMAGES.mT),
    "mean": lambda: IMAGES.mean(),
    "sum": lambda: IMAGES.sum((2, 3)),
    "layer_norm": lambda: functional.layer_norm(IMAGES, (28,)),
    "addcmul": lambda: torch.addcmul(IMAGES, IMAGES, IMAGES),
    "lerp": lambda: torch.lerp(IMAGES, IMAGES, 0.5),
    "avg_pool2d": lambda: functional.avg_pool2d(IMAGES, 2),
    "add": lambda: torch.add(IMAGES, IMAGES[0, 0, 0]),
    "mul": lambda: IMAGES * IMAGES[:1],
    "sub": lambda: torch.sub(IMAGES, IMAGES, alpha=3),  # which multiplies as well
}


@pytest.mark.parametrize(("name", "call"), REFUSED.items(), ids=REFUSED)
def test_what_has_no_portable_form_is_refused_by_name(name, call):
    """Also a sum of two shapes, whose gradient is one over many elements."""
    message = f"^{name} has no portable form: set train"
    with pytest.raises(UserError, match=message), arithmetic("portable"):
        call()
    call()


FORMS = {
    "a stride": lambda: functional.conv2d(MAPS, FILTERS, stride=2),
    "two paddings": lambda: functional.conv2d(MAPS, FILTERS, padding=(0, 1)),
    "a dilation": lambda: functional.conv2d(MAPS, FILTERS, dilation=2),
    "groups": lambda: functional.conv2d(MAPS.expand(6, 2, 8, 8), FILTERS, groups=2),
    "a padding by name": lambda: functional.conv2d(MAPS, FILTERS, padding="same"),
    "larger pools": lambda: functional.max_pool2d(MAPS, 3),
    "pools that overlap": lambda: functional.max_pool2d(MAPS, 2, 1),
    "pools with a margin": lambda: functional.max_pool2d(MAPS, 2, padding=1),
    "pools of a part": lambda: functional.max_pool2d(MAPS[..., :7], 2, ceil_mode=True),
    "statistics alone": lambda: nn.BatchNorm2d(1, affine=False)(MAPS),
    "a division by many numbers": lambda: MAPS / MAPS[:1],
    "a mean of losses": lambda: functional.cross_entropy(IMAGES[:, 0, 0], LABELS),
    "weights of classes": lambda: functional.cross_entropy(
        IMAGES[:, 0, 0], LABELS, torch.ones(28), reduction="none"
    ),
}


@pytest.mark.parametrize("call", FORMS.values(), ids=FORMS)
def test_a_form_that_is_not_exact_is_refused(call):
    with pytest.raises(UserError, match="portable form"), arithmetic("portable"):
        call()
    call()


@pytest.mark.parametrize("kind", ["avx2", "native"])
def test_in_the_others_nothing_is_refused(kind):
    with arithmetic(kind):
        assert torch.equal(torch.sigmoid(IMAGES), IMAGES.sigmoid())


def test_dropout_is_the_seeds_and_keeps_the_mean():
    def drop(seed, training=True):
        mode = Portable(Alone())
        mode.source.manual_seed(seed)
        with mode:
            return functional.dropout(ones, 0.2, training)

    ones, state = torch.ones(100, 100), torch.get_rng_state()
    made = drop(1)
    assert torch.equal(torch.get_rng_state(), state)
    assert set(made.unique().tolist()) == {0.0, 1.25}
    assert made.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(made, drop(1))
    assert not torch.equal(made, drop(2))
    assert torch.equal(drop(1, training=False), ones)


def test_statistics_run_as_torchs():
    """Of several batches, at a momentum of 0.1, with the variance that a sample of them has."""
    ours, torchs = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
    for batch in IMAGES.split(2):
        with arithmetic("portable"):
            ours(batch)
        torchs(batch)
    for one, other in zip(ours.buffers(), torchs.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
