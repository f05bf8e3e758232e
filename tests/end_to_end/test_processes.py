"""A training by two processes under DVC: killed anywhere, it leaves nobody and goes on."""

import os
import re
import signal
import socket
import sys
from dataclasses import replace

import psutil
import pytest
from checkout import read_until, start
from kills import listing, processes_in
from small import contents

EPOCHS = 15
pytestmark = pytest.mark.slow  # stages/test_processes.py has the same in forks


@pytest.fixture(scope="module")
def by_one(repository, tmp_path_factory):
    """A repository after a run by one process that nothing disturbed."""
    checkout = repository.copy(tmp_path_factory.mktemp("by_one") / "checkout")
    checkout.set(train__epochs=EPOCHS, train__batch_size=8, model__dropout=0.25)
    checkout.dvc("repro")
    checkout.commit()
    return checkout


def launcher(dvc) -> psutil.Process:
    """The stage below DVC; the ranks are its children."""
    return next(
        child
        for child in psutil.Process(dvc.pid).children(recursive=True)
        if "RANK" not in child.environ() and child.cmdline()[-1] == "stages.train"
    )


def victims(dvc, name) -> list[psutil.Process]:
    ranks = {int(child.environ()["RANK"]): child for child in launcher(dvc).children()}
    return {
        "rank 0": [ranks[0]],
        "rank 1": [ranks[1]],
        "ranks": list(ranks.values()),
        "launcher": [launcher(dvc)],
        "dvc": [psutil.Process(dvc.pid)],
    }[name]


@pytest.mark.parametrize(
    "names",
    [["rank 1", "dvc"], pytest.param(["ranks", "launcher", "rank 0"], marks=pytest.mark.slow)],
    ids=lambda names: ", ".join(names),
)
def test_a_killed_training_of_two_is_taken_up(by_one, tmp_path, names):
    """By two processes again, killed elsewhere, until it ends: with the same dvc.lock as of one."""
    two = {**by_one.environment, "PET_NPROC_PER_NODE": "2"}
    checkout = replace(by_one.copy(tmp_path / "checkout"), environment=two)
    files = listing(checkout.path)
    checkout.forget_runs()
    for number, name in enumerate(names):
        dvc = start(checkout, "dvc", "repro", "-s", "train")
        text = read_until(dvc, f"epoch {3 + 5 * number}/{EPOCHS}")
        family = processes_in(checkout.path)
        assert len(family) >= 4  # DVC, the launcher, two ranks
        for process in victims(dvc, name):
            process.kill()
        text += dvc.stdout.read()
        assert dvc.wait(timeout=30) != 0
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []
        assert ("taking up the run after epoch" in text) == (number > 0)
        assert text.count("error: killed, or no longer answering: rank") == ("rank" in name)
        assert "Traceback" not in text
    output = checkout.dvc("repro").stdout
    assert int(re.search(r"taking up the run after epoch (\d+)", output)[1]) >= 3
    assert checkout.outputs() == by_one.outputs()
    assert listing(checkout.path) == files


def test_ctrl_c_ends_all_processes_with_one_message(by_one, tmp_path):
    """c09"""
    checkout = by_one.copy(tmp_path / "checkout")
    checkout.set(compute__processes=2, train__seed=1)
    dvc = start(checkout, "dvc", "repro", "-s", "train")
    text = read_until(dvc, f"epoch 2/{EPOCHS}")
    family = processes_in(checkout.path)
    os.killpg(dvc.pid, signal.SIGINT)
    text += dvc.stdout.read()
    assert dvc.wait(timeout=30) != 0
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert text.count("interrupted\n") == 1
    assert "Traceback" not in text


def test_two_machines_train_one_network(by_one, tmp_path):
    """Two checkouts here: DVC records on the first one, nothing is written on the other."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    address = {"PET_NNODES": "2", "PET_MASTER_ADDR": "localhost", "PET_MASTER_PORT": str(port)}
    first, second = (
        replace(
            by_one.copy(tmp_path / str(number)),
            environment={**by_one.environment, **address, "PET_NODE_RANK": str(number)},
        )
        for number in range(2)
    )
    first.forget_runs()
    before = contents(second.path)
    other = start(second, sys.executable, "-m", "stages.train")
    first.dvc("repro")
    assert other.communicate(timeout=60) == ("", None)
    assert other.returncode == 0
    assert first.outputs() == by_one.outputs()
    assert contents(second.path) == before


@pytest.mark.slow
def test_a_rank_that_no_longer_answers_ends_all(by_one, tmp_path):
    """As one on a machine that hangs: after a time limit, here of seconds."""
    two = {**by_one.environment, "PET_NPROC_PER_NODE": "2"}
    checkout = replace(by_one.copy(tmp_path / "checkout"), environment=two)
    module = checkout.path / "src/fashion_mnist/training/ranks.py"
    module.write_text(module.read_text().replace("timedelta(minutes=5)", "timedelta(seconds=5)"))
    dvc = start(checkout, "dvc", "repro", "-s", "train")
    text = read_until(dvc, f"epoch 3/{EPOCHS}")
    family = processes_in(checkout.path)
    (stopped,) = victims(dvc, "rank 1")
    stopped.suspend()
    text += dvc.stdout.read()
    assert dvc.wait(timeout=30) != 0
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    assert text.count("error: ") == 1, text
    print(text)
    assert "Traceback" not in text
    assert "taking up the run after epoch" in checkout.dvc("repro").stdout
    for name in ("best", "last"):
        path = f"checkpoints/{name}.safetensors"
        assert checkout.read(path) == by_one.read(path)
