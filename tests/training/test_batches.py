"""Every sample once an epoch, in an order of the epoch's own, with its own label."""

import numpy as np
import pytest
import torch
from small import CLASSES, split, train_settings

from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.batches import Batches

CPU = torch.device("cpu")


def numbered(count):
    """Images that are evenly as bright as their number, whose label is its last digit."""
    number = np.arange(count, dtype=np.float32)
    images = np.broadcast_to((number / count)[:, None, None, None], (count, 1, 28, 28)).copy()
    return Split(images, number.astype(np.int64) % 10, 0.0, 1.0, CLASSES, number)


def epoch_of(count, epoch, **changes):
    """Numbers, labels and sizes of an epoch's batches, told by the pixel in the middle."""
    batches = Batches(numbered(count), train_settings(**changes), CPU)
    made = list(batches.epoch(epoch, batches.order(epoch)))
    assert len(made) == len(batches)
    numbers = torch.cat([images[:, 0, 14, 14] for images, _, _ in made]) * count
    assert torch.equal(numbers.round().long(), torch.cat([index for _, _, index in made]))
    labels = [labels for _, labels, _ in made]
    return numbers.round().long(), torch.cat(labels), [len(y) for y in labels]


@pytest.mark.parametrize(
    ("count", "size", "last"), [(64, 16, 16), (65, 64, 1), (50, 1024, 50), (3, 1, 1), (2500, 64, 4)]
)
def test_every_sample_comes_once_and_none_is_dropped(count, size, last):
    """d03 b15"""
    numbers, labels, sizes = epoch_of(count, 1, batch_size=size)
    assert numbers.sort().values.tolist() == list(range(count))
    assert torch.equal(labels, numbers % 10)
    assert set(sizes[:-1]) <= {size}
    assert sizes[-1] == last


def test_an_epoch_of_chosen_samples_has_each_of_them_once():
    chosen = torch.arange(65) % 3 == 0
    batches = Batches(numbered(65), train_settings(batch_size=8), CPU)
    made = torch.cat([index for _, _, index in batches.epoch(1, batches.order(1, chosen))])
    assert made.sort().values.tolist() == chosen.nonzero().flatten().tolist()


def test_labels_go_with_their_images_through_every_augmentation():
    on = {"rotation": 45.0, "flip": True, "crop_padding": 2, "erasing": 0.0}
    numbers, labels, _ = epoch_of(200, 1, augment=on)
    assert torch.equal(labels, numbers % 10)


def test_an_epoch_can_be_replayed_alone_and_is_unlike_the_others():
    on = {"rotation": 10.0, "flip": True, "crop_padding": 2, "erasing": 0.5}

    def epoch(number, seed=0, noise=0):
        torch.manual_seed(noise)
        made = Batches(split(100), train_settings(augment=on, seed=seed), CPU)
        return list(made.epoch(number, made.order(number)))

    def equal(first, second):
        return all(
            all(map(torch.equal, one, other)) for one, other in zip(first, second, strict=True)
        )

    batches = Batches(split(100), train_settings(augment=on), CPU)
    _, second, third = (list(batches.epoch(n, batches.order(n))) for n in (1, 2, 3))
    assert equal(third, epoch(3, noise=5)), "global random numbers have no say"
    assert not equal(third, second)
    assert not equal(third, epoch(3, seed=1))


def test_the_order_is_new_in_each_epoch():
    first, second = (epoch_of(100, number)[0].tolist() for number in (1, 2))
    assert first != second != sorted(second)


def test_without_augmentation_the_network_sees_the_prepared_images():
    made = split(30)
    batches = Batches(made, train_settings(), CPU)
    seen = torch.cat([images for images, _, _ in batches.epoch(1, batches.order(1))])
    expected = torch.from_numpy(made.images)
    assert sorted(x.sum().item() for x in seen) == sorted(x.sum().item() for x in expected)
    assert {x.numpy().tobytes() for x in seen} == {x.numpy().tobytes() for x in expected}
