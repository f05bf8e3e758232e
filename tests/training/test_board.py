"""Event files hold each epoch once, also of a run that was taken up."""

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.training.board import Board
from fashion_mnist.training.trainer import COLUMNS

HISTORY = [
    dict(zip(COLUMNS, row, strict=True))
    for row in [(1, 2.0, 0.5, None, None, 0.1), (2, 1.0, 0.75, None, None, 0.1)]
]


def scalars(folder) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_each_row_is_written_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "mine")
    interrupted = Board(tmp_path)
    interrupted.write(HISTORY[:1])
    board = Board(tmp_path)
    board.write(HISTORY[:1])
    board.write(HISTORY)
    found = scalars(tmp_path / "tensorboard" / "mine")
    assert found["train_loss"] == [(1, 2.0), (2, 1.0)]
    assert set(found) == {"train_loss", "train_accuracy", "lr"}


def test_a_missing_tensorboard_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match=r"pip install -r requirements/tensorboard\.txt"):
        Board(tmp_path)
    assert not any(tmp_path.iterdir())
