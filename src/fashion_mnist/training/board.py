"""TensorBoard event files of a run, for those who watch it there."""

import os
import shutil
from pathlib import Path

from fashion_mnist.pipeline.errors import extra
from fashion_mnist.training.trainer import Row

FOLDER = "tensorboard"


class Board:
    """Writes each epoch's row as scalars to `tensorboard/<experiment>`, ignored by Git.

    A run that is taken up again writes its earlier epochs anew, so that the curves are whole.

    Raises:
        UserError: tensorboard is not installed.
    """

    def __init__(self, root: Path) -> None:
        with extra("tensorboard", "train.tensorboard"):
            from torch.utils.tensorboard import SummaryWriter  # slow to import
        folder = root / FOLDER / os.environ.get("DVC_EXP_NAME", "workspace")
        shutil.rmtree(folder, ignore_errors=True)
        self.writer = SummaryWriter(folder)
        self.written = 0

    def write(self, history: list[Row]) -> None:
        """Write the rows that are new since the last call."""
        for row in history[self.written :]:
            for name, value in row.items():
                if name != "epoch" and value is not None:
                    self.writer.add_scalar(name, value, row["epoch"])
        self.written = len(history)
        self.writer.flush()
