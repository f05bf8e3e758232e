"""Schedules against torch's own and closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import train_settings
from torch import optim

from fashion_mnist.training.schedule import learning_rate

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


@pytest.mark.parametrize("schedule", ["constant", "cosine", "onecycle", "step"])
@given(
    steps=st.integers(1, 40),
    here=st.integers(1, 40),
    epochs=st.integers(1, 12),
    warmup=st.floats(0, 0.999),
)
def test_an_epoch_of_fewer_steps_never_exceeds_lr(schedule, steps, here, epochs, warmup):
    """Pruning leaves `here` of an epoch's steps, which then are fractions of them."""
    settings = train_settings(schedule=schedule, lr=0.1, epochs=epochs, warmup=warmup)
    for epoch in range(epochs):
        for batch in range(min(here, steps)):
            step = epoch * steps + batch * steps / min(here, steps)
            assert 0 < learning_rate(step, steps, settings) <= 0.1 * (1 + 1e-15)


def test_an_epoch_of_fewer_steps_ends_where_it_would():
    """Each rate of half as many steps is that of every second step."""
    for schedule in ("cosine", "onecycle", "step"):
        settings = train_settings(schedule=schedule, epochs=6, step_epochs=2)
        whole = [learning_rate(step, 10, settings) for step in range(60)]
        half = [
            learning_rate(e * 10 + b * 10 / 5, 10, settings) for e in range(6) for b in range(5)
        ]
        assert half == whole[::2]
