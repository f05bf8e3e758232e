"""A data set of a few dozen images and a params.yaml for it, as the tests use them.

digests = write_idx(folder)
(root / "params.yaml").write_text(params_text(digests, **{"train.epochs": 2}))
"""

import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from torch.distributed import TCPStore

from fashion_mnist.data.idx import FILES
from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline import stage
from fashion_mnist.pipeline.splits import Split, normalise
from fashion_mnist.training.parameters import Train

PROJECT = Path(__file__).resolve().parent.parent
CLASSES = tuple(Parameters().prepare.classes)
NAMES = tuple(f"{label} {name}" for label, name in enumerate(CLASSES))
"""The classes as tables and plots name them."""


def images(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Learnable images, uint8, N×28×28: dim noise, and a bright patch at the class's own place."""
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 60, (len(labels), 28, 28), dtype=np.uint8)
    for image, label in zip(made, labels, strict=True):
        row, column = 4 + 10 * (label // 5), 2 + 5 * (label % 5)
        image[row : row + 8, column : column + 5] += 150
    return made


def labels(count: int, seed: int = 0) -> np.ndarray:
    """Labels, uint8, in random order, each class as often as any other, give or take one."""
    return np.random.default_rng(seed).permutation(np.arange(count, dtype=np.uint8) % 10)


def images_idx(pixels: np.ndarray) -> bytes:
    """The IDX file of uint8 N×H×W images."""
    return struct.pack(">IIII", 2051, *pixels.shape) + pixels.astype(np.uint8).tobytes()


def labels_idx(classes: np.ndarray) -> bytes:
    """The IDX file of N labels."""
    return struct.pack(">II", 2049, len(classes)) + np.asarray(classes, np.uint8).tobytes()


def content(train: int = 200, test: int = 60, seed: int = 0) -> dict[str, bytes]:
    """The content of the four files by key of `FILES`; ten images hold all classes."""
    made = {}
    for offset, (split, count) in enumerate({"train": train, "test": test}.items()):
        classes = labels(count, 2 * seed + offset)
        made[f"{split}_images"] = images_idx(images(classes, 2 * seed + offset))
        made[f"{split}_labels"] = labels_idx(classes)
    return made


def digests_of(files: dict[str, bytes]) -> dict[str, str]:
    """What `fetch.sha256` must hold for these contents to be accepted."""
    return {key: hashlib.sha256(files[key]).hexdigest() for key in FILES}


def write_idx(folder: Path, train: int = 200, test: int = 60, seed: int = 0) -> dict[str, str]:
    """Write the four uncompressed files under their official names; return their digests."""
    folder.mkdir(parents=True, exist_ok=True)
    made = content(train, test, seed)
    for key, name in FILES.items():
        (folder / name).write_bytes(made[key])
    return digests_of(made)


def train_settings(**changes: Any) -> Train:
    """The section `train` for a short run on the CPU, with changes by key.

    `augment` takes a mapping of changes; what it does not name is off.
    """
    short = {"epochs": 2, "batch_size": 16}
    off = {"rotation": 0.0, "flip": False}
    return Train(**{**short, **changes, "augment": {**off, **changes.get("augment", {})}})


def split(count: int, seed: int = 0) -> Split:
    """A prepared split of learnable images, normalised with 0.5/0.5."""
    classes = labels(count, seed)
    pixels = normalise(images(classes, seed), 0.5, 0.5)
    return Split(pixels, classes.astype(np.int64), 0.5, 0.5, CLASSES, np.arange(count))


def params_text(digests: dict[str, str] | None = None, **overrides: Any) -> str:
    """A params.yaml of the schema's defaults, with other digests and values.

    The project's own may hold any run, such as a recipe that was applied.

    Args:
        digests: of the four files; None leaves the official ones.
        overrides: by dotted key, as `**{"train.epochs": 2}`; a key that is not there is an error.
    """
    yaml = YAML()
    yaml.width = 1000
    params = Parameters().model_dump()
    params["compute"] |= {"device": "cpu", "threads": 1}  # two of a busy machine are very slow
    sha256 = {
        f"fetch.sha256.{key.replace('_', '.')}": digest for key, digest in (digests or {}).items()
    }
    for dotted, value in {**sha256, **overrides}.items():
        *parents, key = dotted.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        if key not in section:
            raise KeyError(dotted)
        section[key] = value
    buffer = io.StringIO()
    yaml.dump(params, buffer)
    return buffer.getvalue()


def copy_project(root: Path, digests: dict[str, str] | None = None, **overrides: Any) -> Path:
    """Copy what a stage needs into `root`, as a checkout of its own with its own params.yaml."""
    for folder in ("src", "stages"):
        shutil.copytree(
            PROJECT / folder,
            root / folder,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    (root / "params.yaml").write_text(params_text(digests, **overrides), encoding="utf-8")
    return root


def run_stage(root: Path, name: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `python -m stages.<name>` of the checkout `root`; `options` are those of subprocess."""
    return subprocess.run(
        ["python", "-m", f"stages.{name}"],
        **{"cwd": root, "capture_output": True, "text": True, "timeout": 300, **options},
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative path, hidden ones too."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def in_child(
    root: Path, main: Callable[[], None], before: Callable[[], None] = lambda: None
) -> tuple[int, str]:
    """Run a stage's `main` in a forked process whose working folder is `root`.

    A fork is a stage's process without the seconds that importing torch takes.

    Args:
        before: called first in the child: to break what only the child may see broken.

    Returns:
        The exit status and what was printed, stdout and stderr together.
    """
    return _ended(*_forked(root, main, before))


def in_ranks(
    root: Path, main: Callable[[], None], size: int, before: Callable[[int], None] = lambda _: None
) -> list[tuple[int, str]]:
    """As `in_child`, by `size` processes that torch's launcher might have started.

    Args:
        before: called first in each with its rank.
    """
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)  # as the launcher has

    def launched(rank: int) -> None:
        os.environ.update(
            TORCHELASTIC_RUN_ID="test",
            TORCHELASTIC_USE_AGENT_STORE="True",
            MASTER_ADDR="localhost",
            MASTER_PORT=str(store.port),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            GROUP_RANK="0",
            WORLD_SIZE=str(size),
        )
        before(rank)

    children = [_forked(root, main, partial(launched, rank)) for rank in range(size)]
    return [_ended(*child) for child in children]


def _forked(root: Path, main: Callable[[], None], before: Callable[[], None]) -> tuple[int, int]:
    """The number of a forked process, and the end of a pipe to read what it prints from."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status: Any = 1
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            sys.stdout, sys.stderr = (os.fdopen(n, "w", closefd=False) for n in (1, 2))
            os.chdir(root)
            before()
            stage.run(main)
            status = 0
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):  # or the child would go on with the rest of the tests
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    return child, reading


def _ended(child: int, reading: int) -> tuple[int, str]:
    with os.fdopen(reading) as pipe:
        printed = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), printed
