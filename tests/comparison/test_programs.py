"""Git and DVC as commands: no child waits without a limit, and none is left."""

import time

import psutil
import pytest

from fashion_mnist.comparison import programs
from fashion_mnist.pipeline.errors import UserError

WAITING = ("sh", "-c", "sleep 600 & echo $! > pid; wait")
"""Waits for a process that it has started, which has the same pipes."""


def test_a_command_that_does_not_end_is_killed_with_what_it_started(tmp_path, monkeypatch):
    monkeypatch.setitem(programs.SECONDS, WAITING, 2)
    with pytest.raises(UserError, match="did not end within 2 s"):
        programs.run(WAITING, folder=tmp_path)
    deadline, pid = time.monotonic() + 10, int((tmp_path / "pid").read_text())
    while not ended(pid):  # what is killed takes a moment
        assert time.monotonic() < deadline


def ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_command_that_fails_tells_its_reason(tmp_path):
    with pytest.raises(UserError, match="`git log` failed: fatal: not a git repository"):
        programs.run(programs.GIT, "log", folder=tmp_path)
