"""What DVC runs, one short file a stage, as `python -m stages.<name>`.

Importing this package puts this checkout's src/ first on the path and makes its root the working
folder: an experiment in a copy of the repository runs the code it was queued with, never the
installed package of another checkout, and writes below its own root wherever it was started. From
here on it ends when the DVC that started it does, and no variable changes what PyTorch computes.
"""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = (
    *("numpy", "psutil", "pydantic", "ruamel.yaml", "safetensors"),
    *("torch", "tqdm", "matplotlib", "PIL"),
)
"""What a stage imports, and what another Python than the environment's is likely to lack."""


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of ruamel.yaml, where there is no ruamel
        return False


if missing := [package for package in NEEDED if not _is_there(package)]:
    # DVC says `python`, and the shell finds the first one on the path.
    print(
        f"error: {sys.executable} lacks {', '.join(missing)}; activate the environment first "
        "(. .venv/bin/activate), which `make install` makes",
        file=sys.stderr,
    )
    sys.exit(2)

sys.path.insert(0, str(ROOT / "src"))
os.chdir(ROOT)

if sys.argv[0] == "-m":  # as it is while `python -m stages.<name>` imports this package
    # Ctrl-C while torch is imported is no defect with a traceback; stage.run takes over.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

from fashion_mnist.pipeline import environment, parent  # noqa: E402, once the path is right

parent.end_with_dvc()
environment.prepare()
