"""The same parameters, data and code give the same bytes, whatever the network and schedule."""

import pytest

from fashion_mnist.model.networks import NETWORKS

SCHEDULES = ("constant", "cosine", "onecycle", "step")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_forced_runs_leave_the_lock_unchanged(repository, tmp_path):
    """c18: with every augmentation, dropout and averaging on; prints how many were compared."""
    compared, different = 0, []
    for name in NETWORKS:
        for schedule in SCHEDULES:
            checkout = repository.copy(tmp_path / f"{name}-{schedule}")
            checkout.set(
                model__name=name,
                model__width=0.5,
                model__dropout=0.3,
                train__schedule=schedule,
                train__step_epochs=1,
                train__ema=0.9,
                compute__threads=2,
                train__augment__crop_padding=1,
                train__augment__erasing=0.5,
            )
            checkout.dvc("repro", "-f", "train")
            before = checkout.outputs()
            checkout.dvc("repro", "-f", "train")
            compared += 1
            if checkout.outputs() != before:
                different.append(f"{name} with {schedule}")
    print(f"{compared} pairs of runs compared, {len(different)} differ {different}")
    assert different == []
