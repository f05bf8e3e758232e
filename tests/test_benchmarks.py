"""What the benchmarks say is what they did: same pixels, same data, and a clock that is fair."""

import accuracy
import numpy as np
import pandas as pd
import pictures
import pytest
import scale
import time_to_accuracy
import torch
from original import Images
from small import images, labels, split, train_settings
from torch import nn

from fashion_mnist.model.networks import build
from fashion_mnist.model.parameters import Model
from fashion_mnist.training.randomness import derive
from fashion_mnist.training.trainer import Trainer

CPU = torch.device("cpu")
MODEL = Model()


def test_the_original_sees_the_pixels_that_this_project_sees():
    assert np.array_equal(Images(split(20)).pixels, images(labels(20)))


class Answers(nn.Module):
    """Predicts one class for every image, whatever the mode."""

    def __init__(self, answer):
        super().__init__()
        self.weight = nn.Parameter(nn.functional.one_hot(torch.tensor(answer), 10).float())

    def forward(self, batch):
        return self.weight.expand(len(batch), 10)


def test_accuracy_is_the_share_that_is_right():
    assert accuracy.accuracy(Answers(3), split(40)) == 0.1


def test_the_network_that_validation_prefers_is_tested():
    data = [split(10), split(10), split(30)]
    data[1].labels[:] = [4, 4, 4, 4, 4, 4, 2, 2, 2, 1]
    data[2].labels[:] = [2] * 20 + [4] * 9 + [1]
    assert accuracy.test_accuracy(map(Answers, (2, 4, 1)), data) == 9 / 30
    data[1].labels[:] = [4, 4, 4, 2, 2, 2, 1, 1, 1, 1]
    found = accuracy.test_accuracy(map(Answers, (4, 2)), data)
    assert found == 9 / 30, "of equals in validation the first, whatever the test images say"


def test_the_project_gives_the_average_that_it_validates():
    data, settings = [split(60), split(20, 1)], train_settings(epochs=2, ema=0.9)
    trainer = Trainer(
        build(**MODEL.model_dump(), seed=derive(settings.seed, "weights")), *data, settings, CPU
    )
    networks = accuracy.project(data, MODEL, settings)
    for _, network in zip(trainer.epochs(), networks, strict=True):
        given, expected = network.state_dict(), trainer.weights()
        assert all(torch.equal(given[name], expected[name]) for name in expected)


def test_the_clock_stands_still_while_the_test_images_are_classified(monkeypatch):
    """An epoch takes 7 s here, a test a thousand."""
    now = 0.0

    def tick(seconds, result):
        nonlocal now
        now += seconds
        return result

    monkeypatch.setattr(time_to_accuracy.time, "perf_counter", lambda: now)
    monkeypatch.setattr(
        time_to_accuracy, "project", lambda *_: (tick(7, network) for network in ("a", "b", "c"))
    )
    monkeypatch.setattr(time_to_accuracy, "accuracy", lambda *_: tick(1000, 0.5))
    points = time_to_accuracy.curve(MODEL, train_settings(), [split(10)] * 3, CPU)
    assert points == [(n, 0.5) for n in (7, 14, 21)]


def test_a_larger_set_is_made_of_shifted_copies():
    original = images(labels(3))
    original[:, :2] = original[:, -2:] = original[:, :, :2] = original[:, :, -2:] = 0
    copies = [scale.shifted(original, number) for number in range(max(scale.COPIES))]
    assert np.array_equal(copies[0], original)
    assert len({copy.tobytes() for copy in copies}) == len(copies)
    assert {copy.sum() for copy in copies} == {original.sum()}, "nothing is cut off"


def test_the_picture_of_the_variants_holds_means_medians_and_spreads():
    run = {"variant": "quick", "threads": 2, "multiply_adds": 1000}
    seeds = [(10.0, 0.90), (30.0, 0.92), (14.0, 0.94)]
    rows = [run | {"seconds": seconds, "accuracy": accuracy} for seconds, accuracy in seeds]
    rows.append({**run, "threads": 1, "seconds": None, "accuracy": 0.8})
    several, single = pictures.points(pd.DataFrame(rows)).to_dict("records")
    assert (several["seconds"], several["multiply_adds"], several["seeds"]) == (14, 1000, 3)
    assert several["accuracy"] == pytest.approx(0.92)
    assert several["spread"] == pytest.approx(0.02)
    assert pd.isna(single["seconds"])
    assert pd.isna(single["spread"])
    assert pictures.png(pd.DataFrame(rows))[:4] == b"\x89PNG"
