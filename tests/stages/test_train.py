"""The stage train: whose state is taken up, and what a run leaves when it cannot go on."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
from forkserver import without
from small import contents, copy_project, run_stage

from fashion_mnist.model import devices
from fashion_mnist.pipeline import files, splits
from stages import train as stage


def killed_after(workspace, epoch):
    """Run the stage until the state of `epoch` is on the disk, and kill it there."""

    def before():
        write = stage.files.write

        def dying(files):
            if stage.HISTORY in files and files[stage.HISTORY].count(b"\n") == epoch + 1:
                os._exit(137)
            write(files)

        stage.files.write = dying

    assert workspace.run("train", before)[0] == 137


def rows(workspace):
    with (workspace.path / "plots/history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


CHANGES = {
    "more epochs": {"train.epochs": 4},
    "another schedule": {"train.schedule": "cosine"},
    "another width": {"model.width": 0.5},
    "another seed": {"train.seed": 1},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(
    "killed",
    [True, pytest.param(False, marks=pytest.mark.slow)],
    ids=["killed", "finished"],
)
def test_another_run_starts_afresh_and_equals_a_clean_one(
    fresh, finished, tmp_path, change, killed
):
    """d10 d28; issue 5, item 3: no state of other parameters is read, and no size error."""
    assert fresh.run("prepare")[0] == 0
    clean = fresh.copy(tmp_path / "clean")
    if killed:
        killed_after(fresh, 1)
    else:
        assert fresh.run("train")[0] == 0
    for workspace in (fresh, clean):
        workspace.set(**change)
        status, printed = workspace.run("train")
        assert status == 0, printed
        said = "starting afresh: .resume holds only runs with other parameters" in printed
        assert said == (killed and workspace is fresh)
    made = {key: value for key, value in fresh.outputs().items() if ".resume" not in key}
    assert made == clean.outputs()


def test_a_run_of_other_data_starts_afresh(fresh):
    assert fresh.run("prepare")[0] == 0
    killed_after(fresh, 1)
    fresh.set(**{"prepare.seed": 1})
    assert fresh.run("prepare")[0] == 0
    status, printed = fresh.run("train")
    assert status == 0
    assert "holds only runs with other data\n" in printed


@pytest.mark.parametrize(
    "schedule",
    [
        "onecycle",
        *(pytest.param(s, marks=pytest.mark.slow) for s in ("constant", "cosine", "step")),
    ],
)
def test_the_rate_goes_on_where_it_was(fresh, tmp_path, schedule):
    """d09 d11 d30: one header, epochs 1 to 4, and the rates of a run that was not killed."""
    fresh.set(**{"train.schedule": schedule, "train.epochs": 4, "train.step_epochs": 1})
    assert fresh.run("prepare")[0] == 0
    straight = fresh.copy(tmp_path / "straight")
    assert straight.run("train")[0] == 0
    killed_after(fresh, 2)
    assert fresh.run("train")[0] == 0
    assert [row["epoch"] for row in rows(fresh)] == ["1", "2", "3", "4"]
    assert [row["lr"] for row in rows(fresh)] == [row["lr"] for row in rows(straight)]
    assert fresh.outputs() == straight.outputs()
    assert contents(fresh.path / ".resume") == {}


@pytest.mark.parametrize("size", [0, 2000])
def test_a_damaged_state_is_named_and_the_run_starts_afresh(fresh, finished, size):
    """d05"""
    assert fresh.run("prepare")[0] == 0
    killed_after(fresh, 2)
    (state,) = (fresh.path / ".resume").iterdir()
    state.write_bytes(state.read_bytes()[:size])
    status, printed = fresh.run("train")
    assert status == 0
    assert f"warning: .resume/{state.name} is damaged (" in printed
    assert fresh.run("evaluate")[0] == 0
    assert fresh.outputs() == finished.outputs()


def test_the_state_lies_where_dvc_says(fresh, tmp_path, monkeypatch):
    """A temporary copy's state is found by the next copy."""
    repository = tmp_path / "repository"
    copies = repository / ".dvc/tmp/exps/standalone"
    copies.mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(repository))
    assert fresh.run("prepare")[0] == 0
    first, again = fresh.copy(copies / "first"), fresh.copy(copies / "again")
    killed_after(first, 2)
    assert contents(first.path / ".resume") == {}
    status, printed = again.run("train")
    assert status == 0
    assert "taking up the run after epoch 2" in printed
    assert contents(repository / ".resume") == {}


def test_a_run_without_validation(fresh):
    """a16 d31: empty cells, the last epoch's weights, and no metric of validation."""
    fresh.set(**{"prepare.validation_size": 0})
    for name in ("prepare", "train", "evaluate"):
        assert fresh.run(name)[0] == 0
    assert {row["validation_loss"] + row["validation_accuracy"] for row in rows(fresh)} == {""}
    made = contents(fresh.path)
    assert made["checkpoints/best.safetensors"] == made["checkpoints/last.safetensors"]
    assert json.loads(made["metrics/train.json"])["best_epoch"] == 3
    assert "validation_accuracy" not in json.loads(made["metrics/train.json"])


@pytest.mark.parametrize("kept", [True, False], ids=["by hand", "by DVC"])
def test_a_run_that_diverges_leaves_no_checkpoint(workspace, finished, kept):
    """c14: with the outputs that were there (by hand), or none (DVC has deleted them)."""
    path = workspace.path / "data/prepared/train.safetensors"
    split = splits.read(path)
    split.images[7] = np.inf
    files.write({path: splits.serialised(split)})
    if not kept:
        for name in ("checkpoints", "metrics", "plots"):
            for output in (workspace.path / name).iterdir():
                output.unlink()
    before = workspace.outputs()
    status, printed = workspace.run("train")
    assert status == 2
    assert "error: the loss is not finite at epoch 1, batch " in printed
    assert workspace.outputs() == before


def test_a_device_that_is_missing_is_told_before_data_are_read(fresh, monkeypatch):
    """d01: there is no prepared data at all, and that is not what is told."""
    monkeypatch.setattr(devices, "available", lambda: ["cpu"])
    fresh.set(**{"compute.device": "cuda"})
    for name in ("train", "evaluate"):
        status, printed = fresh.run(name)
        assert status == 2
        assert printed == "error: the device cuda is not here; available: auto, cpu\n"


def test_the_test_split_is_not_needed(fresh, finished):
    assert fresh.run("prepare")[0] == 0
    (fresh.path / "data/prepared/test.safetensors").unlink()
    assert fresh.run("train")[0] == 0
    made = finished.outputs()
    assert all(made[key] == value for key, value in fresh.outputs().items())


def test_a_lack_of_memory_names_the_batch_size(workspace, finished):
    """d27"""

    def before():
        def predict(*_):
            raise MemoryError

        stage.train = predict

    status, printed = workspace.run("train", before)
    assert (status, printed.splitlines()[-1]) == (2, "error: out of memory; lower train.batch_size")
    assert workspace.outputs() == finished.outputs()


@pytest.mark.slow
def test_the_environments_thread_count_has_no_say(finished, tmp_path):
    """d18: `compute.threads` alone decides, also where it changes bytes; each in its process."""
    root = copy_project(tmp_path / "checkout", **{"train.arithmetic": "native", "train.epochs": 1})
    shutil.copytree(finished.path / "data/prepared", root / "data/prepared")
    made = []
    for threads in ("1", "2"):
        result = run_stage(root, "train", env=without({**os.environ, "OMP_NUM_THREADS": threads}))
        assert result.returncode == 0, result.stderr
        made.append(contents(root / "checkpoints") | contents(root / "plots"))
    assert made[0] == made[1]
