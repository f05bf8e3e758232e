"""Commands that start in a fraction of a second, by a server that has imported what takes long.

A folder at the head of PATH has a `python` and a `dvc` that hand their arguments, environment,
folder and open files to the server, which forks, and that end as the fork does. The server has
imported torch, DVC and other packages, but nothing of the project: a fork imports that from its own
checkout. What is to be killed has to be a process of its own: see `without`.
"""

import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

HEAVY = (
    *("torch", "torch.optim.swa_utils", "torch.distributed", "numpy", "pydantic.main"),
    *("ruamel.yaml", "safetensors.torch", "psutil", "tqdm", "PIL.ImageDraw"),
    *("PIL.JpegImagePlugin", "matplotlib.figure", "matplotlib.backends.backend_agg", "pandas"),
    *("scipy.stats", "networkx", "dulwich.porcelain", "hydra._internal.config_loader_impl"),
    *("scmrepo.git.backend.pygit2.filter", "dvc.cli.parser", "dvc.repo.index", "dvc.repo.plots"),
    *("dvc.repo.reproduce", "dvc.rwlock", "dvc.stage.run", "dvc.stage.cache"),
    *("dvc.utils.strictyaml", "dvc.repo.experiments.queue.celery"),
)
COMMAND = """#!/bin/sh
exec "{python}" -IS "{folder}/client.py" {name} "$@"
"""
CLIENT = """
import json, os, socket, struct, sys
name, *words = sys.argv[1:]
if name == "python" and words[:1] not in (["-m"], ["-c"]):
    os.execv(sys.executable, [sys.executable, *words])
with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.path.join(os.path.dirname(__file__), "socket"))
    content = json.dumps([name, words, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [struct.pack(">I", len(content))], [0, 1, 2])
    server.sendall(content)
    status = server.recv(1)
os._exit(status[0] if status else 1)
"""


@contextmanager
def running() -> Iterator[Path]:
    """A server, and the folder with its commands."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    # Not below pytest's folder, whose name may be too long for a socket
    with TemporaryDirectory() as made:
        folder, commands = Path(made), Path(made, "bin")
        commands.mkdir()
        (folder / "client.py").write_text(CLIENT)
        for name in ("python", "dvc"):
            command = COMMAND.format(python=sys.executable, folder=folder, name=name)
            (commands / name).write_text(command)
            (commands / name).chmod(0o755)
        with subprocess.Popen([sys.executable, __file__, folder / "socket"], **pipes) as server:
            assert server.stdout.readline() == b"listening\n"
            yield commands
            server.kill()


def without(environment: dict[str, str]) -> dict[str, str]:
    """The environment in which each command is a process of its own, as for users."""
    first, _, rest = environment["PATH"].partition(os.pathsep)
    quick = (Path(first).parent / "socket").exists()
    return {**environment, "PATH": rest} if quick else environment


def serve(address: str) -> None:
    """Fork for each request, and tell its status, until standard input is closed."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("listening", flush=True)  # the first to ask waits for the imports, and nobody else
    for name in HEAVY:
        import_module(name)
    forks: dict[int, socket.socket] = {}
    ended, signalled = socket.socketpair()
    signalled.setblocking(False)
    signal.set_wakeup_fd(signalled.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([listener, ended, sys.stdin], [], [])
        if ended in ready:
            ended.recv(1 << 10)
            with suppress(ChildProcessError):  # there is none any more
                while (fork := os.waitpid(-1, os.WNOHANG))[0]:
                    tell(forks.pop(fork[0]), os.waitstatus_to_exitcode(fork[1]))
        if listener in ready:
            client, _ = listener.accept()
            if (number := os.fork()) == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                run(client)
            forks[number] = client
        if sys.stdin in ready:
            return


def tell(client: socket.socket, status: int) -> None:
    """A command's status, as a shell would have it."""
    with client, suppress(OSError):  # it has been killed
        client.send(bytes([status if status >= 0 else 128 - status]))


def run(client: socket.socket) -> None:
    """Be the client's command."""
    status = 1
    try:
        size, files, _, _ = socket.recv_fds(client, 4, 3)
        content = b""
        while len(content) < struct.unpack(">I", size)[0]:
            content += client.recv(1 << 16)
        name, words, folder, environment = json.loads(content)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        status = called(name, words)
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def called(name: str, words: list[str]) -> int:
    """The status of `python` or `dvc` with these words, run here."""
    try:
        if name == "dvc":
            from dvc.cli import main

            sys.argv = [str(Path(sys.executable).with_name("dvc")), *words]
            return main(words)
        sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
        sys.orig_argv = ["python", *words]
        sys.path[0] = ""
        sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        sys.argv = [words[0], *words[2:]]
        if words[0] == "-m":
            runpy._run_module_as_main(words[1])  # as the interpreter does
        else:
            exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
        return 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1


if __name__ == "__main__":
    serve(sys.argv[1])
