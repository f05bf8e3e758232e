"""Train the network; keep its best and last weights."""

from contextlib import nullcontext
from pathlib import Path

import torch

from fashion_mnist.model import checkpoints, devices
from fashion_mnist.model.networks import build
from fashion_mnist.model.parameters import Compute, Model
from fashion_mnist.pipeline import files, pictures, splits, stage, states
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.pipeline.parent import repository
from fashion_mnist.training import launcher, looks, ranks
from fashion_mnist.training.board import Board
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import derive
from fashion_mnist.training.resume import PARTS, ResumeFile, fingerprint
from fashion_mnist.training.run import (
    history_bytes,
    put_back_on_failure,
    seconds_since_start,
    summary,
    train,
)
from fashion_mnist.training.trainer import Row, Trainer
from stages import ROOT

TRAINING = Path("data/prepared/train.safetensors")
VALIDATION = Path("data/prepared/validation.safetensors")
HISTORY = Path("plots/history.csv")
AUGMENTED = Path("plots/augmented.png")


def main() -> None:
    """Train on the train split, choose by the validation split; the test split is never read."""
    model, settings = load(Model, "model"), load(Train, "train")
    compute = load(Compute, "compute")
    if launcher.launches(compute.processes):
        launcher.launch("stages.train", compute.processes)
        return
    with ranks.join() as group:
        train_together(group, model, settings, compute)


def train_together(group: ranks.Group, model: Model, settings: Train, compute: Compute) -> None:
    """What each process of the training does; by default there is one."""
    device = group.place(devices.use(compute, settings.arithmetic))
    threads = torch.get_num_threads()
    print(f"training {model.name} on {device}, {threads} thread{'s' * (threads > 1)}")
    network = model.model_dump()
    training, validation = splits.read(TRAINING), splits.read(VALIDATION)
    parameters = {**network, **settings.model_dump()}
    if settings.arithmetic != "portable":  # where they change bytes
        parameters |= {"device": str(device), "threads": threads}
        parameters["processes"] = group.size
    mark = fingerprint(parameters, [TRAINING, VALIDATION], ROOT)
    group.require_same(lambda: mark, "the processes have other {}", PARTS)
    if group.rank == 0:
        states.forget_recorded(states.folder())  # `dvc repro -f` of a recorded run trains it again
    resume = ResumeFile(states.folder(), mark, group)
    board = Board(repository()) if settings.tensorboard and group.rank == 0 else None

    def make() -> Trainer:
        seed = derive(settings.seed, "weights")
        made = build(**network, seed=seed, classes=len(training.classes))
        return Trainer(made, training, validation, settings, device, group)

    def on_epoch(history: list[Row]) -> None:
        group.write({HISTORY: history_bytes(history)})
        if board:
            board.write(history)

    title = "One image of each class: as it is, and as seven epochs augment it"
    shown = pictures.grid_png(title, looks.augmented(training, settings))
    kept = put_back_on_failure(HISTORY, AUGMENTED) if group.rank == 0 else nullcontext()
    with kept, devices.within_memory("train.batch_size"):
        group.write({AUGMENTED: shown})  # to be looked at while it trains
        trainer = train(make, resume, on_epoch)
        table, doubted = looks.suspects(trainer, training)
        last = checkpoints.to_bytes(trainer.weights(), network, training)
        group.write(
            {
                Path("checkpoints/best.safetensors"): checkpoints.to_bytes(
                    trainer.best, network, training
                ),
                Path("checkpoints/last.safetensors"): last,
                Path("metrics/train.json"): files.json_bytes(summary(trainer)),
                HISTORY: history_bytes(trainer.history),
                AUGMENTED: shown,
                Path("plots/suspects.csv"): files.csv_bytes(looks.SUSPECT_COLUMNS, table),
                Path("plots/suspects.png"): pictures.grid_png(
                    "Training images whose label the network doubts most", doubted, columns=3
                ),
            }
        )
    resume.finish(last)
    print(f"trained in {seconds_since_start():.1f} s from the start of the process")


if __name__ == "__main__":
    stage.run(main)
