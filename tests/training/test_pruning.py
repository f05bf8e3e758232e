"""Samples that are passed over: which, what the others count for, and that the schedule holds."""

import pytest
import torch
from small import split, train_settings
from torch.nn.functional import cross_entropy

from fashion_mnist.model.networks import build
from fashion_mnist.training.pruning import sample_weights
from fashion_mnist.training.trainer import Trainer

CPU = torch.device("cpu")
EASY, HARD = 0.1, 2.0
LOSSES = torch.tensor([EASY, HARD, EASY, EASY] * 15)


def trainer(**changes):
    settings = train_settings(**{"pruning": 0.5, "epochs": 8, "batch_size": 60, **changes})
    return Trainer(build("lenet", 0.25, seed=1), split(60), split(20, 1), settings, CPU)


def test_only_samples_below_the_mean_loss_are_passed_over_and_the_rest_make_up_for_them():
    weights = sample_weights(LOSSES, train_settings(pruning=0.75, epochs=8), 2)
    assert set(weights[LOSSES == HARD].tolist()) == {1.0}
    assert set(weights[LOSSES == EASY].tolist()) == {0.0, 4.0}


def test_on_average_each_sample_counts_once():
    """Within five standard errors of 400 draws."""
    settings = train_settings(pruning=0.5, epochs=10_000)
    mean = torch.stack([sample_weights(LOSSES, settings, e) for e in range(1, 401)]).mean(0)
    assert (mean - 1).abs().max() < 5 / 400**0.5


@pytest.mark.parametrize(("epochs", "pruned"), [(1, 0), (2, 1), (6, 5), (8, 7), (16, 14)])
def test_the_last_eighth_of_the_epochs_uses_all(epochs, pruned):
    settings = train_settings(pruning=0.5, epochs=epochs)
    weights = [sample_weights(LOSSES, settings, epoch) for epoch in range(1, epochs + 1)]
    assert [w is not None for w in weights] == [True] * pruned + [False] * (epochs - pruned)


def test_off_it_changes_nothing_and_before_a_loss_is_known_all_count():
    assert sample_weights(LOSSES, train_settings(pruning=0.0), 1) is None
    made = trainer()
    assert sample_weights(made.losses, made.settings, 1).tolist() == [1.0] * 60


@pytest.mark.parametrize("loss", [0.1, 0.3, 2.302585])
def test_of_equal_losses_none_is_passed_over(loss):
    """A mean in float32 lies above them, and an epoch without a sample cannot be trained."""
    losses = torch.full((55_000,), loss)
    assert (
        sample_weights(losses, train_settings(pruning=0.9, epochs=8), 2).tolist() == [1.0] * 55_000
    )


def test_draws_are_the_seeds_and_the_epochs():
    def draw(epoch, seed=0):
        return sample_weights(LOSSES, train_settings(pruning=0.5, epochs=9, seed=seed), epoch)

    assert torch.equal(draw(2), draw(2))
    assert not torch.equal(draw(2), draw(3))
    assert not torch.equal(draw(2), draw(2, seed=1))


def test_a_step_goes_along_the_gradient_of_the_weighted_loss():
    """And a sample that is passed over keeps the loss that is known of it."""
    made = trainer(optimizer="sgd", momentum=0.0, weight_decay=0.0, lr=0.1, label_smoothing=0.1)
    made.losses = LOSSES.clone()
    weights = sample_weights(LOSSES, made.settings, 2)
    stays = weights > 0
    network, data = build("lenet", 0.25, seed=1), split(60)
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    logits = network(images)
    losses = cross_entropy(logits, labels, label_smoothing=0.1, reduction="none")
    (weights * losses)[stays].mean().backward()

    row = made._train(2)
    for parameter, trained in zip(network.parameters(), made.network.parameters(), strict=True):
        torch.testing.assert_close(trained, parameter - 0.1 * parameter.grad)
    assert torch.equal(made.losses[~stays], LOSSES[~stays])
    known = cross_entropy(logits.detach(), labels, reduction="none")
    torch.testing.assert_close(made.losses[stays], known[stays])
    average = float(known @ weights / weights.sum())
    assert row["train_loss"] == pytest.approx(average, abs=1e-6)


def test_the_schedule_ends_each_run_at_the_same_rate():
    """However few steps the epochs before had."""
    rates = []
    for pruning in (0.0, 0.9):
        made = trainer(pruning=pruning, batch_size=4, schedule="onecycle", lr=0.001)
        rates.append([row["lr"] for row in made.epochs()])
    assert rates[0][-1] == rates[1][-1]
    assert rates[0] == pytest.approx(rates[1], rel=0.2)
