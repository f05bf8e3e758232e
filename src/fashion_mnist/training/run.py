"""A training run from start, or from where it was interrupted, to its end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from fashion_mnist.model.networks import multiply_adds
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.metric import in_order
from fashion_mnist.training.metrics import METRICS
from fashion_mnist.training.resume import ResumeFile
from fashion_mnist.training.trainer import COLUMNS, NotFinite, Row, Trainer, best_row

BAR = "training {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
"""Of all epochs. It moves with every step, and has no number of them: that would be a fraction."""


def train(
    make: Callable[[], Trainer], resume: ResumeFile, on_epoch: Callable[[list[Row]], None]
) -> Trainer:
    """Train to the last epoch, with the complete state on disk after each.

    Args:
        make: builds the trainer as it is before the first epoch.
        resume: where the state is kept until the caller deletes it.
        on_epoch: called with the history after each epoch, and first when a run is taken up.

    Raises:
        NotFinite: the state is removed, since it would fail again.
        UserError: the processes of the training hold other weights; the state before is kept.
    """
    trainer = take_up(make, resume)
    if trainer.history:
        print(f"taking up the run after epoch {len(trainer.history)}")
        on_epoch(trainer.history)
    total = trainer.settings.epochs
    start = time.monotonic()
    try:
        # A bar on a terminal only; the lines that are written above it are for logs as well
        with tqdm(total=total, initial=len(trainer.history), disable=None, bar_format=BAR) as bar:
            # By the difference: a sum of shares could pass the total
            for row in trainer.epochs(lambda s: bar.update(len(trainer.history) + s - bar.n)):
                resume.save(trainer.state_dict())
                on_epoch(trainer.history)
                tqdm.write(f"{describe(row, total)}  {time.monotonic() - start:.0f} s")
    except NotFinite:
        resume.delete()
        raise
    return trainer


def take_up(make: Callable[[], Trainer], resume: ResumeFile) -> Trainer:
    """A trainer in the state that was kept, or before its first epoch."""
    trainer = make()
    state = resume.load()
    if state is None:
        return trainer
    try:
        trainer.load_state_dict(state)
    except Exception as error:
        resume.warn(error)
        return make()
    return trainer


def seconds_since_start() -> float:
    """Seconds since this process began, its imports included."""
    return time.time() - psutil.Process().create_time()


def describe(row: Row, total: int) -> str:
    """An epoch's row as a line for the console, which has 80 columns."""
    line = f"epoch {row['epoch']}/{total}  loss {row['train_loss']:.4f}"
    line += f"  acc {row['train_accuracy']:.4f}"
    if row["validation_loss"] is not None:
        line += f"  val loss {row['validation_loss']:.4f}"
        line += f"  val acc {row['validation_accuracy']:.4f}"
    return line


def history_bytes(history: list[Row]) -> bytes:
    """The history as a CSV table under the fixed header `COLUMNS`."""
    return files.csv_bytes(COLUMNS, [[row[column] for column in COLUMNS] for row in history])


def summary(trainer: Trainer) -> dict[str, Any]:
    """The metrics of the run: those of the best epoch, and which it was."""
    best = best_row(trainer.history)
    assert best is not None, "a finished run has an epoch"
    figures = {
        "best_epoch": best["epoch"],
        **{column: best[column] for column in COLUMNS[1:5] if best[column] is not None},
        "parameters": sum(p.numel() for p in trainer.network.parameters()),
        "multiply_adds": multiply_adds(trainer.network),
    }
    return in_order(METRICS, figures)


@contextmanager
def put_back_on_failure(*paths: Path) -> Iterator[None]:
    """Leave the files as they were before, should the block that rewrites them fail."""
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
        files.write({path: content for path, content in before.items() if content is not None})
        raise
