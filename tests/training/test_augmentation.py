"""What training does to images: a draw for each sample, black at the border, labels untouched."""

import math

import pytest
import torch
from small import split, train_settings

from fashion_mnist.training.augmentation import augment, draw, draw_mirrored

BLACK = -1.0
IMAGES = torch.from_numpy(split(40).images)
ALL_ON = {"rotation": 10.0, "flip": True, "crop_padding": 2, "erasing": 0.5}


def augmented(images, seed=0, epoch=1, black=BLACK, **changes):
    settings = train_settings(augment=changes).augment
    mirrored = draw_mirrored(len(images), settings, seed, epoch)
    drawn = draw(len(images), settings, torch.Generator().manual_seed(seed))
    return augment(images, settings, black, mirrored, drawn)


def test_everything_off_is_the_identity():
    assert torch.equal(augmented(IMAGES), IMAGES)


def test_the_smallest_rotation_is_nearly_the_identity():
    torch.testing.assert_close(augmented(IMAGES, rotation=1e-4), IMAGES, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "on",
    [{"rotation": 10.0}, {"crop_padding": 4}, {"erasing": 1.0}, {"rotation": 30.0, "flip": True}],
    ids=str,
)
def test_every_sample_gets_its_own_draw(on):
    same = IMAGES[:1].expand(20, -1, -1, -1)
    distinct = torch.unique(augmented(same, **on), dim=0)
    assert len(distinct) >= (15 if "crop_padding" in on else 20)  # 81 crops: some draws agree


@pytest.mark.parametrize("on", [{key: value} for key, value in ALL_ON.items()] + [ALL_ON], ids=str)
def test_the_generator_alone_decides(on):
    before = IMAGES.clone()
    state = torch.get_rng_state()
    first, again, other = (augmented(IMAGES, seed, **on) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(IMAGES, before), "the images are those of every epoch to come"
    assert torch.equal(torch.get_rng_state(), state)
    assert (first.shape, first.dtype) == (IMAGES.shape, torch.float32)


@pytest.mark.parametrize("black", [-1.0, -0.81, 0.0])
@pytest.mark.parametrize(
    "on", [{"rotation": 180.0}, {"crop_padding": 6}, {"erasing": 1.0}], ids=str
)
def test_what_is_uncovered_is_black(on, black):
    """-1 with 0.5/0.5, never 0, which would be mid-grey."""
    white = torch.ones(20, 1, 28, 28)
    made = augmented(white, black=black, **on)
    assert made.min().item() == pytest.approx(black, abs=1e-6)
    assert made.max().item() == pytest.approx(1, abs=1e-6)
    nothing = torch.full((20, 1, 28, 28), black)
    torch.testing.assert_close(augmented(nothing, black=black, **on), nothing)
    if "rotation" not in on:  # which blends the edge pixels with black
        assert set(made.unique().tolist()) == {torch.tensor(black).item(), 1.0}


@pytest.mark.parametrize("flip", [False, True])
def test_rotations_are_uniform_about_the_centre(flip):
    """A dot at 9 pixels to the right stays at 9 pixels, at an angle of ±20°."""
    dots = torch.full((2000, 1, 28, 28), BLACK)
    dots[:, :, 13:15, 22:24] = 1
    weight = augmented(dots, rotation=20.0, flip=flip)[:, 0] - BLACK
    position = torch.arange(28) - 13.5
    total = weight.sum((1, 2))
    x = (weight.sum(1) * position).sum(1) / total
    y = (weight.sum(2) * position).sum(1) / total
    assert (x < 0).float().mean().item() == pytest.approx(0.5 if flip else 0, abs=0.05)
    angle = torch.atan2(y, x.abs()) * (180 / math.pi)
    torch.testing.assert_close(torch.hypot(x, y), torch.full((2000,), 9.0), rtol=0, atol=0.1)
    assert angle.abs().max().item() == pytest.approx(20, abs=0.3)
    quarters = torch.histc(angle, 4, -20.3, 20.3) / 2000
    assert quarters.sub(0.25).abs().max() < 0.04  # four standard deviations


def test_a_flip_is_a_mirror_image_of_half_of_them():
    made = augmented(IMAGES, flip=True)
    settings = train_settings(augment={"flip": True}).augment
    mirrored = draw_mirrored(len(IMAGES), settings, 0, 1)
    assert torch.equal(made[mirrored], IMAGES[mirrored].flip(3))
    assert torch.equal(made[~mirrored], IMAGES[~mirrored])
    many = draw_mirrored(10_000, settings, 0, 1)
    assert many.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert not torch.equal(many, draw_mirrored(10_000, settings, 0, 2))


def test_alternating_shows_each_image_both_ways_in_two_epochs():
    settings = train_settings(augment={"flip_alternating": True}).augment
    epochs = [draw_mirrored(1000, settings, 0, epoch) for epoch in (1, 2, 3)]
    assert torch.equal(epochs[0], ~epochs[1])
    assert torch.equal(epochs[0], epochs[2])
    assert 400 < epochs[0].sum() < 600


def test_a_crop_is_a_shift_by_at_most_the_padding():
    padded = torch.nn.functional.pad(IMAGES[0, 0], [2] * 4, value=BLACK)
    shifts = {(i, j): padded[i : i + 28, j : j + 28] for i in range(5) for j in range(5)}
    made = augmented(IMAGES[:1].expand(500, -1, -1, -1), crop_padding=2)[:, 0]
    found = [next(k for k, v in shifts.items() if torch.equal(v, image)) for image in made]
    assert set(found) == set(shifts)
    assert torch.equal(augmented(IMAGES, crop_padding=0), IMAGES)


def test_erasing_blackens_a_rectangle_of_some():
    white = torch.ones(1000, 1, 28, 28)
    erased = augmented(white, erasing=0.3)[:, 0] == BLACK
    chosen = erased.any(2).any(1)
    assert chosen.float().mean().item() == pytest.approx(0.3, abs=0.05)
    rows, columns = erased.any(2), erased.any(1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])
    share = erased[chosen].float().mean((1, 2))
    assert 0.46 > share.max() > 0.3  # 0.4, and up to a pixel more at each side
    assert share.min() < 0.05
