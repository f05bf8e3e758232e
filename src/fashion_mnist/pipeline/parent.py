"""What started this process, DVC as a rule: whose repository it is, and an end when it is gone."""

import os
import sys
import threading
import time
from pathlib import Path

import psutil

POLL_SECONDS = 0.2
LAUNCHER = "FASHION_MNIST_LAUNCHER"
"""The environment variable with the number of the process that launches a training's processes."""


def repository() -> Path:
    """The repository that a run belongs to; relative to the working folder, a checkout's root.

    DVC runs temporary and queued experiments in a copy below its own folder and names the
    repository in DVC_ROOT. A DVC_ROOT that this checkout is no such copy of was inherited from
    another project, whose stage has started DVC here.
    """
    named = os.environ.get("DVC_ROOT")
    if named and Path.cwd().is_relative_to(Path(named, ".dvc").resolve()):
        return Path(named)
    return Path()


def end_with_dvc() -> None:
    """End this process at once when the DVC that started it is gone; without DVC, do nothing.

    One of several processes of a training (`TORCHELASTIC_RUN_ID`) ends when their launcher is gone.

    Nobody would record what the stage still writes, and the next run would work beside it. A thread
    watches from before the seconds that importing torch takes. A process whose parent ends is
    given another one, so it is enough to see that our parent stays, and its parent too where it is
    the shell that DVC gave the stage's command to.
    """
    launched = "TORCHELASTIC_RUN_ID" in os.environ
    if not launched and "DVC_STAGE" not in os.environ:
        return
    parent = os.getppid()
    shell = None if launched else _shell_between(parent)
    starter = parent if shell is None else _parent_of(shell)
    if launched:
        orphan = os.environ.get(LAUNCHER, str(parent)) != str(parent)
    else:
        orphan = starter is None or _adopted_by(starter)

    def watch() -> None:
        while os.getppid() == parent and (shell is None or _parent_of(shell) == starter):
            if os.name == "nt" and not psutil.pid_exists(starter or 0):
                break  # there the number of a parent that has ended stays
            time.sleep(POLL_SECONDS)
        os._exit(1)

    if orphan:
        os._exit(1)
    threading.Thread(target=watch, daemon=True, name="watch DVC").start()


def _shell_between(parent: int) -> psutil.Process | None:
    """The parent, if it is a shell that runs this process's command; None if it is DVC itself."""
    command = " ".join(sys.orig_argv)
    try:
        process = psutil.Process(parent)
        between = any(command in argument for argument in process.cmdline())
    except psutil.Error:  # gone, or another user's: no shell of ours
        return None
    return process if between else None


def _parent_of(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _adopted_by(starter: int) -> bool:
    """Whether it took this process over from a DVC that had ended before anybody watched.

    DVC keeps its stages in its own session; what adopts orphans (init, systemd) is in another.
    """
    if os.name == "nt":
        return False
    try:
        return os.getsid(starter) != os.getsid(0)
    except ProcessLookupError:
        return True
