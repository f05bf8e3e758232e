"""What a training shows while it runs: a bar on a terminal, and a line for each epoch."""

import io
import re

import pytest
import torch
from small import split, train_settings
from tqdm import tqdm

from fashion_mnist.model.networks import build
from fashion_mnist.training import run
from fashion_mnist.training.resume import ResumeFile
from fashion_mnist.training.trainer import Trainer


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Eager(tqdm):
    """Draws each step; tqdm itself lets a tenth of a second pass."""

    def __init__(self, **options):
        super().__init__(**options, mininterval=0, miniters=0)


def maker(**changes):
    settings = train_settings(**changes)
    network = build("lenet", 0.25, seed=1)
    return lambda: Trainer(network, split(60), split(20, 1), settings, torch.device("cpu"))


@pytest.mark.filterwarnings("error")  # tqdm warns of more than all
def test_the_bar_moves_within_an_epoch(tmp_path, monkeypatch):
    """A user who sees nothing for the minutes of a first epoch ends the run."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(run, "tqdm", Eager)
    run.train(maker(epochs=2, batch_size=6), ResumeFile(tmp_path, "a-a-a"), lambda _: None)
    shown = sorted({int(share) for share in re.findall(r"training +(\d+)%", terminal.getvalue())})
    assert shown == list(range(0, 101, 5))  # of 60 samples, two epochs


def test_without_a_terminal_there_is_no_bar(tmp_path, capsys):
    run.train(maker(epochs=1), ResumeFile(tmp_path, "a-a-a"), lambda _: None)
    shown = capsys.readouterr()
    assert shown.err == ""
    assert re.fullmatch(
        r"epoch 1/1  loss \d.\d{4}  acc \d.\d{4}  val loss \d.\d{4}  val acc \d.\d{4}  \d s\n",
        shown.out,
    )


@pytest.mark.parametrize("pruning", [0.0, 0.9])
def test_the_shares_of_an_epoch_rise_to_one(pruning):
    made, shares = maker(epochs=8, pruning=pruning)(), []
    for _ in made.epochs(shares.append):
        assert shares == sorted(shares)
        assert shares.pop() == 1
        shares.clear()


def test_the_line_of_an_epoch_fits_a_terminal():
    figures = {"train_loss": 2.3, "train_accuracy": 1.0, "validation_loss": 2.3}
    line = run.describe({"epoch": 999, **figures, "validation_accuracy": 1.0, "lr": 0.1}, 999)
    assert len(f"{line}  99999 s") == 80
