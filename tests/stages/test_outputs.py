"""Each stage's outputs: the same bytes every time, whole or as they were before."""

import errno
import itertools
import os
import re

import pytest

STAGES = [
    "check",
    "prepare",
    *(pytest.param(n, marks=pytest.mark.slow) for n in ("train", "evaluate")),
]
"""Those that write; the two that take longest only in `make test-all`."""


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


def stopped(workspace, name, stop):
    """Runs that `stop` ends at the first file that they write, then at the second, and so on."""
    for count in itertools.count(1):
        status, printed = workspace.run(name, fail_at(count, stop))
        if status == 0:  # there is no further file
            assert count > 1
            return
        yield count, status, printed


@pytest.mark.parametrize("name", STAGES)
def test_a_full_disk_leaves_the_outputs_that_were_there(workspace, finished, name):
    """Issue 5, item 4: at every file that the stage writes."""
    for _, status, printed in stopped(workspace, name, disk_is_full):
        assert status == 2
        assert re.search(
            r"^error: No space left on device: \S+; free some space", printed, re.MULTILINE
        )
        assert "Traceback" not in printed
        left = {key: value for key, value in workspace.outputs().items() if ".resume" not in key}
        assert left == finished.outputs()
        assert workspace.run(name)[0] == 0
        assert workspace.outputs() == finished.outputs()


@pytest.mark.parametrize("name", STAGES)
def test_a_kill_in_any_write_costs_nothing(workspace, finished, name):
    """c01 d04 d13: half a file is on the disk when the process dies; the next run mends all."""
    for count, status, _ in stopped(workspace, name, lambda: os._exit(137)):
        assert status == 137
        status, printed = workspace.run(name)
        assert status == 0, printed
        assert workspace.outputs() == finished.outputs()
        if name == "train" and count > 2:  # a state and a table for each of three epochs, then all
            epoch = min((count - 1) // 2, 3)
            assert f"taking up the run after epoch {epoch}" in printed
            assert f"epoch {epoch}/3" not in printed


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
