"""The DVC that started a stage: its repository, and an end when it is gone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from forkserver import without

from fashion_mnist.pipeline.parent import LAUNCHER, repository

STAGE = """
import os, sys
from fashion_mnist.pipeline import parent, stage
def main():
    print(os.getpid())
    sys.stdin.read()  # until the test is over
parent.end_with_dvc()
stage.run(main)
"""
STARTER = """
import subprocess, sys
subprocess.run({command}, stdin=0)
"""


def start(command, folder, **environment):
    """A process that starts `command` in `folder` and waits for it, with pipes to both."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTER.format(command=command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=without({**os.environ, "PYTHONPATH": str(Path("src").resolve()), **environment}),
    )


@pytest.mark.parametrize("shell", [None, "sh", "elvish"])
def test_a_stage_whose_dvc_is_killed_ends_itself(tmp_path, shell):
    """The next run must not find it at work; SIGKILL gives DVC no chance."""
    (tmp_path / "work.py").write_text(STAGE)
    command = ["python", "work.py"]
    if shell:  # DVC starts any $SHELL; a second command keeps it from replacing itself by the first
        shutil.copy(shutil.which("sh"), tmp_path / shell)
        command = [str(tmp_path / shell), "-c", "python work.py; true"]
    dvc = start(command, tmp_path, DVC_STAGE="train")
    with dvc.stdin, dvc.stdout:
        worker = psutil.Process(int(dvc.stdout.readline()))
        assert (worker.parent().pid == dvc.pid) == (shell is None)
        dvc.kill()
        dvc.wait()
        psutil.wait_procs([worker], timeout=20)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_other_users_processes_may_be_hidden(tmp_path):
    """/proc with hidepid=1: only the stage's own ancestors up to DVC are looked at."""
    (tmp_path / "work.py").write_text(
        "import psutil\n"
        "near = {psutil.Process().pid, psutil.Process().ppid()}\n"
        "near.add(psutil.Process(psutil.Process().ppid()).ppid())\n"
        "whole = psutil.Process.__init__\n"
        "def hidden(self, pid=None):\n"
        "    if pid is not None and pid not in near:\n"
        "        raise psutil.AccessDenied(pid)\n"
        "    whole(self, pid)\n"
        "psutil.Process.__init__ = hidden\n" + STAGE
    )
    dvc = start(["sh", "-c", "python work.py; true"], tmp_path, DVC_STAGE="train")
    with dvc.stdin, dvc.stdout:
        worker = psutil.Process(int(dvc.stdout.readline()))
        assert worker.is_running()
        dvc.kill()
        dvc.wait()
        psutil.wait_procs([worker], timeout=20)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_an_orphan_that_was_only_starting_ends_itself(tmp_path):
    """DVC was killed before the watch began: what has adopted the stage is no DVC."""
    work = tmp_path / "work.py"
    work.write_text(
        "from fashion_mnist.pipeline.parent import end_with_dvc\nend_with_dvc()\nprint('lives')\n"
    )
    orphan = (
        "import os, sys\n"
        "while os.getppid() == int(sys.argv[1]): pass\n"
        f"os.execv(sys.executable, [sys.executable, {str(work)!r}])\n"
    )
    starter = (
        "import os, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid())])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", starter, orphan],
        env={**os.environ, "DVC_STAGE": "train", "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    assert (done.stdout, done.stderr) == ("", "")  # nor has it failed before it could print


@pytest.mark.parametrize("named", [True, False])
def test_a_process_of_a_training_ends_with_its_launcher(tmp_path, named):
    """Also where no DVC has started that, and it is torchrun, which names itself nowhere."""
    command = f"import os; os.environ['{LAUNCHER}'] = str(os.getppid())\n" if named else ""
    (tmp_path / "work.py").write_text(command + STAGE)
    launcher = start(["python", "work.py"], tmp_path, TORCHELASTIC_RUN_ID="one")
    with launcher.stdin, launcher.stdout:
        worker = psutil.Process(int(launcher.stdout.readline()))
        launcher.kill()
        launcher.wait()
        psutil.wait_procs([worker], timeout=20)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_a_process_whose_launcher_is_gone_already_does_not_begin(tmp_path):
    (tmp_path / "work.py").write_text(STAGE)
    environment = {**os.environ, "PYTHONPATH": "src", "TORCHELASTIC_RUN_ID": "one", LAUNCHER: "1"}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "work.py")], env=environment, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 1


def test_a_stage_started_by_hand_outlives_its_shell(tmp_path):
    (tmp_path / "work.py").write_text(STAGE)
    shell = start(["python", "work.py"], tmp_path)
    with shell.stdin, shell.stdout:
        worker = psutil.Process(int(shell.stdout.readline()))
        shell.kill()
        shell.wait()
        assert worker.is_running()
    worker.wait(timeout=20)  # its input has ended


def test_copies_of_the_repository_belong_to_it(monkeypatch, tmp_path):
    """A killed experiment is taken up by the next one, which runs in another copy."""
    copy = tmp_path / ".dvc/tmp/exps/standalone/one"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert repository() == tmp_path
    monkeypatch.delenv("DVC_ROOT")
    assert repository().resolve() == copy


def test_the_root_of_an_outer_project_is_not_ours(monkeypatch, tmp_path):
    """A stage of another project runs `cd inner && dvc repro`, and DVC_ROOT is inherited."""
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert repository().resolve() == inner
