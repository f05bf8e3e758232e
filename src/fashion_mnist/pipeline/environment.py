"""What the caller may have left that would change what is computed, or end it: see `prepare`."""

import os
import sys

HARMFUL = (
    *("OMP_THREAD_LIMIT", "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS", "KMP_LIBRARY"),
    *("KMP_ALL_THREADS", "KMP_DEVICE_THREAD_LIMIT"),
    *("OMP_STACKSIZE", "GOMP_STACKSIZE", "KMP_STACKSIZE"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE"),
)
"""PyTorch divides work among as many threads as it asks OpenMP for. If it gets fewer, it waits for
ever or its gradients are wrong; a stack may be larger than the machine. The last three choose
another precision than params.yaml."""


def prepare() -> None:
    """Forget harmful variables, which is said on stderr, and open streams that are closed.

    To be called before torch is imported: libraries read the variables when they are loaded. A file
    would get the number of a closed stream, and what is printed would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115, PTH123
    if found := [name for name in HARMFUL if os.environ.pop(name, None) is not None]:
        print(
            f"{', '.join(found)}: ignored; params.yaml decides how it is computed", file=sys.stderr
        )
