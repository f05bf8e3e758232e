"""One training by several processes: who belongs to it, and what they tell each other.

gloo or the accelerator's library carries what they exchange. Rank 0 alone writes and prints.
"""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError

TIMEOUT = timedelta(minutes=5)  # for a process that lives but does not answer
LEADERS_TURN = 3.0  # seconds in which rank 0 tells of a failure that all processes meet
LOST = 3  # exit status of a process whose training has lost another one

T = TypeVar("T")


class Lost(Exception):
    """Another process of the training is gone, or has not answered within `TIMEOUT`."""


class Group:
    """The processes that train one network; by default one that is alone.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._channel: dist.ProcessGroup | None = None  # the default one, gloo
        self._samples = 0

    def place(self, device: torch.device) -> torch.device:
        """Take an accelerator of this process's own where `device` is one; the CPU is shared.

        Raises:
            UserError: the machine has fewer accelerators than processes, or one was named.
        """
        if self.size == 1 or device.type == "cpu":
            return device
        here, wanted = torch.accelerator.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
        if device.index is not None or here < wanted:
            raise UserError(
                f"{wanted} processes on this machine need as many devices, one each, and here are "
                f"{here} of {device.type}; lower compute.processes, or set compute.device to "
                f"{device.type} or cpu"
            )
        torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
        backend = dist.get_default_backend_for_device(device)
        self._channel = dist.new_group(backend=backend, timeout=TIMEOUT)
        return device

    def begin(self, samples: int) -> None:
        """Say how many samples the next batch has, in all processes together."""
        self._samples = samples

    @property
    def _cut(self) -> bool:
        """Whether the batch is cut into parts: one of fewer samples than processes is not."""
        return self._samples >= self.size > 1

    def own(self, rows: Tensor) -> Tensor:
        """Of a row for each sample of a batch, those of this process's samples."""
        return rows[self.part(len(rows))]

    def part(self, samples: int) -> slice:
        """Which of a batch's samples are this process's: equal parts, the first ones larger."""
        if samples < self.size:
            return slice(0, samples)
        size, larger = divmod(samples, self.size)
        start = self.rank * size + min(self.rank, larger)
        return slice(start, start + size + (self.rank < larger))

    def samples(self, here: int) -> int:
        """Samples of the present batch in all processes, of which `here` are in this one."""
        return self._samples if self._cut else here

    def largest(self, value: Tensor) -> Tensor:
        """The largest of all processes' values; infinite where one is infinite or NaN."""
        if self._cut:
            # Not every backend's maximum keeps NaN
            value = value.nan_to_num(nan=math.inf, posinf=math.inf)
            _talk(lambda: dist.all_reduce(value, dist.ReduceOp.MAX, self._channel))
        return value

    def total(self, value: Tensor) -> Tensor:
        """The sum of all processes' values, which replaces this one's."""
        if self._cut:
            _talk(lambda: dist.all_reduce(value, dist.ReduceOp.SUM, self._channel))
        return value

    def take_over(self, tensors: Iterable[Tensor]) -> None:
        """Replace what the tensors hold by what they hold in rank 0."""
        if self.size > 1:
            for tensor in tensors:
                _talk(partial(dist.broadcast, tensor, src=0, group=self._channel))

    def merge(self, rows: Tensor) -> Tensor:
        """The sum over all processes of tensors of which each has its own rows, all others 0."""
        if self.size > 1:
            _talk(lambda: dist.all_reduce(rows, dist.ReduceOp.SUM, self._channel))
        return rows

    def share(self, make: Callable[[], T]) -> T:
        """What `make` gives in rank 0, in every process; it is called there alone."""
        if self.size == 1:
            return make()
        shared = [make() if self.rank == 0 else None]
        _talk(lambda: dist.broadcast_object_list(shared, src=0, device=torch.device("cpu")))
        return shared[0]  # type: ignore[return-value]

    def require_same(
        self, make: Callable[[], str], mistake: str, parts: Sequence[str] = ()
    ) -> None:
        """Compare what `make` gives in each process.

        Args:
            make: gives a text; of `parts`, as many as it has, joined by hyphens.
            mistake: the message, in which the names of the parts that differ replace `{}`.
            parts: the names.

        Raises:
            UserError: `mistake`, in every process, where one has another text than rank 0.
        """
        if self.size == 1:
            return
        value, found = make(), [""] * self.size
        _talk(lambda: dist.all_gather_object(found, value))
        others = [str(rank) for rank, text in enumerate(found) if text != found[0]]
        if others:
            texts = zip(parts, *(text.split("-") for text in found), strict=False)
            differ = [name for name, *values in texts if len(set(values)) > 1]
            mistake = mistake.replace("{}", ", ".join(differ))
            raise UserError(f"{mistake} (rank {', '.join(others)} beside rank 0)")

    def write(self, contents: Mapping[Path, bytes]) -> None:
        """As `files.write`, in rank 0 alone."""
        if self.rank == 0:
            files.write(contents)


def _talk(exchange: Callable[[], object]) -> None:
    """Exchange something; gloo tells with a plain RuntimeError that a connection has ended."""
    try:
        exchange()
    except RuntimeError as error:
        raise Lost from error


@contextmanager
def join() -> Iterator[Group]:
    """The group that the launcher has started this process for; a group of one without it.

    Whatever ends the block in an exception is told once on each machine that meets it: by its first
    process where that has met it too, else by the first that did.
    """
    if not dist.is_torchelastic_launched():
        yield Group()
        return
    spoken = sys.stderr
    if int(os.environ["RANK"]) > 0:
        _fall_silent()
    store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    try:
        yield Group(rank, size)
    except BaseException as error:
        _fall_silent()
        if isinstance(error, Lost):
            sys.exit(LOST)
        if isinstance(error, Exception) and _is_to_tell(store):
            sys.stderr = spoken
        raise
    dist.destroy_process_group()


def _fall_silent() -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  until the process ends


def _is_to_tell(store: Store) -> bool:
    """Whether it falls to this process to tell of a failure: on each machine one tells."""
    machine, leads = os.environ["GROUP_RANK"], os.environ["LOCAL_RANK"] == "0"
    told, failures = f"told on {machine}", f"failures on {machine}"
    deadline = time.monotonic() + LEADERS_TURN
    try:
        while not leads and time.monotonic() < deadline:
            if store.check([told]):
                return False
            time.sleep(0.05)
        first: bool = store.add(failures, 1) == 1
        if leads:
            # Once a process has ended, the launcher asks the others to
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            store.set(told, "")
    except RuntimeError:  # the store is gone, and with it what could be agreed on
        return leads
    return first
