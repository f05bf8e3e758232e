"""A run that was interrupted ends as one that was not; no run takes up another's state."""

import hashlib
import os
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import contents, split, train_settings

from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.states import forget_recorded
from fashion_mnist.training.resume import ResumeFile, fingerprint
from fashion_mnist.training.run import history_bytes, put_back_on_failure, summary, train
from fashion_mnist.training.trainer import Trainer

CPU = torch.device("cpu")
TRAINING, VALIDATION = split(60), split(20, 1)


class Killed(BaseException):
    """Stands for the end of the process."""


def maker(name="lenet", dropout=0.0, training=TRAINING, validation=VALIDATION, **changes):
    def make():
        network = build(name, 0.25, dropout, seed=1)
        return Trainer(network, training, validation, train_settings(**changes), CPU)

    return make


def kill_after(epoch):
    def on_epoch(history):
        if len(history) == epoch:
            raise Killed

    return on_epoch


def assert_same(first, second):
    assert history_bytes(first.history) == history_bytes(second.history)
    assert first.history == second.history
    for ours, theirs in ((first.weights(), second.weights()), (first.best, second.best)):
        for name, tensor in ours.items():
            assert torch.equal(tensor, theirs[name]), name


AUGMENT = {"rotation": 10.0, "flip": True, "crop_padding": 2, "erasing": 0.3}
RUNS = {
    "defaults": {},
    "cosine": {"schedule": "cosine", "optimizer": "adamw", "weight_decay": 0.1},
    "muon": {"optimizer": "muon", "schedule": "onecycle", "weight_decay": 0.1},
    "onecycle": {"schedule": "onecycle", "optimizer": "sgd", "lr": 0.05},
    "step": {"schedule": "step", "step_epochs": 1, "step_factor": 0.5, "optimizer": "sgd"},
    "average": {"ema": 0.9, "schedule": "cosine"},
    "dropout": {"dropout": 0.5},
    "augmentation": {"augment": AUGMENT},
    "alternating": {"augment": {"flip_alternating": True}},
    "smoothing": {"label_smoothing": 0.1, "momentum": 0.0, "optimizer": "sgd"},
    "pruning": {"pruning": 0.5},
    "bfloat16": {"precision": "bfloat16", "arithmetic": "native"},
    "no validation": {"validation": split(0)},
    **{
        f"{name}, all on": {
            "name": name, "dropout": 0.3, "ema": 0.9, "schedule": "onecycle", "augment": AUGMENT
        }
        for name in NETWORKS
    },
}  # fmt: skip


@pytest.mark.parametrize("settings", RUNS.values(), ids=RUNS)
def test_a_run_that_was_taken_up_ends_with_the_same_bits(tmp_path, settings, capsys):
    """c01 d09 d11 d30: killed after epochs 1 and 3 of 4, through the file on the disk."""
    straight = train(maker(epochs=4, **settings), ResumeFile(tmp_path, "s-s-s"), lambda _: None)
    resume = ResumeFile(tmp_path, "r-r-r")
    for epoch in (1, 3):
        with pytest.raises(Killed):
            train(maker(epochs=4, **settings), resume, kill_after(epoch))
        torch.manual_seed(epoch)  # the next process has its own global state
    capsys.readouterr()
    resumed = train(maker(epochs=4, **settings), resume, lambda _: None)
    assert [row["epoch"] for row in resumed.history] == [1, 2, 3, 4]
    assert_same(straight, resumed)
    printed = capsys.readouterr().out
    assert "taking up the run after epoch 3" in printed
    assert "epoch 4/4" in printed
    assert "epoch 3/4" not in printed


def test_a_run_killed_before_its_outputs_were_written_trains_nothing_again(tmp_path, capsys):
    """d13"""
    resume = ResumeFile(tmp_path, "r-r-r")
    with pytest.raises(Killed):
        train(maker(epochs=2), resume, kill_after(2))
    capsys.readouterr()
    told = []
    resumed = train(maker(epochs=2), resume, lambda history: told.append(len(history)))
    assert told == [2], "the history is written anew, since DVC has deleted it"
    assert "epoch 2/2" not in capsys.readouterr().out
    assert_same(resumed, train(maker(epochs=2), ResumeFile(tmp_path, "s-s-s"), lambda _: None))


def test_a_state_is_whole_or_that_of_the_epoch_before(tmp_path, monkeypatch):
    """d04: the process dies while it saves the state of epoch 2."""
    resume = ResumeFile(tmp_path, "r-r-r")
    count = iter(range(9))

    def fsync(_):
        if next(count) == 1:
            raise Killed

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Killed):
        train(maker(epochs=3), resume, lambda _: None)
    assert len(resume.load()["history"]) == 1


@pytest.mark.parametrize("size", [0, 1, 100, -1, "half"])
def test_a_damaged_state_is_told_and_the_run_starts_afresh(tmp_path, capsys, size):
    """d05"""
    resume = ResumeFile(tmp_path, "r-r-r")
    with pytest.raises(Killed):
        train(maker(), resume, kill_after(1))
    content = resume.path.read_bytes()
    resume.path.write_bytes(content[: len(content) // 2 if size == "half" else size])
    capsys.readouterr()
    again = train(maker(), resume, lambda _: None)
    told = capsys.readouterr()
    assert [line for line in told.err.splitlines() if "warning" in line] == told.err.splitlines()
    assert told.err.startswith(f"warning: {resume.path} is damaged (")
    assert told.err.endswith("); starting afresh\n")
    assert_same(again, train(maker(), ResumeFile(tmp_path, "s-s-s"), lambda _: None))


@pytest.mark.parametrize(
    "state", [{}, [], 3, {"network": {}}, {"network": {"conv1.weight": torch.zeros(1)}}], ids=repr
)
def test_a_state_of_another_shape_is_told_and_the_run_starts_afresh(tmp_path, capsys, state):
    """d28: whatever lies under the name."""
    resume = ResumeFile(tmp_path, "r-r-r")
    resume.save(state)
    again = train(maker(), resume, lambda _: None)
    assert f"warning: {resume.path} is damaged" in capsys.readouterr().err
    assert_same(again, train(maker(), ResumeFile(tmp_path, "s-s-s"), lambda _: None))


def test_a_run_that_diverges_leaves_no_state_to_take_up(tmp_path):
    """c14: it would diverge again."""
    resume = ResumeFile(tmp_path, "r-r-r")
    with pytest.raises(Killed):
        train(maker(), resume, kill_after(1))
    infinite = replace(TRAINING, images=TRAINING.images + np.float32("inf"))
    with pytest.raises(UserError, match="not finite at epoch 2, batch 1"):
        train(maker(training=infinite), resume, lambda _: None)
    assert contents(tmp_path) == {}


# When it is over


def test_a_state_waits_until_dvc_has_recorded_the_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train")
    folder, lock = tmp_path / ".resume", tmp_path / "dvc.lock"
    for name in ("a-a-a", "b-b-b", "c-c-c"):
        ResumeFile(folder, name).save({"of": name})
    ResumeFile(folder, "a-a-a").finish(b"weights of a")
    ResumeFile(folder, "b-b-b").finish(b"weights of b")
    forget_recorded(folder, lock)
    assert len(contents(folder)) == 3, "nothing is recorded without a lock"
    lock.write_text(f"md5: {hashlib.md5(b'weights of a').hexdigest()}\n")
    forget_recorded(folder, lock)
    assert ResumeFile(folder, "a-a-a").load() is None
    assert ResumeFile(folder, "b-b-b").load() == {"of": "b-b-b"}
    assert ResumeFile(folder, "c-c-c").load() == {"of": "c-c-c"}


def test_a_state_goes_at_once_without_dvc(tmp_path):
    resume = ResumeFile(tmp_path, "a-a-a")
    resume.save({})
    resume.finish(b"weights")
    assert contents(tmp_path) == {}


# Whose state it is


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """A checkout with one module that is loaded, parameters, and two files of data."""
    checkout = tmp_path / "checkout"
    (checkout / "src").mkdir(parents=True)
    module = checkout / "src/module.py"
    module.write_text("x = 1\n")
    (checkout / "src/not_loaded.py").write_text("x = 1\n")
    data = [tmp_path / "one", tmp_path / "two"]
    for path in data:
        path.write_bytes(path.name.encode())
    fake = type(os)("fashion_mnist.module")
    fake.__file__ = str(module)
    monkeypatch.setitem(sys.modules, "fashion_mnist.module", fake)
    return {"a": 1, "device": "cpu"}, data, checkout


def test_the_fingerprint_covers_parameters_data_and_code(inputs, tmp_path):
    """Issue 5, item 3; d10 d28: another value is another run."""
    parameters, data, checkout = inputs

    def changed(original):
        now = fingerprint(parameters, data, checkout).split("-")
        return [a != b for a, b in zip(original, now, strict=True)]

    original = fingerprint(parameters, data, checkout).split("-")
    assert changed(original) == [False] * 4
    parameters["a"] = 2
    assert changed(original) == [True, False, False, False]
    parameters["a"] = 1
    parameters["device"] = "cuda"
    assert changed(original) == [True, False, False, False]
    parameters["device"] = "cpu"
    data[1].write_bytes(b"2wo")
    assert changed(original) == [False, True, False, False]
    data[1].write_bytes(b"two")
    (checkout / "src/module.py").write_text("x = 2\n")
    assert changed(original) == [False, False, True, False]
    (checkout / "src/module.py").write_text("x = 1\n")
    (checkout / "src/not_loaded.py").write_text("x = 2\n")
    assert changed(original) == [False] * 4


def test_bytes_that_move_between_two_files_are_other_data(inputs):
    parameters, data, checkout = inputs
    before = fingerprint(parameters, data, checkout)
    data[0].write_bytes(b"onet")
    data[1].write_bytes(b"wo")
    assert fingerprint(parameters, data, checkout) != before


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ("x-d-c-t", "other parameters"),
        ("p-x-c-t", "other data"),
        ("p-d-x-t", "other code"),
        ("p-d-c-x", "other PyTorch"),
        ("x-x-c-t", "other parameters and data"),
    ],
)
def test_a_fresh_start_says_why_in_one_line(tmp_path, capsys, other, reason):
    """Issue 5, item 3: and the other run's state stays for it."""
    ResumeFile(tmp_path, other).save({"a": 1})
    assert ResumeFile(tmp_path, "p-d-c-t").load() is None
    assert capsys.readouterr().out == f"starting afresh: {tmp_path} holds only runs with {reason}\n"
    assert ResumeFile(tmp_path, other).load() == {"a": 1}


def test_a_run_beside_a_finished_one_says_nothing(tmp_path, capsys, monkeypatch):
    """Its state waits for DVC to record it, and nobody expects another run to take it up."""
    monkeypatch.setenv("DVC_STAGE", "train")
    done = ResumeFile(tmp_path, "p-d-c-t")
    done.save({"a": 1})
    done.finish(b"weights")
    assert ResumeFile(tmp_path, "q-d-c-t").load() is None
    assert capsys.readouterr() == ("", "")


def test_a_first_run_says_nothing(tmp_path, capsys):
    assert ResumeFile(tmp_path / "none", "p-d-c-t").load() is None
    assert capsys.readouterr() == ("", "")


def test_deleting_takes_the_runs_own_state_and_those_of_long_ago(tmp_path):
    for name, days in (("mine", 0), ("recent", 29), ("old", 31)):
        ResumeFile(tmp_path, name).save({})
        then = time.time() - days * 86_400
        os.utime(tmp_path / f"{name}.pt", (then, then))
    ResumeFile(tmp_path, "mine").delete()
    assert list(contents(tmp_path)) == ["recent.pt"]
    ResumeFile(tmp_path, "mine").delete()  # another run of it was faster


# What a run leaves


@pytest.mark.parametrize("before", [None, b"old"])
def test_the_history_of_a_run_that_fails_is_put_back(tmp_path, before):
    path = tmp_path / "history.csv"
    if before is not None:
        path.write_bytes(before)

    def fail():
        with put_back_on_failure(path):
            path.write_bytes(b"half a run")
            raise Killed

    with pytest.raises(Killed):
        fail()
    assert (path.read_bytes() if path.exists() else None) == before
    with put_back_on_failure(path):
        path.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"


def test_the_summary_is_that_of_the_best_epoch(tmp_path):
    """d17: of plain values, and without the cells that a run without validation leaves empty."""
    made = train(maker(epochs=4, lr=0.01), ResumeFile(tmp_path, "s"), lambda _: None)
    figures = summary(made)
    best = made.history[figures["best_epoch"] - 1]
    assert best["validation_accuracy"] == max(r["validation_accuracy"] for r in made.history)
    assert {key: best[key] for key in figures if key in best}.items() <= figures.items()
    assert figures["parameters"] == sum(p.numel() for p in made.network.parameters())
    assert {type(value) for value in figures.values()} == {int, float}
    without = train(maker(validation=split(0)), ResumeFile(tmp_path, "t"), lambda _: None)
    names = ["best_epoch", "train_loss", "train_accuracy", "parameters", "multiply_adds"]
    assert list(summary(without)) == names
    assert summary(without)["best_epoch"] == 2
    assert history_bytes(without.history).splitlines()[1].split(b",")[3:5] == [b"", b""]
