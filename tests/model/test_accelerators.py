"""The same pipeline on each accelerator of this machine; skipped where there is none."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from small import split, train_settings

from fashion_mnist.model import devices
from fashion_mnist.model.inference import predict_logits
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.model.parameters import Compute
from fashion_mnist.training.resume import ResumeFile
from fashion_mnist.training.run import history_bytes, train
from fashion_mnist.training.trainer import Trainer

TRAINING, VALIDATION = split(200), split(60, 1)
AUGMENT = {"rotation": 10.0, "flip": True, "crop_padding": 2, "erasing": 0.3}

pytestmark = pytest.mark.parametrize("device", devices.available()[1:])


def trainer(name, device, **changes):
    used = devices.use(Compute(device=device, threads=1), "native")
    return Trainer(build(name, 0.5, 0.2, seed=1), TRAINING, VALIDATION, settings(**changes), used)


def settings(**changes):
    usual = {"epochs": 4, "ema": 0.9, "pruning": 0.3, "augment": AUGMENT}
    return train_settings(**{**usual, **changes})


@contextmanager
def no_synchronisation(device):
    """Fail where the host waits for CUDA; other accelerators cannot tell."""
    if not device.startswith("cuda"):
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", NETWORKS)
def test_it_learns_and_repeats_itself(name, device, tmp_path):
    runs = [
        train(lambda: trainer(name, device, epochs=20), ResumeFile(tmp_path, run), lambda _: None)
        for run in ("a-a-a", "b-b-b")
    ]
    assert history_bytes(runs[0].history) == history_bytes(runs[1].history)
    assert runs[0].history[-1]["train_loss"] < runs[0].history[0]["train_loss"]
    assert {tensor.device.type for tensor in runs[0].best.values()} == {"cpu"}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "onecycle", "label_smoothing": 0.1},
        {"optimizer": "muon", "weight_decay": 0.1, "schedule": "onecycle"},
        {"optimizer": "sgd", "lr": 0.05, "pruning": 0.0},
        {"precision": "bfloat16", "arithmetic": "native", "batch_size": 64},
    ],
    ids=["adam", "adamw", "muon", "sgd", "bfloat16"],
)
def test_a_recorded_step_is_the_called_one(name, changes, device):
    """Bit for bit, dropout and its random numbers included."""
    recorded, called = trainer(name, device, **changes), trainer(name, device, **changes)
    if recorded.step.record is None:
        pytest.skip("nothing is recorded on this device")
    called.step.record = lambda work: work
    for made in (recorded, called):
        list(made.epochs())
    assert recorded.history == called.history
    for name, tensor in called.weights().items():
        assert torch.equal(tensor, recorded.weights()[name]), name


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd"])
def test_a_run_that_was_taken_up_ends_with_the_same_bits(optimizer, device):
    changes = {"optimizer": optimizer, "schedule": "onecycle"}
    straight = trainer("plain", device, **changes)
    list(straight.epochs())
    broken = trainer("plain", device, **changes)
    next(broken.epochs())
    again = trainer("plain", device, **changes)
    again.load_state_dict(broken.state_dict())
    list(again.epochs())
    for name, tensor in straight.weights().items():
        assert torch.equal(tensor, again.weights()[name]), name


def test_nothing_crosses_the_bus_in_an_epoch(device):
    """The data lie on the device, and no batch waits for the host."""
    made = trainer("plain", device, pruning=0.0)
    next(made.epochs())
    assert made.batches.images.device == next(made.network.parameters()).device
    assert made.batches.images.device.type == device.partition(":")[0]
    with no_synchronisation(device):
        batches = made.batches.epoch(2, made.batches.order(2))
        logits = [made.step(images, labels, None, 0.001) for images, labels, _ in batches]
    assert len(torch.cat(logits)) == len(TRAINING.labels)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_computes_what_the_cpu_computes(name, device):
    network = build(name, 0.5, seed=1)
    images = torch.from_numpy(VALIDATION.images)
    expected = predict_logits(network, images, 50)
    network.to(device)
    made = predict_logits(network, images.to(device), 50).cpu()
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)
