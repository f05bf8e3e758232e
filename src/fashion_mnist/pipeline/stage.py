"""What every stage and command has around its work: signals, messages and exit codes."""

import errno
import io
import signal
import sys
from collections.abc import Callable

from fashion_mnist.pipeline.errors import UserError

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
        # So that `dvc queue logs` shows lines as they come, and that every console can take them,
        # also a file's name in another encoding.
        if isinstance(stream, io.TextIOWrapper):  # a notebook's is none, and takes every character
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
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
        where = error.filename or "standard output"  # all else that is written has a name
        advice = MENDABLE[error.errno]
        print(f"error: {error.strerror}: {where}; {advice}no file is half-written", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
