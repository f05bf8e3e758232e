"""The arithmetic `avx2`: the same kernels on every x86-64 processor.

Three libraries below PyTorch choose kernels by the processor, and thereby the order of sums: ATen,
oneDNN and MKL. Held to AVX2, and MKL to its code path for any maker's processor, they give the same
bytes on each of them, at a fixed number of threads and processes. Portable arithmetic gives them
everywhere, at two to four times the price.
"""

import os
import platform

import torch

VARIABLES = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}
"""Read by the libraries before their first operation, so they can still be set after the import."""


def use(device: torch.device) -> None:
    """Hold the libraries to AVX2, before the process's first operation.

    Args:
        device: that is computed on. Where it cannot be had, the run goes on natively, and one line
            says so.

    Raises:
        RuntimeError: an operation came first, and ATen has chosen already; that does not show on a
            processor whose best is AVX2.
    """
    if reason := hindrance(device):
        print(f"arithmetic is native, so other machines will give other bytes: {reason}")
        return
    for name, value in VARIABLES.items():
        if (found := os.environ.get(name, value)) != value:
            print(f"{name}={found} is overruled by the arithmetic avx2, which needs {value}")
        os.environ[name] = value
    if torch.backends.cpu.get_cpu_capability() != "AVX2":
        raise RuntimeError("the arithmetic avx2 must be chosen before the first operation")


def hindrance(device: torch.device) -> str | None:
    """Why it cannot be had on this machine; None where it can."""
    if device.type != "cpu":
        return f"the arithmetic avx2 is the CPU's, and this runs on {device}"
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"the arithmetic avx2 needs x86-64, and this processor is {platform.machine()}"
    if not torch.cpu._is_avx2_supported():
        return "the arithmetic avx2 needs AVX2, which this processor lacks"
    return None
