"""What a benchmark ran on."""

import platform
from pathlib import Path

import torch


def processor(device: torch.device | None = None) -> str:
    """The processor's name where Linux tells it; before it that of the CUDA device, if any."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    found = f"{len(names)} cores of {names[0]}" if names else platform.processor()
    if device is not None and device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {found}"
    return found
