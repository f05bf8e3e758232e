"""The device that is computed on, the thread count, and determinism."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fashion_mnist.model import kernels
from fashion_mnist.model.parameters import Compute
from fashion_mnist.pipeline.errors import UserError


def use(compute: Compute, arithmetic: str) -> torch.device:
    """Resolve the device's name, fix threads and kernels, and make every operation repeatable.

    Args:
        compute: the parameters `compute`; OMP_NUM_THREADS has no say.
        arithmetic: "portable", "avx2" or "native". Where bytes depend on `compute`, one line says
            so.

    Raises:
        UserError: the device is not there, and the message lists those that are; or it cannot
            compute in this arithmetic.
    """
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS reads it when it starts
    torch.set_num_threads(compute.threads or cores())
    # As use_deterministic_algorithms(True), which takes 2 s to import the compiler as well.
    torch.set_deterministic_debug_mode("error")
    # Filling fresh memory costs time and hides nothing here.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = resolve(compute.device)
    if arithmetic == "portable" and device.type == "mps":  # Apple's GPU has no float64
        if compute.device != "auto":
            raise UserError(
                f"portable arithmetic needs float64, which {device} has not: set compute.device to "
                "cpu, or the arithmetic to native"
            )
        device = torch.device("cpu")
    if arithmetic == "avx2":
        kernels.use(device)
    if arithmetic != "portable":
        print(f"arithmetic is {arithmetic}: threads, processes and device change the last digits")
    return device


def resolve(name: str) -> torch.device:
    """The device of a name: "auto" is an accelerator where there is one, else the CPU.

    Raises:
        UserError: the device is not there; the message lists those that are.
    """
    present = available()
    if name == "auto":
        return torch.device(present[-1].partition(":")[0])
    kind, _, index = name.partition(":")
    if name not in present and not (not index and f"{kind}:0" in present):
        raise UserError(f"the device {name} is not here; available: auto, {', '.join(present)}")
    return torch.device(name)


def available() -> list[str]:
    """The names of the devices of this machine: "cpu", then each accelerator with its index."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return ["cpu"]
    return ["cpu"] + [f"{accelerator.type}:{i}" for i in range(torch.accelerator.device_count())]


@contextmanager
def within_memory(key: str) -> Iterator[None]:
    """Turn a lack of memory in the block into advice to lower the parameter `key`.

    Raises:
        UserError: the device or the CPU has run out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # Torch has a type of its own for accelerators, and a RuntimeError for the CPU.
        memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not memory and "can't allocate memory" not in str(error):
            raise
        raise UserError(f"out of memory; lower {key}") from None


def cores() -> int:
    """How many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
