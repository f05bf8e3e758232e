"""The folder `.resume` of training states, and which of them are wanted no more."""

from pathlib import Path

from fashion_mnist.pipeline.parent import repository

FOLDER = ".resume"


def folder() -> Path:
    """Where a run's state is kept: in the repository, so that copies of it share the states.

    An experiment that was killed is thus taken up when it is started again, in another copy.
    """
    return repository() / FOLDER


def forget_recorded(folder: Path, lock: Path = Path("dvc.lock")) -> None:
    """Remove the states of runs that are over and whose weights `lock` records."""
    recorded = lock.read_text(encoding="utf-8") if lock.exists() else ""
    for path in folder.glob("*.*.pt"):
        if path.name.split(".")[1] in recorded:
            path.unlink(missing_ok=True)
