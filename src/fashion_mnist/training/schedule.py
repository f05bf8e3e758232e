"""The learning rate as a pure function of the step."""

import math

from fashion_mnist.model.elementary import power, sin_cos
from fashion_mnist.training.parameters import Train


def learning_rate(step: float, steps_per_epoch: int, settings: Train) -> float:
    """The learning rate of a step, counted from 0 over the whole run.

    An epoch of fewer steps takes fractions of them, so that each ends where it would.

    constant: `lr`. step: `lr` times `step_factor` for each `step_epochs` epochs that have passed.
    cosine: linearly up to `lr` over the warm-up, then by half a cosine wave towards zero
    (Loshchilov and Hutter, 2017). onecycle: by half a cosine wave from `lr`/25 up to `lr` over the
    warm-up and down to `lr`/250,000, as torch's OneCycleLR (Smith and Topin, 2018).
    """
    lr, total = settings.lr, settings.epochs * steps_per_epoch
    if settings.schedule == "constant":
        return lr
    if settings.schedule == "step":
        drops = step // (settings.step_epochs * steps_per_epoch)
        return lr * power(settings.step_factor, int(drops))
    if settings.schedule == "cosine":
        rising = settings.warmup * total
        if step < rising:
            return lr * ((step + 1) / (rising + 1))
        return _wave(lr, 0.0, (step - rising) / (total - rising))
    peak = settings.warmup * total - 1
    if step < peak:
        return _wave(lr / 25, lr, step / peak)
    return _wave(lr, lr / 25e4, (step - peak) / max(1.0, total - 1 - peak))


def _wave(start: float, end: float, share: float) -> float:
    """From `start` to `end` by half a cosine wave, at a share of 0 to 1 of the way."""
    _, cosine = sin_cos(math.pi * share)
    return end + (start - end) * (1 + cosine) / 2
