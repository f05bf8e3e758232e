"""The stage train by several processes: their number changes no byte, and none is left alone."""

import errno
import os
import signal
import socket
from functools import partial

import numpy as np
import pytest
import torch
from small import in_child

from fashion_mnist.pipeline import files, splits
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.training import launcher, ranks
from fashion_mnist.training.optimisers import Optimizer
from fashion_mnist.training.step import Step
from fashion_mnist.training.trainer import Trainer
from stages import train as stage

SHARED = {
    "train.batch_size": 19,  # 60 images: a last batch of 3, of fewer samples than four processes
    "train.ema": 0.9,
    "train.label_smoothing": 0.1,
    "train.pruning": 0.5,
}


@pytest.fixture
def shared(fresh):
    fresh.set(**SHARED)
    assert fresh.run("prepare")[0] == 0
    return fresh


def succeeded(results):
    """What rank 0 printed; all ended well, and the others printed nothing."""
    assert [(status, printed) for status, printed in results[1:]] == [(0, "")] * (len(results) - 1)
    assert results[0][0] == 0, results[0][1]
    return results[0][1]


@pytest.mark.parametrize(
    ("network", "size"), [("lenet", 4), pytest.param("plain", 3, marks=pytest.mark.slow)]
)
def test_the_number_of_processes_changes_no_byte(shared, tmp_path, network, size):
    """With dropout, batch normalisation, averaging, pruning and uneven parts of a batch."""
    shared.set(**SHARED, **{"model.name": network})
    alone = shared.copy(tmp_path / "alone")
    assert alone.run("train")[0] == 0
    succeeded(shared.run_together(size))
    assert shared.outputs() == alone.outputs()


def test_in_native_arithmetic_processes_agree(shared, tmp_path):
    """To rounding, and two runs of two to the byte; one line says that their number matters."""
    alone = shared.copy(tmp_path / "alone")
    histories, made = [], []
    for workspace in (shared, alone):
        workspace.set(**SHARED, **{"train.arithmetic": "native", "model.dropout": 0.0})
    assert alone.run("train")[0] == 0
    for _ in range(2):
        printed = succeeded(shared.run_together(2))
        assert printed.startswith("arithmetic is native: threads, processes and device change")
        made.append(shared.outputs())
    assert made[0] == made[1]
    for workspace in (shared, alone):
        text = (workspace.path / stage.HISTORY).read_text().splitlines()[1:]
        histories.append([float(line.split(",")[1]) for line in text])
    np.testing.assert_allclose(*histories, rtol=1e-3)


def kill(victim, epoch):
    """Makes a rank kill itself: 0 when it writes an epoch's row, another when the next begins."""

    def before(rank):
        if rank != victim:
            return
        if rank == 0:
            write = stage.files.write

            def dying(contents):
                if stage.HISTORY in contents and contents[stage.HISTORY].count(b"\n") == epoch + 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                write(contents)

            stage.files.write = dying
        else:
            begin = Trainer._train

            def dying_train(self, of, on_step):
                if of == epoch + 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                return begin(self, of, on_step)

            Trainer._train = dying_train

    return before


@pytest.mark.parametrize("victim", [0, 3])
def test_a_run_that_lost_a_process_goes_on_with_fewer(shared, tmp_path, victim):
    """The others end by themselves, without a word; then two, killed again, and one."""
    alone = shared.copy(tmp_path / "alone")
    assert alone.run("train")[0] == 0
    results = shared.run_together(4, kill(victim, 1))
    assert [status for status, _ in results] == [
        -signal.SIGKILL if rank == victim else ranks.LOST for rank in range(4)
    ]
    assert "error" not in results[0][1]
    results = shared.run_together(2, kill(0, 2))
    assert "taking up the run after epoch 1" in results[0][1]
    status, printed = shared.run("train")
    assert status == 0
    assert "taking up the run after epoch 2" in printed
    assert shared.outputs() == alone.outputs()


def test_a_failure_of_all_is_told_once(shared):
    """c14: and neither checkpoint nor state is left."""
    path = shared.path / "data/prepared/train.safetensors"
    split = splits.read(path)
    split.images[7] = np.inf
    files.write({path: splits.serialised(split)})
    before = shared.outputs()
    results = shared.run_together(2)
    assert [status for status, _ in results] == [2, 2]
    assert results[0][1].count("error: the loss is not finite at epoch 1, batch ") == 1
    assert results[1][1] == ""
    assert shared.outputs() == before


def test_a_failure_of_one_is_told_by_it(shared, monkeypatch):
    """d27: rank 0, which waits for it, ends too."""
    monkeypatch.setattr(ranks, "LEADERS_TURN", 0.1)

    def before(rank):
        def fail(*_):
            raise MemoryError

        if rank == 1:
            Step._work = fail

    results = shared.run_together(2, before)
    assert [status for status, _ in results] == [ranks.LOST, 2]
    assert results[1][1] == "error: out of memory; lower train.batch_size\n"
    assert "error" not in results[0][1]


def test_a_defect_keeps_its_traceback(shared):
    def before(rank):
        def fail(*_):
            raise ZeroDivisionError("of the test")

        Step._work = fail

    results = shared.run_together(2, before)
    assert [status for status, _ in results] == [1, 1]
    assert "".join(printed for _, printed in results).count("Traceback") == 1
    assert "ZeroDivisionError: of the test" in results[0][1]


def test_processes_of_different_runs_do_not_train_together(shared):
    """Each of two machines names what differs, and nothing else."""
    same = dict.fromkeys(stage.PARTS, "same")
    for part in stage.PARTS:

        def before(rank, part=part):
            os.environ |= {"GROUP_RANK": str(rank), "LOCAL_RANK": "0"}
            digests = same | {part: f"rank{rank}"}
            stage.fingerprint = lambda *_: "-".join(digests.values())

        for status, printed in shared.run_together(2, before):
            assert status == 2
            message = f"error: the processes have other {part} (rank 1 beside rank 0)\n"
            assert printed.endswith(message)


def test_machines_that_compute_differently_are_told(shared):
    """In native arithmetic: here one's gradients are another's by a few digits."""

    def before(rank):
        update = Optimizer.update

        def other(self):
            if rank == 1:
                self.flats[0].gradients.mul_(1 + 2**-12)
            update(self)

        Optimizer.update = other

    assert shared.run_together(2, kill(0, 1))[0][0] == -signal.SIGKILL
    results = shared.run_together(2, before)
    assert [status for status, _ in results] == [2, 2]
    assert "error: the processes hold other weights after epoch 2" in results[0][1]
    status, printed = shared.run("train")
    assert status == 0
    assert "taking up the run after epoch 1" in printed, "what all agreed on is kept"


@pytest.mark.parametrize(
    "variable", [{"PET_NPROC_PER_NODE": "many"}, {"PET_NNODES": "some"}], ids=str
)
def test_variables_that_make_no_sense_are_told(tmp_path, variable):
    """In a process of its own: the launcher leaves variables to those that it starts."""
    launch = partial(launcher.launch, "stages.train", 2)
    status, printed = in_child(tmp_path, launch, lambda: os.environ.update(variable))
    assert status == 2
    assert "error: PET_NNODES, PET_NPROC_PER_NODE and their like" in printed


def test_a_machine_without_its_loopback_interface_is_told_at_once(monkeypatch):
    def unreachable(*_, **__):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(UserError, match=r"loopback interface: Network is unreachable; `ip link"):
        launcher._check_loopback()
    monkeypatch.undo()
    launcher._check_loopback()


KILLED = "error: killed, or no longer answering"
GONE = "error: another machine's processes are gone; run again to go on\n"


@pytest.mark.parametrize(
    ("codes", "status", "told"),
    [
        ({0: 2, 1: -15}, 2, ""),
        ({0: 1, 1: 3}, 1, ""),
        ({0: 1, 1: -15}, 1, ""),  # a defect, and one that the launcher ended
        ({0: 3, 1: -9}, 1, f"{KILLED}: rank 1 (signal 9); run again to go on\n"),
        ({0: 3, 1: 3}, 1, GONE),
        ({0: 3, 1: 143}, 1, GONE),
    ],
)
def test_the_launcher_tells_what_no_process_could(capsys, codes, status, told):
    assert launcher._status(codes) == status
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(("device", "here"), [("cuda", 1), ("cuda:1", 2)])
def test_each_process_needs_a_device_of_its_own(monkeypatch, device, here):
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: here)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(UserError, match=f"here are {here} of cuda; lower compute.processes"):
        ranks.Group(0, 2).place(torch.device(device))
