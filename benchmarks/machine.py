"""What a benchmark ran on."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name where Linux tells it."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return f"{len(names)} cores of {names[0]}" if names else platform.processor()
