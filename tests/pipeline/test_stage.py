"""What surrounds every stage: exit codes, and one message."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small import PROJECT, copy_project, in_child, run_stage

from fashion_mnist.pipeline import stage
from fashion_mnist.pipeline.errors import UserError


def raising(error):
    def main():
        raise error

    return main


def test_success_is_0(tmp_path):
    assert in_child(tmp_path, lambda: print("done")) == (0, "done\n")


def test_a_users_mistake_is_2_and_one_message(tmp_path):
    """Issue 5, item 10."""
    assert in_child(tmp_path, raising(UserError("the key is 3"))) == (2, "error: the key is 3\n")


@pytest.mark.parametrize(
    "code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT]
)
def test_what_the_system_refuses_is_2_and_names_the_place(tmp_path, code):
    error = OSError(code, os.strerror(code), "data/raw")
    status, printed = in_child(tmp_path, raising(error))
    assert status == 2
    assert printed.startswith(f"error: {os.strerror(code)}: data/raw; ")
    assert printed.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_below_the_output_is_told():
    """As in `fashion-mnist show > file`: an error without a name is that of the output."""
    code = "from fashion_mnist.pipeline import stage\nstage.run(lambda: print('epoch 1'))\n"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": "src"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: No space left on device: standard output; ")
    assert len(done.stderr.splitlines()) == 1


class Notebook(io.StringIO):
    """A stream that is none of Python's own, as those of a notebook or a test runner."""


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("stream", [Notebook(), None])  # None: Windows without a console
def test_any_stream_will_do(monkeypatch, name, stream):
    monkeypatch.setattr(stage.signal, "signal", lambda *_: None)  # the tests keep their handlers
    monkeypatch.setattr(sys, name, stream)
    reached = []
    stage.run(lambda: reached.append(True))
    assert reached


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError(errno.EIO, "x"), KeyError("x")], ids=repr
)
def test_a_defect_is_1_with_its_traceback(tmp_path, error):
    status, printed = in_child(tmp_path, raising(error))
    assert status == 1
    assert "Traceback" in printed


def test_an_interruption_is_130_without_a_traceback(tmp_path):
    """c09"""
    assert in_child(tmp_path, raising(KeyboardInterrupt())) == (130, "interrupted\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_stage_and_cleans_up(tmp_path, number, status):
    """c09"""

    def main():
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            print("cleaned up")

    def handlers():  # pytest's own process may have been started with SIGINT ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)

    result = in_child(tmp_path, main, handlers)
    assert result[0] == status
    assert "cleaned up" in result[1]
    assert "Traceback" not in result[1]


def test_lines_appear_as_they_are_printed(tmp_path):
    """c25: a process that is killed at once has shown what it printed before."""
    status, printed = in_child(tmp_path, lambda: (print("epoch 1"), os._exit(9)))
    assert (status, printed) == (9, "epoch 1\n")


def test_ctrl_c_while_torch_is_imported_is_no_traceback():
    """The handler is there from the import of the package on, before the seconds of torch's."""
    interrupted = (
        "import os, signal, sys\nsys.argv[0] = '-m'\nimport stages\n"
        "os.kill(os.getpid(), signal.SIGINT)\nprint('lives on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", interrupted],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_any_console_takes_the_output():
    """Windows redirects to a code page that has no arrow."""
    arrow = "from fashion_mnist.pipeline import stage\nstage.run(lambda: print('0.86 → 0.89'))\n"
    done = subprocess.run(
        [sys.executable, "-c", arrow],
        env={**os.environ, "PYTHONPATH": "src", "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "0.86 → 0.89".encode())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("  lr: 0.001", "  lr: fast"), "train.lr is the text 'fast': give a number"),
        (("  epochs: 5", "  epochs: 5\n  epoch: 20"), "unknown key train.epoch"),
        (("  lr: 0.001", "  lr: 0.1\n  lr: 0.2"), 'found duplicate key "lr"'),
        (("  seed: 0", "\tseed: 0"), "a tab is used for indentation"),
        (("    flip: true", "    flip: yes"), "train.augment.flip is the text 'yes': give true or"),
    ],
    ids=["type", "unknown", "twice", "tab", "word"],
)
def test_a_mistake_in_params_yaml_ends_the_check(tmp_path, change, words):
    """b02 b04 b05 b12 b18 b19: as the command that DVC runs; nothing is written."""
    root = copy_project(tmp_path / "a checkout")
    text = (root / "params.yaml").read_text()
    assert change[0] in text
    (root / "params.yaml").write_text(text.replace(*change, 1))
    result = run_stage(root, "check")
    assert result.returncode == 2
    assert result.stderr.startswith("error: params.yaml")
    mistake, way_back = result.stderr.splitlines()
    assert words in mistake
    assert way_back == "params.yaml keeps it: mend it there, or `git restore params.yaml`"
    assert not (root / "data").exists()


@pytest.mark.parametrize("name", ["check", "fetch", "prepare", "train", "evaluate"])
def test_an_empty_params_yaml_is_told_by_every_stage(tmp_path, name):
    """b11: started from another folder, too (c20)."""
    root = copy_project(tmp_path / "checkout")
    (root / "params.yaml").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(root)}
    result = run_stage(root, name, cwd=tmp_path, env=environment)
    assert result.returncode == 2
    assert result.stderr.startswith(
        "error: params.yaml: the file is empty, every section is missing\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["checkout"]


def test_the_check_of_the_projects_own_file_succeeds(tmp_path):
    root = copy_project(tmp_path / "checkout")
    shutil.copy(PROJECT / "params.yaml", root)
    result = run_stage(root, "check")
    assert (result.returncode, result.stderr) == (0, "")
    assert (root / "data/params.ok").read_bytes() == b"params.yaml was found valid\n"
