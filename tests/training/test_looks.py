"""What a training shows: augmentation as it is set, and the labels that the network doubts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import NAMES, split, train_settings

from fashion_mnist.model.networks import build
from fashion_mnist.training.looks import augmented, suspects
from fashion_mnist.training.trainer import Trainer

CPU = torch.device("cpu")
DATA = split(60)


def test_without_augmentation_each_class_shows_ten_equal_images():
    rows = augmented(DATA, train_settings())
    assert [name for name, _ in rows] == list(NAMES)
    for label, (_, images) in enumerate(rows):
        first = DATA.grey[np.flatnonzero(DATA.labels == label)[0]]
        assert images.shape == (8, 28, 28)
        assert (images == first).all()


@pytest.mark.parametrize(
    "change", [{"rotation": 10.0}, {"flip": True}, {"crop_padding": 3}, {"erasing": 1.0}]
)
def test_a_change_of_augmentation_shows(change):
    """In later images and not in the first; the same in every run."""
    before = augmented(DATA, train_settings())
    rows, again = (augmented(DATA, train_settings(augment=change)) for _ in range(2))
    for (_, plain), (_, made), (_, same) in zip(before, rows, again, strict=True):
        np.testing.assert_array_equal(made[0], plain[0])
        assert (made != plain).any()
        np.testing.assert_array_equal(made, same)


def test_classes_that_do_not_occur_are_left_out():
    few = np.isin(DATA.labels, [2, 9])
    part = replace(DATA, images=DATA.images[few], labels=DATA.labels[few], index=DATA.index[few])
    assert [name for name, _ in augmented(part, train_settings())] == ["2 Pullover", "9 Ankle boot"]


def trained(data, epochs, **changes):
    settings = train_settings(epochs=epochs, lr=0.005, **changes)
    made = Trainer(build("lenet", 0.5, seed=1), data, split(0), settings, CPU)
    for _ in made.epochs():
        pass
    return made


def test_wrong_labels_are_the_first_suspects():
    """Three of two hundred, by their positions in the IDX file; nothing is relabelled."""
    data = split(200)
    data = replace(data, index=np.arange(200) * 7)
    wrong = data.labels.copy()
    wrong[[5, 50, 150]] = (wrong[[5, 50, 150]] + 5) % 10
    data = replace(data, labels=wrong)
    table, rows = suspects(trained(data, 8), data)
    assert {row[0] for row in table[:3]} == {35, 350, 1050}
    for index, label, predicted, loss in table[:3]:
        at = index // 7
        assert label == NAMES[wrong[at]]
        assert predicted == NAMES[(wrong[at] - 5) % 10]
        assert loss > 1
    assert len(table) == 100
    assert [row[3] for row in table] == sorted([row[3] for row in table], reverse=True)
    assert len(rows) == 30
    for (caption, image), (index, label, predicted, _) in zip(rows, table, strict=False):
        assert caption == f"label {label}\nlooks like {predicted}"
        np.testing.assert_array_equal(image[0], data.grey[index // 7])


def test_the_doubt_is_a_running_mean_over_epochs():
    """Of what `losses` held after each epoch; the first epoch's is its loss."""
    settings = train_settings(epochs=3)
    made, mean = Trainer(build("lenet", 0.25, seed=1), DATA, split(0), settings, CPU), None
    for _ in made.epochs():
        mean = made.losses.clone() if mean is None else (mean + made.losses) / 2
        assert torch.equal(made.doubts, mean)


def test_a_sample_that_an_epoch_passes_over_keeps_its_doubt():
    made = Trainer(
        build("lenet", 0.25, seed=1), DATA, split(0), train_settings(epochs=4, pruning=0.9), CPU
    )
    epochs = made.epochs()
    next(epochs)
    losses, doubts = made.losses.clone(), made.doubts.clone()
    next(epochs)
    passed = made.losses == losses
    assert passed.any()
    assert torch.equal(made.doubts[passed], doubts[passed])


def test_fewer_images_than_suspects():
    data = split(20)
    table, rows = suspects(trained(data, 1), data)
    assert len(table) == len(rows) == 20
