"""What a benchmark ran on."""

import platform
from pathlib import Path

import torch

NUMBERS = {"family": "cpu family", "model": "model"}


def processor(device: torch.device | None = None) -> str:
    """The processor's name where Linux tells it; before it that of the CUDA device, if any.

    With its family and model: under a hypervisor, different processors often have one name.
    """
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = describe(text) or platform.processor() or platform.machine()
    if device is not None and device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {found}"
    return found


def describe(cpuinfo: str) -> str:
    """What Linux tells of its processors in /proc/cpuinfo; empty where it names none."""
    told: dict[str, list[str]] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        told.setdefault(key.strip(), []).append(value.strip())
    if "model name" not in told:
        return ""
    names = told["model name"]
    numbers = ", ".join(f"{key} {told[name][0]}" for key, name in NUMBERS.items() if name in told)
    return f"{len(names)} cores of {names[0]}" + (f" ({numbers})" if numbers else "")
