"""Git and DVC as commands, each with a limit of time."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from fashion_mnist.pipeline.errors import UserError

GIT, DVC = ("git",), (sys.executable, "-m", "dvc")
OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""Set for a hook; with them Git takes the folder in which it runs for the repository's root."""
SECONDS = {GIT: 120, DVC: 300}
"""Each takes seconds; in a partial clone Git also fetches what a command needs."""


def run(program: tuple[str, ...], *arguments: str, folder: Path, given: bytes = b"") -> bytes:
    """What a command prints on stdout.

    Args:
        program: `GIT` or `DVC`.
        arguments: of the command.
        folder: where it runs.
        given: what it reads from stdin.

    Raises:
        UserError: it is not installed, failed (with the reason that it gave), or did not end in
            time.
    """
    if shutil.which(program[0]) is None:
        raise UserError(f"{program[0]} is not installed")
    name = f"`{program[-1]} {' '.join(arguments)}`"
    with subprocess.Popen(
        [*program, *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in OF_HOOKS}
        | {"PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            output, errors = process.communicate(given, timeout=SECONDS[program])
        except subprocess.TimeoutExpired:
            raise UserError(f"{name} did not end within {SECONDS[program]} s") from None
        finally:
            if process.returncode is None:
                _kill(process.pid)
    if process.returncode != 0:
        reason = errors.decode(errors="replace").strip() or f"status {process.returncode}"
        raise UserError(f"{name} failed: {reason}")
    return output


def _kill(pid: int) -> None:
    """Kill a process and what it has started: a child that lives on would keep the pipes open."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in [*process.children(recursive=True), process]:
            with suppress(psutil.Error):
                each.kill()
