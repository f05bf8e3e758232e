"""The epoch loop: the same bytes every time, means over samples, modes, values that diverge."""

import gc
import math

import numpy as np
import psutil
import pytest
import torch
from small import CLASSES, split, train_settings
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax

from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.trainer import COLUMNS, Trainer, best_row

CPU = torch.device("cpu")
INDEX = np.arange(2000)
NOTHING = 1e-12  # a learning rate that changes no weight
TRAINING, VALIDATION, EMPTY = split(60), split(20, 1), split(0)
ALL_ON = {
    "augment": {"rotation": 10.0, "flip": True, "crop_padding": 2, "erasing": 0.3},
    "ema": 0.9,
    "label_smoothing": 0.1,
    "weight_decay": 0.01,
    "schedule": "onecycle",
}


def trainer(network="lenet", training=TRAINING, validation=VALIDATION, dropout=0.0, **changes):
    if isinstance(network, str):
        network = build(network, 0.25, dropout, seed=1)
    else:
        changes = {"arithmetic": "native", **changes}
    return Trainer(network, training, validation, train_settings(**changes), CPU)


def run(made):
    for _ in made.epochs():
        pass
    return made


def assert_same(first, second):
    """Bit for bit: history, best and last weights."""
    assert first.history == second.history
    for ours, theirs in ((first.weights(), second.weights()), (first.best, second.best)):
        assert ours.keys() == theirs.keys()
        for name, tensor in ours.items():
            assert torch.equal(tensor, theirs[name]), name


def by_hand(network, made):
    """Logits of a whole split at once, in evaluation mode, and its labels."""
    with torch.no_grad():
        return network.eval()(torch.from_numpy(made.images)), torch.from_numpy(made.labels)


class FirstPixels(nn.Module):
    """Logits that are an image's first ten pixels, times a weight that is one at first."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1))
        self.scale = scale

    def forward(self, images):
        return images.flatten(1)[:, :10] * (1 + self.scale * (self.weight - 1))


def showing(predicted, labels):
    """A split of which `FirstPixels` predicts the given classes."""
    images = np.zeros((len(labels), 1, 28, 28), np.float32)
    images[np.arange(len(labels)), 0, 0, predicted] = 5
    return Split(images, np.asarray(labels, np.int64), 0.5, 0.5, CLASSES, INDEX[: len(labels)])


@pytest.mark.parametrize("name", NETWORKS)
def test_two_trainers_end_with_the_same_bits(name):
    """c18: whatever random numbers the process has drawn before."""
    torch.manual_seed(1)
    first = run(trainer(name, dropout=0.5, **ALL_ON))
    torch.manual_seed(2)
    assert_same(first, run(trainer(name, dropout=0.5, **ALL_ON)))


@pytest.mark.parametrize("change", [{"seed": 1}, {"lr": 0.002}, {"batch_size": 15}, {"ema": 0.5}])
def test_a_setting_takes_effect(change):
    """b22"""
    first, other = run(trainer()), run(trainer(**change))
    assert first.history != other.history


def test_it_learns():
    made = run(trainer(training=split(200), epochs=8, lr=0.005))
    assert made.history[-1]["validation_accuracy"] > 0.9
    assert made.history[-1]["train_loss"] < made.history[0]["train_loss"] / 2


def test_the_history_has_one_row_an_epoch_with_fixed_columns():
    """d11 d31"""
    made = run(trainer(epochs=3))
    assert [tuple(row) for row in made.history] == [COLUMNS] * 3
    assert [row["epoch"] for row in made.history] == [1, 2, 3]
    assert {type(value) for row in made.history for value in row.values()} == {int, float}


def test_accuracy_is_a_mean_over_samples():
    """d15: 393 of 522, in batches of 256, 256 and 10."""
    labels = np.arange(522) % 10
    predicted = np.where(np.arange(522) < 393, labels, (labels + 1) % 10)
    made = showing(predicted, labels)
    row = run(trainer(FirstPixels(), made, made, batch_size=256, epochs=1, lr=NOTHING)).history[0]
    assert row["train_accuracy"] == row["validation_accuracy"] == 393 / 522


@pytest.mark.parametrize("size", [1, 7, 16, 59, 60, 1000])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_training_loss_is_a_mean_over_samples(size, smoothing):
    """d15; as the validation loss it is without smoothing, so that the two can be compared."""
    made = run(trainer(batch_size=size, epochs=1, lr=NOTHING, label_smoothing=smoothing))
    logits, labels = by_hand(build("lenet", 0.25, seed=1), TRAINING)
    log_p = log_softmax(logits.double(), 1)
    expected = -log_p[torch.arange(60), labels].mean()
    assert made.history[0]["train_loss"] == pytest.approx(float(expected), abs=1e-6)


def test_label_smoothing_trains_on_its_definition():
    """(1 - e) of the label, e spread over all ten: one step along the gradient of that."""
    plain_sgd = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "lr": 0.1}
    made = run(trainer(batch_size=60, epochs=1, label_smoothing=0.1, **plain_sgd))
    network = build("lenet", 0.25, seed=1)
    log_p = log_softmax(network(torch.from_numpy(TRAINING.images)), 1)
    of_label = -log_p[torch.arange(60), torch.from_numpy(TRAINING.labels)]
    (0.9 * of_label.mean() + 0.1 * -log_p.mean()).backward()
    for parameter, trained in zip(network.parameters(), made.network.parameters(), strict=True):
        torch.testing.assert_close(trained, parameter - 0.1 * parameter.grad)


def test_validation_is_a_mean_over_all_rows_and_never_smoothed():
    """d16: the last batch, of one easy class, is a part of 1010 like any other."""
    labels = np.append(np.arange(1000) % 10, np.full(10, 3))
    predicted = np.append(np.arange(1000) // 10 % 10, np.full(10, 3))
    made = showing(predicted, labels)
    row = run(trainer(FirstPixels(), TRAINING, made, lr=NOTHING, label_smoothing=0.2)).history[0]
    right = int((labels == predicted).sum())
    of_right, of_wrong = (math.log(math.exp(5) + 9) - value for value in (5, 0))
    expected = (right * of_right + (1010 - right) * of_wrong) / 1010
    assert row["validation_loss"] == pytest.approx(expected, abs=1e-6)
    assert row["validation_accuracy"] == right / 1010


@pytest.mark.parametrize("name", NETWORKS)
def test_reported_validation_is_that_of_the_weights_that_are_kept(name):
    made = run(trainer(name, dropout=0.5, **ALL_ON))
    network = build(name, 0.25, 0.5)
    network.load_state_dict(made.weights())
    logits, labels = by_hand(network, VALIDATION)
    row = made.history[-1]
    assert row["validation_loss"] == pytest.approx(float(cross_entropy(logits, labels)), abs=1e-6)
    assert row["validation_accuracy"] == float((logits.argmax(1) == labels).double().mean())


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_modes_alternate_and_validation_sees_the_prepared_images(ema):
    """d21 d23: bit-equal to the split, without augmentation; training goes on in training mode."""
    made = trainer(dropout=0.5, **{**ALL_ON, "ema": ema})
    seen = []
    for module in {made.network, made.averaged if ema else made.network}:
        module.register_forward_pre_hook(lambda module, x: seen.append((module.training, x[0])))
    run(made)
    batches = math.ceil(60 / 16)
    assert [mode for mode, _ in seen] == ([True] * batches + [False]) * 2
    for training, images in seen:
        if not training:
            assert images.numpy().tobytes() == VALIDATION.images.tobytes()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("count", "size"), [(65, 64), (3, 1), (50, 1024)])
def test_odd_batches_train(name, count, size):
    """d03 b15: a last batch of one; batches of one; a batch larger than the data."""
    made = trainer(name, split(count), batch_size=size, epochs=1, lr=0.01)
    before = made.weights()
    run(made)
    assert made.history[0]["train_loss"] > 0
    assert any(not torch.equal(before[key], tensor) for key, tensor in made.weights().items())


def test_without_validation_the_last_epoch_is_the_best():
    """a16: and its cells are empty."""
    made = run(trainer(validation=EMPTY, epochs=3))
    assert all(row["validation_loss"] is row["validation_accuracy"] is None for row in made.history)
    for name, tensor in made.weights().items():
        assert torch.equal(tensor, made.best[name])


def test_the_best_weights_are_those_of_the_best_epoch():
    made, kept = trainer(epochs=6, lr=0.01), []
    for _ in made.epochs():
        kept.append(made.weights())
    best = best_row(made.history)["epoch"]
    for name, tensor in kept[best - 1].items():
        assert torch.equal(tensor, made.best[name])


def test_the_average_is_the_exponential_one():
    made, average = trainer(ema=0.75, epochs=4, batch_size=60, lr=0.01), None
    for _ in made.epochs():
        last = {name: p.detach().clone() for name, p in made.network.named_parameters()}
        average = average or last  # the first step's weights are where it starts
        average = {name: 0.75 * average[name] + 0.25 * last[name] for name in last}
        for name, tensor in average.items():
            torch.testing.assert_close(made.weights()[name], tensor)


def test_half_precision_trains():
    made = run(trainer(precision="bfloat16", arithmetic="native", epochs=1, lr=0.005))
    full = run(trainer(epochs=1, lr=0.005))
    assert made.history[0]["train_loss"] == pytest.approx(full.history[0]["train_loss"], rel=0.05)
    assert made.history != full.history
    assert all(tensor.dtype == torch.float32 for tensor in made.weights().values())


def test_a_loss_that_diverges_ends_the_run_with_epoch_and_batch():
    """c14: the first step makes the weight overflow, the second batch meets it."""
    network = FirstPixels(scale=1e38)
    made = trainer(network, batch_size=16, lr=100.0, optimizer="sgd")
    message = r"^the loss is not finite at epoch 1, batch 2: lower train\.lr, which is 100$"
    with pytest.raises(UserError, match=message):
        run(made)
    assert (made.history, made.best) == ([], {})


@pytest.mark.parametrize("validation", [VALIDATION, EMPTY], ids=["validation", "none"])
def test_what_the_last_step_of_an_epoch_destroys_is_not_kept(validation):
    """d26: the losses were finite, the weights and with them the validation no longer are."""
    labels = np.arange(60) % 10
    wrong = showing((labels + 1) % 10, labels)
    network = FirstPixels(scale=1e38)
    made = trainer(network, wrong, validation, batch_size=60, lr=100.0, optimizer="sgd")
    with pytest.raises(UserError, match=r"not finite after epoch 1: lower train\.lr"):
        run(made)
    assert made.history == []
    assert made.best == {}


def row(epoch, accuracy, loss):
    return {"epoch": epoch, "validation_accuracy": accuracy, "validation_loss": loss}


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([(0.5, 0.9), (0.6, 1.5), (0.6, 1.2), (0.4, 0.1)], 3),
        ([(0.6, 1.0), (0.6, 1.0)], 1),
        ([(None, None), (None, None)], 2),
        ([], None),
    ],
)
def test_the_best_epoch(values, best):
    """d26: a row whose values are not finite is refused before it can be one."""
    history = [row(epoch, *pair) for epoch, pair in enumerate(values, 1)]
    found = best_row(history)
    assert (found and found["epoch"]) == best


def test_no_process_and_no_graph_outlives_an_epoch():
    """d20 d27: nothing works beside the run, and no loss keeps what it was computed from."""
    made, before = trainer(epochs=3), psutil.Process().children()
    for _ in made.epochs():
        assert psutil.Process().children() == before
        gc.collect()
        tensors = [item for item in gc.get_objects() if issubclass(type(item), torch.Tensor)]
        assert [t.shape for t in tensors if t.grad_fn is not None] == []


def test_the_state_is_plain_and_on_the_cpu():
    """d07 d08: what `weights_only` accepts, copied away from the device."""

    def leaves(state):
        if isinstance(state, dict):
            state = list(state.values())
        if isinstance(state, list):
            return [leaf for value in state for leaf in leaves(value)]
        return [state]

    made = run(trainer(**ALL_ON))
    found = leaves(made.state_dict())
    assert {type(leaf) for leaf in found} <= {
        torch.Tensor,
        float,
        int,
        bool,
        str,
        type(None),
        tuple,
    }
    assert {leaf.device for leaf in found if isinstance(leaf, torch.Tensor)} == {CPU}
