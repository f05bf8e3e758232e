"""Time what users wait for beside the training: writes benchmarks/overheads.csv.

    make overheads      # about 3 minutes; nothing else should run

Everything runs in a clone of HEAD with a copy of the cache, so that the workspace stays as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from scale import measured

from fashion_mnist.pipeline import files

OUTPUT = Path(__file__).parent / "overheads.csv"
ROUNDS = 5


class Clone:
    """A clone of HEAD in which nothing is left to run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "-q", ".", str(folder)], check=True)
        if Path(".dvc/cache").exists():
            shutil.copytree(".dvc/cache", folder / ".dvc/cache")
        # What no cache has, as the committed weights in most clones, is made by a run.
        subprocess.run(["dvc", "checkout", "-q", "--allow-missing"], cwd=folder, check=True)
        self.repro()

    def repro(self) -> float:
        return repro(self.folder)

    def set(self, key: str, value: int) -> None:
        """Set a parameter whose name occurs once in params.yaml."""
        path = self.folder / "params.yaml"
        lines = path.read_text().splitlines(keepends=True)
        (number,) = (n for n, line in enumerate(lines) if line.lstrip().startswith(f"{key}:"))
        lines[number] = f"{lines[number].partition(':')[0]}: {value}\n"
        path.write_text("".join(lines))

    def repro_with(self, key: str, value: int) -> float:
        self.set(key, value)
        return self.repro()


def repro(folder: Path) -> float:
    """Seconds of `dvc repro` there."""
    start = time.perf_counter()
    subprocess.run(["dvc", "repro", "-q"], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def trivial(folder: Path) -> Path:
    """A repository with one stage that does nothing, and has run."""
    folder.mkdir()
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo one > one\n    outs: [one]\n")
    repro(folder)
    return folder


FIRST_STEP = """
import os, runpy
from fashion_mnist.training import step
from fashion_mnist.training.run import seconds_since_start

def stop(*_):
    print("first step after", seconds_since_start(), flush=True)
    os._exit(0)

step.Step.__call__ = stop
runpy.run_module("stages.train", run_name="__main__")
"""


def cold_start(folder: Path) -> tuple[float, float]:
    """Seconds from a process's start to the first step of training, and of `import torch`."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-c", FIRST_STEP]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return float(done.stdout.split()[-1]), time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        clone, one = Clone(Path(temporary) / "project"), trivial(Path(temporary) / "one")
        rounds = range(ROUNDS)
        idle, least = zip(*[(clone.repro(), repro(one)) for _ in rounds], strict=True)
        new = [clone.repro_with("calibration_bins", 20 + n) for n in rounds]
        again = [clone.repro_with("calibration_bins", 20 + n) for n in rounds]
        cold, torch = zip(*[cold_start(clone.folder) for _ in rounds], strict=True)
        clone.repro_with("epochs", 1)
        _, memory = measured(clone.folder, "train", "__main__")
        trained = [clone.repro_with("epochs", (5, 1)[n % 2]) for n in rounds]
    ratio = median(a / b for a, b in zip(idle, least, strict=True))
    rows = [
        ["`dvc repro` with nothing to do", f"{median(idle):.2f} s", "-"],
        [
            "the same in a repository of one trivial stage",
            f"{median(least):.2f} s",
            "-",
        ],
        ["ratio of the two (median of pairs)", f"{ratio:.2f}", "1.3"],
        ["`dvc repro` after a new `evaluate.calibration_bins`", f"{median(new):.2f} s", "6 s"],
        ["`evaluate.calibration_bins` run before", f"{median(again):.2f} s", "2 s"],
        ["`train.epochs` run before", f"{median(trained):.2f} s", "2 s"],
        ["from the train stage's start to its first step", f"{median(cold):.2f} s", "2.5 s"],
        ["`python -c 'import torch'` beside it", f"{median(torch):.2f} s", "-"],
        ["most memory of the train stage with `lenet`", f"{memory:.2f} GB", "1.5 GB"],
    ]
    files.write({OUTPUT: files.csv_bytes(["what", f"median of {ROUNDS}", "goal"], rows)})
    print(OUTPUT.read_text())


if __name__ == "__main__":
    main()
