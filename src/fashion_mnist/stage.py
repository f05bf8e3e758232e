"""What every stage has around its work: exit codes, and an end when DVC is gone."""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import psutil

from fashion_mnist.errors import UserError

SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh", "csh", "tcsh", "cmd.exe", "powershell.exe"}
ORPHAN_POLL_SECONDS = 0.2

MENDABLE = {
    errno.EACCES: "",
    errno.EPERM: "",
    errno.EROFS: "",
    errno.ENOSPC: "free some space and run again; ",
    errno.EDQUOT: "free some space and run again; ",
    errno.EFBIG: "a file may not grow so large here (ulimit -f); ",
    errno.EISDIR: "move away the folder that stands in the file's place; ",
    errno.EEXIST: "move away the file that stands in the folder's place; ",
    errno.ENOTDIR: "move away the file that stands in the folder's place; ",
}
"""What the user can mend, by error number, with advice."""


def run(main: Callable[[], None]) -> None:
    """Run `main` and end the process: 0 for success, 2 for a user's mistake, 130 for Ctrl-C.

    A mistake is one message on stderr without a traceback. Anything else that is raised is a
    defect and ends with its traceback and status 1. SIGTERM ends the run as Ctrl-C does, so that
    what is half done is cleaned up.
    """
    for stream in (sys.stdout, sys.stderr):
        # So that `dvc queue logs` shows lines as they come, and that every console can take them.
        stream.reconfigure(encoding="utf-8", line_buffering=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except UserError as mistake:
        print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        where = f": {error.filename}" if error.filename else ""
        advice = MENDABLE[error.errno]
        print(f"error: {error.strerror}{where}; {advice}nothing was written", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def end_with_dvc() -> None:
    """End this process at once when the DVC that started it is gone; without DVC, do nothing.

    Nobody would record what the stage still writes, and the next run would work beside it. A thread
    watches DVC and the shell between the two, from before the seconds that importing torch takes.
    """
    if "DVC_STAGE" not in os.environ:
        return
    parent, chain = os.getppid(), _starter()

    def watch() -> None:
        while all(_is_alive(process) for process in chain) and os.getppid() == parent:
            time.sleep(ORPHAN_POLL_SECONDS)
        os._exit(1)

    if not chain or _is_init(chain[-1]):
        os._exit(1)
    threading.Thread(target=watch, daemon=True, name="watch DVC").start()


def _starter() -> list[psutil.Process]:
    """The process that started this one, preceded by any shell between the two."""
    chain = []
    for process in psutil.Process().parents():
        chain.append(process)
        if process.name() not in SHELLS:
            break
    return chain


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_init(process: psutil.Process) -> bool:
    """Whether it is a process that adopts orphans, and not DVC as the first one of a container."""
    command = " ".join(process.cmdline())
    first = process.pid == 1 and "dvc" not in command and "python" not in command
    return first or process.name() == "systemd"
