"""Starting the processes of one training, by torch's own launcher."""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from tempfile import TemporaryDirectory

import torch.distributed as dist

from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parent import LAUNCHER
from fashion_mnist.training.ranks import LOST


def launches(processes: int) -> bool:
    """Whether this process is to start the training's instead of being one of them.

    `PET_NNODES` and `PET_NPROC_PER_NODE` are torchrun's own variables: of several machines, and
    for another number of processes than params.yaml has.
    """
    asked = {"PET_NNODES", "PET_NPROC_PER_NODE"} & os.environ.keys()
    return not dist.is_torchelastic_launched() and (processes > 1 or bool(asked))


def launch(module: str, processes: int) -> None:
    """Run `python -m module` in as many processes, by torchrun, until all have ended.

    Raises:
        UserError: torchrun's variables make no sense, this machine's loopback interface is down, or
            the machines do not find each other.
        SystemExit: a process has failed. It has told why, unless a signal ended it.
        KeyboardInterrupt: by Ctrl-C, when all have ended.
    """
    from torch.distributed import run  # takes a second, which one process need not wait
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError

    logging.disable()  # the launcher's report of a failure; there is one message without it
    os.environ[LAUNCHER] = str(os.getpid())
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # has no say, but the launcher warns without
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    options = [f"--nproc-per-node={os.environ.get('PET_NPROC_PER_NODE', processes)}"]
    if os.environ.get("PET_NNODES", "1") == "1":
        options += ["--standalone", "--local-addr=localhost"]
        _check_loopback()
    try:
        with TemporaryDirectory() as logs:  # which the launcher would leave, empty as it is
            options += [f"--log-dir={logs}", "--shutdown-timeout=10"]
            arguments = run.parse_args([*options, "-m", module])
            _check(arguments)
            run.run(arguments)
    except ChildFailedError as error:
        sys.exit(_status({rank: f.exitcode for rank, f in error.failures.items()}))
    except SignalException as error:
        if error.sigval == signal.SIGINT:
            raise KeyboardInterrupt from None
        sys.exit(128 + error.sigval)
    except (RendezvousError, dist.DistError, TimeoutError) as error:
        raise UserError(f"the processes could not meet: {error}") from None


def _check_loopback() -> None:
    """Without it torch's processes wait for each other for minutes."""
    try:
        with socket.create_server(("localhost", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        raise UserError(
            f"several processes need this machine's loopback interface: {error.strerror or error}; "
            "`ip link set lo up`, or compute.processes: 1"
        ) from None


def _check(arguments: argparse.Namespace) -> None:
    from torch.distributed import run

    try:
        run.config_from_args(arguments)
    except ValueError as error:
        raise UserError(f"PET_NNODES, PET_NPROC_PER_NODE and their like: {error}") from None


def _status(codes: Mapping[int, int]) -> int:
    """The exit status of a training whose ranks ended with `codes`; tells what no rank could."""
    for told in (2, 1):  # by the rank that ended with it
        if told in codes.values():
            return told
    if killed := {rank: -code for rank, code in codes.items() if code < 0}:
        ended = ", ".join(f"rank {rank} (signal {number})" for rank, number in killed.items())
        print(
            f"error: killed, or no longer answering: {ended}; run again to go on", file=sys.stderr
        )
    elif LOST in codes.values():
        print("error: another machine's processes are gone; run again to go on", file=sys.stderr)
    return 1
