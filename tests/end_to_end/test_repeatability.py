"""The same parameters, data and code give the same bytes, on one thread and on two."""

import pytest

from fashion_mnist.model.networks import NETWORKS

SCHEDULES = ("constant", "cosine", "onecycle", "step")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_repeated_runs_give_the_same_bytes(repository, tmp_path):
    """c18: with every augmentation, dropout and averaging on; prints how many were compared.

    The lock, in which `check` keeps the number of threads, is that of the repeated run.
    """
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
                train__augment__crop_padding=1,
                train__augment__erasing=0.5,
            )
            made = []
            for threads in (1, 2, 2):
                checkout.set(compute__threads=threads)
                checkout.dvc("repro", "-f", "train")
                made.append(checkout.outputs())
            made[0]["dvc.lock"] = made[1]["dvc.lock"]
            compared += 1
            if not made[0] == made[1] == made[2]:
                different.append(f"{name} with {schedule}")
    print(f"{compared} kinds of runs compared, {len(different)} differ {different}")
    assert different == []
