"""A run that is interrupted loses at most one epoch, and nothing is left of it."""

import os
import re
import signal
from dataclasses import replace

import psutil
import pytest
from checkout import read_until, start
from kills import kill_and_recover, listing, processes_in

EPOCHS = 40


@pytest.fixture(scope="module")
def uninterrupted(repository, tmp_path_factory):
    """A repository with more epochs to train, after a run that nothing disturbed."""
    checkout = repository.copy(tmp_path_factory.mktemp("uninterrupted") / "checkout")
    checkout.set(train__epochs=EPOCHS, train__augment__erasing=0.5, model__dropout=0.25)
    checkout.dvc("repro")
    checkout.commit()
    return checkout


def trainer_of(process) -> psutil.Process:
    """The training process below `process`."""
    return next(
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "stages.train" in child.cmdline()
    )


@pytest.mark.parametrize(
    "victim", ["group", *(pytest.param(name, marks=pytest.mark.slow) for name in ("stage", "dvc"))]
)
def test_a_killed_training_is_taken_up(victim, uninterrupted, tmp_path):
    """c01, d11, d30: it goes on after the last finished epoch, to the same bytes."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    before = listing(checkout.path)
    checkout.forget_runs()
    process = start(checkout, "dvc", "repro", "-fs", "train")
    read_until(process, f"epoch 3/{EPOCHS}")
    family = processes_in(checkout.path)
    if victim == "stage":
        trainer_of(process).kill()
    elif victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.stdout.read()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []

    output = checkout.dvc("repro").stdout
    assert int(re.search(r"taking up the run after epoch (\d+)", output)[1]) >= 3
    assert checkout.outputs() == uninterrupted.outputs()
    assert listing(checkout.path) == before


@pytest.mark.slow
def test_ctrl_c_ends_an_experiment_and_keeps_edits(uninterrupted, tmp_path):
    """c09: without leftover processes, and the next run takes up the state."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    edited = checkout.path / "LICENSE"
    edited.write_text("edited")
    process = start(checkout, "dvc", "exp", "run", "-S", "train.epochs=2000")
    read_until(process, "epoch 2/2000")
    family = processes_in(checkout.path)
    os.killpg(process.pid, signal.SIGINT)
    process.stdout.read()
    assert process.wait(timeout=60) != 0
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    assert edited.read_text() == "edited"
    process = start(checkout, "dvc", "repro")
    read_until(process, "taking up the run after epoch")
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.read()
    process.wait()


@pytest.mark.slow
def test_a_killed_temporary_experiment_is_taken_up(uninterrupted, tmp_path):
    """The copy is gone, but the state lies in the repository that DVC_ROOT names."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    command = ["dvc", "exp", "run", "--temp", "-S", "train.seed=1"]
    process = start(checkout, *command)
    read_until(process, f"epoch 3/{EPOCHS}")
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.read()
    process.wait()
    output = checkout.run(*command).stdout
    assert int(re.search(r"taking up the run after epoch (\d+)", output)[1]) >= 3
    assert not any((checkout.path / ".resume").iterdir())


@pytest.mark.slow
def test_a_kill_before_dvc_has_recorded_the_training_costs_nothing(uninterrupted, tmp_path):
    """d13: its outputs are written, but DVC deletes them at its next start."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    before = listing(checkout.path)
    checkout.forget_runs()
    by_dvc = {**checkout.environment, "DVC_STAGE": "train"}
    replace(checkout, environment=by_dvc).stage("train", check=True)
    output = checkout.dvc("repro").stdout
    assert f"taking up the run after epoch {EPOCHS}" in output
    assert f"epoch {EPOCHS}/{EPOCHS}" not in output
    assert checkout.outputs() == uninterrupted.outputs()
    assert listing(checkout.path) == before


@pytest.mark.slow
def test_a_recorded_training_is_trained_again_where_that_is_asked_for(uninterrupted, tmp_path):
    """evaluate does not run, and so leaves the state of the training before it."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    for _ in range(2):
        output = checkout.dvc("repro", "-fs", "train").stdout
        assert f"epoch 1/{EPOCHS}" in output
    assert len(list((checkout.path / ".resume").iterdir())) == 1
    assert checkout.outputs() == uninterrupted.outputs()


@pytest.mark.slow
def test_a_second_run_is_told_that_one_is_busy(uninterrupted, tmp_path):
    """c11: and harms nothing."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    process = start(checkout, "dvc", "repro", "-fs", "train")
    read_until(process, f"epoch 1/{EPOCHS}")
    stage = psutil.Process(process.pid).children(recursive=True)
    for child in stage:
        child.suspend()  # it is busy for as long as the second run takes to find out
    second = checkout.dvc("repro", "-f", "train", check=False)
    for child in stage:
        child.resume()
    process.stdout.read()
    assert process.wait() == 0
    assert second.returncode != 0
    assert str(trainer_pid(second.stderr)) in second.stderr
    assert checkout.outputs() == uninterrupted.outputs()


def trainer_pid(message: str) -> int:
    """The process that DVC's message on a busy repository names."""
    return int(re.search(r"PID (\d+)", message)[1])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_at_random_moments(repository, tmp_path):
    count = int(os.environ.get("KILLS", "6"))
    report = kill_and_recover(repository, tmp_path, count, seed=0, epochs=50)
    print(report)
    assert report.faults == []
    assert report.recovered == report.kills == count
