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

DIE_WHILE_WRITING = """
import os, runpy, sys
import stages
from pathlib import Path
from fashion_mnist.pipeline import files
stage, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
replace = Path.replace
opened = Path.open
def dying_open(path, mode="r", *rest, **more):
    global count
    if mode == "wb" and name in path.name:
        count -= 1
        if count == 0:
            file = opened(path, mode, *rest, **more)
            write = file.write
            class Half:
                def writelines(self, parts):
                    content = b"".join(parts)
                    write(content[: len(content) // 2])
                    file.flush()
                    os._exit(137)
                def __enter__(self): return self
                def __exit__(self, *_): return None
            return Half()
    return opened(path, mode, *rest, **more)
Path.open = dying_open
sys.argv = [stage]
runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
"""


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


@pytest.mark.parametrize("victim", ["stage", "group", "dvc"])
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
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []

    output = checkout.dvc("repro").stdout
    assert int(re.search(r"taking up the run after epoch (\d+)", output)[1]) >= 3
    assert checkout.outputs() == uninterrupted.outputs()
    assert listing(checkout.path) == before


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
    assert process.wait(timeout=10) != 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert edited.read_text() == "edited"
    process = start(checkout, "dvc", "repro")
    read_until(process, "taking up the run after epoch")
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.read()
    process.wait()


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


def test_a_recorded_training_is_trained_again_where_that_is_asked_for(uninterrupted, tmp_path):
    """evaluate does not run, and so leaves the state of the training before it."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    for _ in range(2):
        output = checkout.dvc("repro", "-fs", "train").stdout
        assert f"epoch 1/{EPOCHS}" in output
    assert len(list((checkout.path / ".resume").iterdir())) == 1
    assert checkout.outputs() == uninterrupted.outputs()


@pytest.mark.parametrize(
    ("stage", "name", "count"),
    [
        ("train", ".pt", 3),
        ("train", "history.csv", 3),
        ("train", "best.safetensors", 1),
        ("train", "train.json", 1),
        ("prepare", "validation.safetensors", 1),
        ("evaluate", "misclassified.png", 1),
    ],
)
def test_a_kill_inside_a_write_leaves_whole_files(stage, name, count, uninterrupted, tmp_path):
    """d04, d13: what was there stays whole, and the next run ends with the same bytes."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    before, files = checkout.outputs(), listing(checkout.path)
    command = ["python", "-c", DIE_WHILE_WRITING, stage, name, str(count)]
    assert checkout.run(*command, check=False).returncode == 137
    changed = {path for path, content in checkout.outputs().items() if content != before[path]}
    assert changed <= {"plots/history.csv"}  # it is live, and always a whole table
    if stage == "train":
        assert checkout.read("plots/history.csv").count(b"epoch,") == 1
    result = checkout.stage(stage, check=True)
    if name == ".pt":
        assert "taking up the run after epoch 2" in result.stdout
    assert checkout.outputs() == before
    assert listing(checkout.path) == files


def test_another_run_is_never_taken_up(uninterrupted, tmp_path):
    """d10, d28: other parameters start afresh, and say why."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    command = ["python", "-c", DIE_WHILE_WRITING, "train", ".pt", "3"]
    checkout.run(*command, check=False)
    assert [path.suffix for path in (checkout.path / ".resume").glob("[!.]*")] == [".pt"]
    checkout.set(train__epochs=3, model__width=0.5)
    result = checkout.stage("train", check=True)
    assert "holds only runs with other parameters" in result.stdout
    clean = uninterrupted.copy(tmp_path / "clean")
    clean.set(train__epochs=3, model__width=0.5)
    clean.stage("train", check=True)
    assert checkout.outputs() == clean.outputs()


@pytest.mark.parametrize("size", [0.5, 0])
def test_a_damaged_state_is_named_and_not_used(size, uninterrupted, tmp_path):
    """d05: one warning, then a fresh start."""
    checkout = uninterrupted.copy(tmp_path / "checkout")
    checkout.run("python", "-c", DIE_WHILE_WRITING, "train", ".pt", "3", check=False)
    (state,) = (checkout.path / ".resume").glob("[!.]*.pt")
    content = state.read_bytes()
    state.write_bytes(content[: int(len(content) * size)])
    result = checkout.stage("train", check=True)
    assert re.search(rf"warning: .*{state.name} is damaged", result.stderr)
    assert checkout.outputs() == uninterrupted.outputs()
    assert not any((checkout.path / ".resume").iterdir())


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


def test_few_kills_at_random_moments(repository, tmp_path):
    report = kill_and_recover(repository, tmp_path, count=3, seed=1, epochs=100)
    print(report)
    assert report.faults == []
    assert report.recovered == report.kills == 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_kills_at_random_moments(repository, tmp_path):
    count = int(os.environ.get("KILLS", "36"))
    report = kill_and_recover(repository, tmp_path, count, seed=0, epochs=250)
    print(report)
    assert report.faults == []
    assert report.recovered == report.kills == count
