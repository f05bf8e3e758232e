"""Which kernels the CPU computes with: the same on every x86-64 processor, or its own best ones.

Three libraries below PyTorch choose kernels by the processor, and thereby the order of sums: ATen,
oneDNN and MKL. Held to AVX2, and MKL to its code path for any maker's processor, they give the same
bytes everywhere at a fixed number of threads (tests/golden.json).
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


def use(arithmetic: str, device: torch.device) -> None:
    """Choose the kernels, before the process's first operation.

    Args:
        arithmetic: "portable", or "native", which leaves the choice to the libraries.
        device: that is computed on. Where portable arithmetic cannot be had, the run goes on
            natively, and one line says so.

    Raises:
        RuntimeError: an operation came first, and ATen has chosen already; that does not show on a
            processor whose best is AVX2.
    """
    if arithmetic == "native":
        return
    if reason := hindrance(device):
        print(f"arithmetic is native, so other machines will give other bytes: {reason}")
        return
    for name, value in VARIABLES.items():
        if (found := os.environ.get(name, value)) != value:
            print(f"{name}={found} is overruled by portable arithmetic, which needs {value}")
        os.environ[name] = value
    if torch.backends.cpu.get_cpu_capability() != "AVX2":
        raise RuntimeError("portable arithmetic must be chosen before the first operation")


def hindrance(device: torch.device) -> str | None:
    """Why portable arithmetic cannot be had on this machine; None where it can."""
    if device.type != "cpu":
        return f"portable arithmetic is the CPU's, and this runs on {device}"
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"portable arithmetic needs x86-64, and this processor is {platform.machine()}"
    if not torch.cpu._is_avx2_supported():
        return "portable arithmetic needs AVX2, which this processor lacks"
    return None
