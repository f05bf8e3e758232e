"""One trial: an experiment of DVC in a copy of the repository, watched epoch by epoch."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psutil

from fashion_mnist.comparison import revisions, summary
from fashion_mnist.comparison.revisions import Revision
from fashion_mnist.parameters import SEED
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.recipes.recipes import Settings, options

METRICS = "metrics/train.json"
"""Written by the stage train, which never sees the test split."""

HISTORY = "plots/history.csv"
"""Written by that stage after each epoch."""

STAGE, POLL_SECONDS = "stages.train", 0.5

PATIENCE_SECONDS = 60
"""How long DVC may take to clean up after an interrupted trial."""


class Diverged(Exception):
    """The training came to a value that is not finite: a bad recipe, and no fault of anything."""


def result(
    root: Path, name: str, settings: Settings, go_on: Callable[[int, float], bool]
) -> float | None:
    """As `run`, but for an experiment that is there: a search was killed after DVC had kept it.

    Raises:
        UserError: also where the one that is there has other settings.
    """
    there = {each.name: each for each in revisions.experiments(root, everywhere=False)}
    if name not in there:
        return run(root, name, settings, go_on)
    made = summary.read_run(there[name])
    recipe = {**made.recipe, SEED: str(made.seed)}
    if any(recipe.get(key) != str(value) for key, value in settings.items()):
        raise UserError(
            f"an experiment {name} with other settings is there already: "
            f"`dvc exp remove {name}`, or let --study give this search another name"
        )
    return _accuracy(there[name])


def run(
    root: Path, name: str, settings: Settings, go_on: Callable[[int, float], bool]
) -> float | None:
    """Run an experiment and give its validation accuracy, that of the best epoch.

    Args:
        root: of the repository.
        name: of the experiment.
        settings: what it changes in params.yaml.
        go_on: called with each epoch's number and validation accuracy (a share of 1); where it
            returns False, the experiment is ended and None is returned.

    Raises:
        Diverged: a loss or a weight was not finite.
        UserError: the experiment failed in any other way.
    """
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "-n", name, *options(settings)]
    with subprocess.Popen(
        command,
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that it can be ended with all that it has started
    ) as process:
        last: deque[str] = deque(maxlen=30)
        reader = Thread(target=lambda: last.extend(map(str.strip, process.stdout or ())))
        reader.start()
        told = 0
        try:
            while (status := _status(process)) is None:
                for row in _epochs(_history(process.pid))[told:]:
                    told += 1
                    if not go_on(*row):
                        return None
        finally:
            _end(process)
            reader.join()
    if status != 0:
        # The stage's own words, else DVC's
        reasons = [line for line in last if line.startswith("error: ")]
        reasons = reasons or [line for line in last if line.startswith("ERROR: ")]
        reason = " ".join(reasons or list(last)[-3:])
        reason = re.sub("^error: ", "", reason, flags=re.IGNORECASE)
        if "not finite" in reason:
            raise Diverged(reason)
        raise UserError(f"{name} failed: {reason}")
    experiment = revisions.resolve(name, root)
    for row in _epochs(experiment.read(HISTORY) or b"")[told:]:
        go_on(*row)  # too late for this trial, and what later ones are held against
    return _accuracy(experiment)


def _status(process: subprocess.Popen[str]) -> int | None:
    """That of a process that ends within `POLL_SECONDS`."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(POLL_SECONDS)
    return None


def _history(pid: int) -> bytes:
    """The table that the stage is writing, somewhere below DVC's process, in DVC's copy."""
    with suppress(psutil.Error, OSError):  # one of them has just ended
        for child in psutil.Process(pid).children(recursive=True):
            if STAGE in child.cmdline():
                return (Path(child.cwd()) / HISTORY).read_bytes()
    return b""


def _epochs(history: bytes) -> list[tuple[int, float]]:
    """Each epoch's number and validation accuracy."""
    rows = csv.DictReader(io.StringIO(history.decode()))
    return [(int(row["epoch"]), float(row["validation_accuracy"])) for row in rows]


def _accuracy(experiment: Revision) -> float:
    content = experiment.read(METRICS)
    if content is None:
        raise UserError(f"{experiment.name} has no {METRICS}")
    return float(json.loads(content)["validation_accuracy"])


def _end(process: subprocess.Popen[str]) -> None:
    """End an experiment, if it still runs, as Ctrl-C does: DVC then removes its copy."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        process.terminate()
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
