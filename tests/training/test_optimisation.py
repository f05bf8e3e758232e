"""Schedules against torch's own and closed forms; optimisers against torch's, step by step."""

import math

import pytest
import torch
from fashion_mnist.training.optimisation import learning_rate, make_optimizer
from small import train_settings
from torch import optim

from fashion_mnist.model.networks import NETWORKS, build

STEPS = 7  # an epoch


def rates(**changes):
    settings = train_settings(**changes)
    return [learning_rate(step, STEPS, settings) for step in range(settings.epochs * STEPS)]


def by_torch(make, count, each=1, lr=0.1):
    """The rates that a scheduler of torch gives when it is advanced after every `each` steps."""
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = make(optimizer)
    made = []
    for step in range(1, count + 1):
        made.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % each == 0 and step < count:
            scheduler.step()
    return made


def test_constant():
    assert rates(schedule="constant", lr=0.1, epochs=3) == [0.1] * 21


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.2, 0.3, 0.5, 0.75])
@pytest.mark.parametrize("epochs", [1, 3, 10])
def test_onecycle_is_torchs(epochs, warmup):
    """Where the fall takes at least one step, as it does but for the oddest of settings."""
    expected = by_torch(
        lambda o: optim.lr_scheduler.OneCycleLR(
            o, 0.1, total_steps=epochs * STEPS, pct_start=warmup, cycle_momentum=False
        ),
        epochs * STEPS,
    )
    made = rates(schedule="onecycle", lr=0.1, epochs=epochs, warmup=warmup)
    assert made == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_cosine_without_warmup_is_torchs():
    expected = by_torch(lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 21), 21)
    made = rates(schedule="cosine", lr=0.1, epochs=3, warmup=0.0)
    assert made == pytest.approx(expected, rel=1e-6)  # torch's own is a recursion that adds errors


def test_cosine_rises_evenly_then_falls_by_half_a_wave():
    made = rates(schedule="cosine", lr=0.1, epochs=10, warmup=0.2)  # 14 of 70 steps
    assert made[:14] == pytest.approx([0.1 * (k + 1) / 15 for k in range(14)])
    fall = [0.05 * (1 + math.cos(math.pi * k / 56)) for k in range(56)]
    assert made[14:] == pytest.approx(fall)
    assert min(made) > 0


@pytest.mark.parametrize(("after", "factor"), [(1, 0.5), (2, 0.1), (3, 1.0), (100, 0.1)])
def test_step_is_torchs(after, factor):
    expected = by_torch(lambda o: optim.lr_scheduler.StepLR(o, after, factor), 6 * STEPS, STEPS)
    made = rates(schedule="step", lr=0.1, epochs=6, step_epochs=after, step_factor=factor)
    assert made == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle", "step"])
@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.999])
def test_every_rate_is_positive_and_at_most_lr(schedule, warmup):
    """Also of a run of a single step."""
    for epochs in (1, 2, 30):
        made = rates(schedule=schedule, lr=0.1, epochs=epochs, warmup=warmup)
        assert all(0 < rate <= 0.1 + 1e-12 for rate in made)
    settings = train_settings(schedule=schedule, lr=0.1, epochs=1, warmup=warmup)
    assert 0 < learning_rate(0, 1, settings) <= 0.1


TORCHS = {
    "adam": lambda p, s: optim.Adam(p, lr=s.lr, betas=(s.momentum, 0.999)),
    "adamw": lambda p, s: optim.AdamW(p, lr=s.lr, betas=(s.momentum, 0.999), weight_decay=0),
    "sgd": lambda p, s: optim.SGD(p, lr=s.lr, momentum=s.momentum, nesterov=s.momentum > 0),
}


@pytest.mark.parametrize("name", TORCHS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_an_optimiser_steps_as_torchs(name, momentum):
    settings = train_settings(optimizer=name, lr=0.01, momentum=momentum)
    ours, theirs = build("lenet", width=0.5), build("lenet", width=0.5)
    optimizers = [make_optimizer(ours, settings), TORCHS[name](theirs.parameters(), settings)]
    images = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        for network, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            network(images).square().mean().backward()
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)  # one kernel for all, against many


@pytest.mark.parametrize("name", [*TORCHS, "muon"])
@pytest.mark.parametrize("network", NETWORKS)
def test_weights_decay_and_vectors_do_not(name, network):
    made = build(network)
    optimizer = make_optimizer(made, train_settings(optimizer=name, weight_decay=0.1))
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decay) == len(list(made.parameters()))
    for parameter in made.parameters():
        assert decay[id(parameter)] == (0.1 if parameter.dim() > 1 else 0.0)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_decay_shrinks_a_weight_whose_gradient_is_zero(name):
    network = build("lenet", width=0.125)
    optimizer = make_optimizer(network, train_settings(optimizer=name, lr=0.1, weight_decay=0.5))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        factor = 0.95 if parameter.dim() > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] * factor)
