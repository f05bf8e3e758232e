"""A recorded step does what the plain one does; CUDA's graphs: model/test_accelerators.py."""

import os
import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from small import split, train_settings

from fashion_mnist.model.networks import build
from fashion_mnist.training.optimisers import OPTIMIZERS, Sgd
from fashion_mnist.training.step import Step
from fashion_mnist.training.trainer import Trainer

CPU = torch.device("cpu")
TRAINING, VALIDATION = split(70), split(20, 1)  # four batches of 16 and one of 6
AUGMENT = {"rotation": 10.0, "flip": True, "crop_padding": 2, "erasing": 0.3}
RATE = 2.0**-8  # the same number in the device's float32


class Recorder:
    """In place of a graph: replays by calling again, on the tensors that were recorded."""

    def __init__(self):
        self.recordings = self.replays = 0

    def __call__(self, work):
        self.recordings += 1

        def replay():
            self.replays += 1
            return work()

        return replay


def trainer(record=None, **changes):
    settings = train_settings(**{"lr": RATE, "epochs": 4, **changes})
    network = build("plain", 0.25, dropout=0.2, seed=1)
    made = Trainer(network, TRAINING, VALIDATION, settings, CPU)
    made.step = Step(network, made.averaged, made.optimizer, settings, record)
    return made


def assert_same(first, second):
    assert first.history == second.history
    assert torch.equal(first.losses, second.losses)
    states = [made.network.state_dict() | made.weights() for made in (first, second)]
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "epochs": 2},
        {"optimizer": "adam", "pruning": 0.5, "label_smoothing": 0.1},
        {"optimizer": "adamw", "ema": 0.9, "augment": AUGMENT, "pruning": 0.5},
        {"optimizer": "sgd", "ema": 0.9, "epochs": 2},
        {"optimizer": "muon", "ema": 0.9, "pruning": 0.5, "weight_decay": 0.25},
        {"batch_size": 14},
        {"batch_size": 100},
        {"optimizer": "adamw", "arithmetic": "native", "ema": 0.9, "epochs": 2},
        {"precision": "bfloat16", "arithmetic": "native", "epochs": 2},
    ],
    ids=lambda changes: "-".join(map(str, changes)),
)
def test_a_recorded_step_is_the_plain_one(changes):
    """Bit for bit: fixed tensors, the last batch, weights of samples, the average, the rate."""
    plain, recorded = trainer(**changes), trainer(Recorder(), **changes)
    for made in (plain, recorded):
        list(made.epochs())
    assert_same(plain, recorded)


def test_full_batches_are_replayed_and_the_last_one_is_called():
    record = Recorder()
    list(trainer(record).epochs())
    assert (record.recordings, record.replays) == (1, 4 * 4 - 1)


def test_batches_with_and_without_weights_are_recorded_apart():
    """The last eighth of the epochs weighs nothing."""
    record = Recorder()
    list(trainer(record, pruning=0.5, epochs=8).epochs())
    assert record.recordings == 2


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_recording_reads_what_changes_where_each_step_puts_it(optimizer):
    """Rate, corrections and the average's share: a number would stay that of the recording."""
    made, places = trainer(Recorder(), schedule="onecycle", optimizer=optimizer, ema=0.9), []
    work = made.step._work

    def watched(*batch):
        scalars = made.optimizer.scalars
        places.append({name: (id(tensor), float(tensor)) for name, tensor in scalars.items()})
        return work(*batch)

    made.step._work = watched
    list(made.epochs())
    for name, (place, _) in places[0].items():
        assert {where[name][0] for where in places} == {place}, name
    assert places[-1]["lr"][1] == pytest.approx(made.history[-1]["lr"], rel=1e-6)
    assert [step["average"][1] for step in places[:3]] == pytest.approx([1, 0.1, 0.1])


def test_what_is_loaded_is_recorded_anew():
    """Loading replaces the optimiser's tensors."""
    record = Recorder()
    made, straight = trainer(record, ema=0.9), trainer(ema=0.9)
    epochs = made.epochs()
    next(epochs)
    state = deepcopy(made.state_dict())
    next(epochs)
    made.load_state_dict(state)
    list(made.epochs())
    list(straight.epochs())
    assert record.recordings == 2
    assert_same(straight, made)


def test_the_average_is_the_exponential_one():
    """Of weights and of statistics alike; the first is the network itself."""
    settings = train_settings(ema=0.9, optimizer="sgd")
    network, ours = build("plain", 0.25, seed=1), build("plain", 0.25, seed=2)
    step, expected = Step(network, ours, Sgd(network, settings), settings), {}
    for batch in torch.from_numpy(TRAINING.images).split(10):
        step(batch, torch.arange(10), None, 0.1)
        for name, tensor in network.state_dict().items():
            before = expected.get(name, tensor)
            whole = 0.9 * before + 0.1 * tensor
            expected[name] = whole if tensor.is_floating_point() else tensor.clone()
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


@pytest.mark.slow
def test_training_imports_neither_torchs_compiler_nor_sympy():
    """They take as long to import as torch itself, and no step uses them."""
    code = (
        "import sys\n"
        "from small import split, train_settings\n"
        "from fashion_mnist.model.networks import build\n"
        "from fashion_mnist.training.trainer import Trainer\n"
        "import torch\n"
        "for optimizer in ('adam', 'adamw', 'muon', 'sgd'):\n"
        "    settings = train_settings(optimizer=optimizer, epochs=1, ema=0.9)\n"
        "    made = Trainer(build('lenet'), split(20), split(10), settings, torch.device('cpu'))\n"
        "    list(made.epochs())\n"
        "    made.load_state_dict(made.state_dict())\n"
        "print(sys.modules.keys() & {'torch._dynamo', 'sympy'})\n"
    )
    paths = os.pathsep.join(["src", "tests"])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"
