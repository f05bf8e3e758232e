"""What was tried for a better recipe, judged by validation alone: writes benchmarks/trials.csv.

    python benchmarks/trials.py quick        # what was tried around the recipe quick

A trial trains on hold-outs of 5,000 of the training images, each with a seed of its own, on one
thread; the test images are not read. Its seconds are those of the processor, so that two of them
run at once. What trials.csv has is not run again; `make table` shows it in RESULTS.md.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import tried
from machine import processor

from fashion_mnist.data.idx import read_pair
from fashion_mnist.data.parameters import Prepare
from fashion_mnist.data.preparation import divide, make_splits
from fashion_mnist.model import devices, networks
from fashion_mnist.model.networks import build, multiply_adds
from fashion_mnist.model.parameters import Compute, Model
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.splits import Split
from fashion_mnist.recipes import recipes
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import derive
from fashion_mnist.training.trainer import Trainer, best_row

OUTPUT = Path(__file__).parent / "trials.csv"
RAW = Path("data/raw")


@dataclass(frozen=True)
class Trial:
    """A recipe, and what is changed in it, by dotted key.

    Keys that the project does not have are those of `tried.TRAININGS`, and `train.teacher`: the
    recipe of a network that is trained on the same images before, and that this one is to follow.
    """

    recipe: str
    changes: dict[str, Any] = field(default_factory=dict)
    hold_outs: tuple[int, ...] = (1, 2, 3)
    """Seeds of the split and of the training; 0 is the project's own."""

    @property
    def name(self) -> str:
        """The changes in words."""
        said = ", ".join(f"{key.partition('.')[2]}={value}" for key, value in self.changes.items())
        return said or "as it is"


# Takes less than half the time of portable float32 on a processor with AMX (arithmetic.txt)
HALF = {"train.precision": "bfloat16", "train.arithmetic": "native"}
DECAY = {**HALF, "train.weight_decay": 0.2}
ADAMW = {"train.optimizer": "adamw", "train.weight_decay": 0.05}
FAST_ADAMW = {**ADAMW, "train.lr": 0.02}
FOUR = 1, 2, 3, 4
DEEPER, RESIDUAL = "plain, one more convolution at 14×14", "plain, residual at 7×7 and 3×3"
OF_THE_IMAGE_ALONE = [
    Trial("quick", FAST_ADAMW),
    Trial("quick", {**FAST_ADAMW, "model.name": RESIDUAL, "train.epochs": 6}),
    Trial("quick", {**FAST_ADAMW, "model.name": DEEPER, "train.epochs": 6}),
    Trial("quick", {**FAST_ADAMW, "model.name": "resnet", "model.width": 0.5, "train.epochs": 4}),
    Trial("quick"),
    Trial("quick", {"train.weight_decay": 0.2}),
    Trial("quick", HALF, FOUR),
    Trial("quick", DECAY, FOUR),
    Trial("quick", {**HALF, "train.weight_decay": 0.3}, FOUR),
    Trial("quick", {**DECAY, "train.lr": 0.02}, FOUR),
    Trial("quick", {**DECAY, "train.bias_rate": 8}, FOUR),
    Trial("quick", {**DECAY, "model.name": "plain, excitation"}, FOUR),
    Trial("quick", {**DECAY, "model.name": "plain, SiLU"}, FOUR),
    Trial("balanced", {**ADAMW, "model.name": "resnet", "model.width": 0.75, "train.epochs": 8}),
    Trial("balanced", {**HALF, **ADAMW}),
    Trial("balanced", HALF),
    Trial("balanced", DECAY),
    Trial("balanced", {**DECAY, "model.name": "resnet", "model.width": 0.75, "train.epochs": 8}),
    Trial("best", {**HALF, "model.width": 1.25, "train.epochs": 22}, (1, 2)),
    Trial(
        "best",
        {
            **HALF,
            "train.epochs": 36,
            "train.augment.crop_padding": 2,
            "train.augment.erasing": 0.5,
        },
        (1, 2),
    ),
]
ALONE = {"model.mirror_average": False, "train.whitening": False}
DRAWN = {"train.whitening": False, **HALF}
PREACTIVATED = {"model.name": "resnet, pre-activation", "model.width": 0.75, "train.epochs": 8}
TRIALS = [
    *(replace(trial, changes={**ALONE, **trial.changes}) for trial in OF_THE_IMAGE_ALONE),
    Trial("quick", DRAWN, FOUR),
    Trial("quick", {**DRAWN, "train.label_smoothing": 0.1}, FOUR),
    Trial("quick", HALF, FOUR),
    Trial("quick", {**HALF, "train.fixed_first": 1.0}, FOUR),
    Trial("balanced", HALF),
    Trial("balanced", DRAWN),
    Trial("half", {}, (1, 2)),
    Trial("half", {"train.pruning": 0.7, "train.epochs": 15}, (1, 2)),
    Trial("half", {"train.label_smoothing": 0.1}, (1, 2)),
    Trial("half", {"train.whitening": False}, (1, 2)),
    Trial("quick", {**HALF, "train.weight_decay": 0.2}, FOUR),
    Trial("quick", {**HALF, "train.momentum": 0.95}, FOUR),
    Trial("quick", {**HALF, "train.ema": 0.99}, FOUR),
    Trial("quick", {**HALF, "train.augment.crop_padding": 1}, FOUR),
    Trial("quick", {**HALF, "train.augment.erasing": 0.25}, FOUR),
    Trial("quick", {**HALF, "train.teacher": "half"}, FOUR),
    Trial("balanced", {**HALF, "train.augment.crop_padding": 1}, (1, 2)),
    Trial(
        "balanced",
        {**HALF, "train.augment.crop_padding": 1, "train.augment.erasing": 0.25},
        (1, 2),
    ),
    Trial("balanced", {**HALF, "model.name": "resnet", "model.width": 0.75, "train.epochs": 8}),
    Trial("balanced", {**HALF, "train.pruning": 0.7, "train.epochs": 12}, (1, 2)),
    Trial("balanced", {**HALF, "train.warmup": 0.1}, (1, 2)),
    Trial("balanced", {**HALF, "train.label_smoothing": 0.1}, (1, 2)),
    Trial("balanced", {**HALF, "train.momentum": 0.95}, (1, 2)),
    Trial("balanced", {**HALF, **PREACTIVATED}, (1, 2)),
]


def recorded() -> list[dict[str, Any]]:
    """The rows of trials.csv."""
    return pd.read_csv(OUTPUT).to_dict("records") if OUTPUT.exists() else []


def split_anew(seed: int, prepare: Prepare) -> dict[str, Split]:
    """The training images, divided by another seed; what would be the test split stays empty."""
    images, labels = read_pair(RAW, "train", len(prepare.classes))
    parts = divide((images, labels), (images[:0], labels[:0]), prepare.validation_size, seed)
    return make_splits(parts, prepare, {})


def run(trial: Trial, seed: int) -> dict[str, object]:
    """The row of one hold-out, in a process that has computed nothing yet."""
    networks.NETWORKS.update(tried.NETWORKS)
    settings = parameters(trial)
    teacher, changes = settings["train"].pop("teacher", None), {}
    for key in tried.TRAININGS.keys() & settings["train"].keys():
        changes[key] = settings["train"].pop(key)
    devices.use(Compute(device="cpu", threads=1), settings["train"]["arithmetic"])
    data = split_anew(seed, Prepare.model_validate(settings["prepare"]))
    trainer = trainer_of(settings, data, seed)
    if teacher:
        known = trainer_of(parameters(Trial(teacher)), data, seed)
        train(known)
        known.network.load_state_dict(known.best)
        tried.distil(trainer, known.network)
    for key, value in changes.items():
        tried.TRAININGS[key](trainer, value)
    return {
        "recipe": trial.recipe,
        "trial": trial.name,
        "seed": seed,
        "parameters": sum(weights.numel() for weights in trainer.network.parameters()),
        "multiply_adds": multiply_adds(trainer.network),
        "epochs": trainer.settings.epochs,
        "seconds": train(trainer),
        "validation_accuracy": (best_row(trainer.history) or {})["validation_accuracy"],
        "machine": processor(),
    }


def parameters(trial: Trial) -> dict[str, Any]:
    """The parameters of a trial, by section."""
    return nested(recipes.settings(trial.recipe, Path()) | trial.changes)


def trainer_of(settings: dict[str, Any], data: dict[str, Split], seed: int) -> Trainer:
    """What trains with these parameters, on one thread."""
    known = Model.model_validate({**settings["model"], "name": "plain"}).model_dump()
    network = build(**known | {"name": settings["model"]["name"]}, seed=derive(seed, "weights"))
    here = {"tensorboard": False, "seed": seed}
    recipe = Train.model_validate({**settings["train"], **here})
    return Trainer(network, data["train"], data["validation"], recipe, torch.device("cpu"))


def train(trainer: Trainer) -> float:
    """Train to the end; the seconds of the processor that it took."""
    start = time.process_time()
    for _ in trainer.epochs():
        pass
    return round(time.process_time() - start, 1)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Parameters by section from those by dotted key."""
    made: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        at = made
        for name in path:
            at = at.setdefault(name, {})
        at[last] = value
    return made


def main() -> None:
    """Run what is asked for and not yet there; write after each training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", choices=sorted({t.recipe for t in TRIALS}))
    asked = parser.parse_args().recipes
    done = {(row["recipe"], row["trial"], row["seed"]) for row in recorded()}
    # Each in a process of its own, since kernels are chosen once
    with ProcessPoolExecutor(2, get_context("spawn"), max_tasks_per_child=1) as pool:
        trainings = [
            pool.submit(run, trial, seed)
            for trial in TRIALS
            if trial.recipe in asked
            for seed in trial.hold_outs
            if (trial.recipe, trial.name, seed) not in done
        ]
        for training in as_completed(trainings):
            rows = pd.DataFrame([*recorded(), row := training.result()])
            files.write({OUTPUT: rows.to_csv(index=False, lineterminator="\n").encode()})
            print(row, flush=True)


if __name__ == "__main__":
    main()
