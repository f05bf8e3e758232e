"""Each stage's outputs: the same bytes every time, whole or as they were before."""

import errno
import itertools
import os
import re

import pytest

WRITES = {"check": 1, "prepare": 6, "train": 14, "evaluate": 7}
"""How many files a run of each stage forces to the disk; train's are those of three epochs."""


@pytest.mark.parametrize("name", ["check", "fetch", "prepare", "train", "evaluate"])
def test_a_second_run_gives_the_same_bytes_and_leaves_nothing_else(workspace, finished, name):
    """c18 c22: the epochs are trained anew and not appended."""
    status, printed = workspace.run(name)
    assert status == 0, printed
    assert workspace.outputs() == finished.outputs()


def fail_at(count, stop):
    """Call `stop` in place of the `count`-th time that a file is forced to the disk."""

    def before():
        calls = itertools.count(1)

        def fsync(descriptor):
            if next(calls) == count:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
                stop()

        os.fsync = fsync

    return before


def disk_is_full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


CASES = [(name, count) for name, writes in WRITES.items() for count in range(1, writes + 1)]


@pytest.mark.parametrize(("name", "count"), CASES)
def test_a_full_disk_leaves_the_outputs_that_were_there(workspace, finished, name, count):
    """Issue 5, item 4: at every file that the stage writes."""
    status, printed = workspace.run(name, fail_at(count, disk_is_full))
    assert status == 2
    assert re.search(
        r"^error: No space left on device: \S+; free some space", printed, re.MULTILINE
    )
    assert "Traceback" not in printed
    left = {key: value for key, value in workspace.outputs().items() if ".resume" not in key}
    assert left == finished.outputs()
    assert workspace.run(name)[0] == 0
    assert workspace.outputs() == finished.outputs()


@pytest.mark.parametrize(("name", "count"), CASES)
def test_a_kill_in_any_write_costs_nothing(workspace, finished, name, count):
    """c01 d04 d13: half a file is on the disk when the process dies; the next run mends all."""
    status, _ = workspace.run(name, fail_at(count, lambda: os._exit(137)))
    assert status == 137
    status, printed = workspace.run(name)
    assert status == 0, printed
    assert workspace.outputs() == finished.outputs()
    if name == "train" and count > 2:
        epoch = min((count - 1) // 2, 3)
        assert f"taking up the run after epoch {epoch}" in printed
        assert f"epoch {epoch}/3" not in printed


@pytest.mark.parametrize("name", WRITES)
def test_the_table_of_writes_is_complete(workspace, name):
    """Else the two tests above would miss a file."""
    status, _ = workspace.run(name, fail_at(WRITES[name] + 1, disk_is_full))
    assert status == 0


MISSING = {
    "prepare": "data/raw/train-images-idx3-ubyte",
    "train": "data/prepared/train.safetensors",
    "evaluate": "checkpoints/best.safetensors",
}


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "page", "a folder"])
def test_an_input_that_is_damaged_is_named_and_the_outputs_stay(workspace, name, damage):
    """a01 a02: as its own command; run by DVC an input cannot be another than the lock's."""
    path = workspace.path / MISSING[name]
    content = path.read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        half = content[: len(content) // 2]
        path.write_bytes({"empty": b"", "half": half, "page": b"<!DOCTYPE html>"}[damage])
    before = workspace.outputs()
    status, printed = workspace.run(name)
    assert status == 2
    (message,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert str(MISSING[name]) in message
    assert "dvc repro" in message or damage == "a folder"
    assert "Traceback" not in printed
    assert workspace.outputs() == before


@pytest.mark.parametrize("name", ["prepare", "train", "evaluate"])
def test_an_input_without_permission_is_named(workspace, name):
    """Issue 5, item 4: a file held by nobody's permission."""
    path, before = workspace.path / MISSING[name], workspace.outputs()
    path.chmod(0)
    status, printed = workspace.run(name, lambda: os.getuid() or os.setuid(65534))
    path.chmod(0o644)  # root alone can read it without
    assert status == 2
    assert f"error: Permission denied: {MISSING[name]}; no file is half-written\n" in printed
    assert workspace.outputs() == before


@pytest.mark.parametrize("name", ["prepare", "train", "evaluate"])
def test_a_folder_without_permission_is_named(workspace, finished, name):
    for folder in [workspace.path, *(p for p in workspace.path.rglob("*") if p.is_dir())]:
        folder.chmod(0o555)
    status, printed = workspace.run(name, lambda: os.getuid() or os.setuid(65534))
    assert status == 2
    assert "error: Permission denied: " in printed
    assert workspace.outputs() == finished.outputs()
