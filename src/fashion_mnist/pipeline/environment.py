"""Variables of the caller's environment that would change what PyTorch computes."""

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


def forget_harmful() -> None:
    """Remove the variables that are set, and say so on stderr.

    Libraries read them once, when they are loaded: to be called before torch is imported.
    """
    if found := [name for name in HARMFUL if os.environ.pop(name, None) is not None]:
        print(
            f"{', '.join(found)}: ignored; params.yaml decides how it is computed", file=sys.stderr
        )
