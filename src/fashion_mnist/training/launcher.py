"""Starting the processes of one training, by torch's own launcher."""

import logging
import os
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
        UserError: the other machines do not answer.
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
    try:
        with TemporaryDirectory() as logs:  # which the launcher would leave, empty as it is
            options += [f"--log-dir={logs}", "--shutdown-timeout=10"]
            run.run(run.parse_args([*options, "-m", module]))
    except ChildFailedError as error:
        sys.exit(_status({rank: f.exitcode for rank, f in error.failures.items()}))
    except SignalException as error:
        if error.sigval == error.sigval.SIGINT:
            raise KeyboardInterrupt from None
        sys.exit(128 + error.sigval)
    except (RendezvousError, dist.DistError, TimeoutError) as error:
        raise UserError(f"the other machines do not answer: {error}") from None


def _status(codes: Mapping[int, int]) -> int:
    """The exit status of a training whose ranks ended with `codes`; tells what no rank could."""
    if 2 in codes.values():
        return 2
    if killed := {rank: -code for rank, code in codes.items() if code < 0}:
        ended = ", ".join(f"rank {rank} by signal {number}" for rank, number in killed.items())
        print(f"error: ended from outside: {ended}; run again to go on", file=sys.stderr)
    elif set(codes.values()) == {LOST}:
        print("error: another machine's processes are gone; run again to go on", file=sys.stderr)
    return 1
