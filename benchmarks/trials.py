"""What was tried for a better recipe, judged by validation alone: writes benchmarks/trials.csv.

    python benchmarks/trials.py quick        # what was tried around recipes/quick, one by one

A trial trains on three hold-outs of 5,000 of the training images, each with a seed of its own, on
one thread; the test images are not read. Its seconds are those of the processor, so that two of
them may run at once. What trials.csv has is not run again; `make table` shows it in RESULTS.md.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
import torch
from machine import processor
from ruamel.yaml import YAML
from torch import nn
from variants import recipes

from fashion_mnist.data.idx import read_pair
from fashion_mnist.data.parameters import Prepare
from fashion_mnist.data.preparation import divide, make_splits
from fashion_mnist.model import devices, networks
from fashion_mnist.model.networks import (
    ConvNet,
    Convolution,
    Residual,
    build,
    multiply_adds,
    scaled,
)
from fashion_mnist.model.parameters import Model
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import derive
from fashion_mnist.training.trainer import Trainer, best_row

OUTPUT = Path(__file__).parent / "trials.csv"
RAW = Path("data/raw")
HOLD_OUTS = (1, 2, 3)
"""Seeds of the split and of the training; 0 is the project's own."""


def plain_residual(width: float, dropout: float, classes: int) -> nn.Module:
    """`plain`, with a residual block in place of the second convolution at 7×7 and at 3×3."""
    c1, c2, c3 = (scaled(n, width) for n in (16, 32, 64))
    layers = [
        Convolution(1, c1, pool=True),
        *(Convolution(c1, c2, pool=True), Residual(c2)),
        *(Convolution(c2, c3, pool=True), Residual(c3)),
    ]
    return ConvNet(layers, c3, dropout, classes)


def plain_deeper(width: float, dropout: float, classes: int) -> nn.Module:
    """`plain`, with a further convolution at 14×14."""
    c1, c2, c3 = (scaled(n, width) for n in (16, 32, 64))
    layers = [
        *(Convolution(1, c1, pool=True), Convolution(c1, c1)),
        *(Convolution(c1, c2, pool=True), Convolution(c2, c2)),
        *(Convolution(c2, c3, pool=True), Convolution(c3, c3)),
    ]
    return ConvNet(layers, c3, dropout, classes)


TRIED: dict[str, Callable[[float, float, int], nn.Module]] = {
    "plain, residual at 7×7 and 3×3": plain_residual,
    "plain, one more convolution at 14×14": plain_deeper,
}
"""Networks that the project does not have."""


@dataclass(frozen=True)
class Trial:
    """A recipe, and what is changed in it, by dotted key."""

    recipe: str
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The changes in words."""
        said = ", ".join(f"{key.partition('.')[2]}={value}" for key, value in self.changes.items())
        return said or "as it is"

    def is_in(self, rows: list[dict[str, Any]]) -> bool:
        return any((row["recipe"], row["trial"]) == (self.recipe, self.name) for row in rows)


TRIALS = [
    Trial("quick"),
    Trial("quick", {"model.name": "plain, residual at 7×7 and 3×3", "train.epochs": 6}),
    Trial("quick", {"model.name": "plain, one more convolution at 14×14", "train.epochs": 6}),
    Trial("quick", {"model.name": "resnet", "model.width": 0.5, "train.epochs": 4}),
    Trial("quick", {"train.lr": 0.015}),
    Trial("quick", {"train.batch_size": 256}),
    Trial("quick", {"train.warmup": 0.4}),
    Trial("quick", {"train.augment.crop_padding": 1}),
    Trial("balanced", {"model.name": "resnet", "model.width": 0.75, "train.epochs": 8}),
    Trial("balanced"),
    Trial("balanced", {"model.name": "resnet", "model.width": 1.0, "train.epochs": 5}),
]


def recorded() -> list[dict[str, Any]]:
    """The rows of trials.csv."""
    return pd.read_csv(OUTPUT).to_dict("records") if OUTPUT.exists() else []


def split_anew(seed: int, prepare: Prepare) -> dict[str, Split]:
    """The training images, divided by another seed; what would be the test split stays empty."""
    images, labels = read_pair(RAW, "train", len(prepare.classes))
    parts = divide((images, labels), (images[:0], labels[:0]), prepare.validation_size, seed)
    return make_splits(parts, prepare, {})


def run(trial: Trial) -> Iterator[dict[str, object]]:
    """A row for each hold-out."""
    yaml = YAML(typ="safe")
    recipe = {key: yaml.load(value) for key, value in recipes(Path())[trial.recipe].items()}
    settings = nested(recipe | trial.changes)
    train = {**settings["train"], "device": "cpu", "threads": 1, "tensorboard": False}
    model = Model.model_validate({**settings["model"], "name": "plain"}).model_dump()
    model["name"] = settings["model"]["name"]
    for seed in HOLD_OUTS:
        data = split_anew(seed, Prepare.model_validate(settings["prepare"]))
        network = build(**model, seed=derive(seed, "weights"))
        row = {
            "recipe": trial.recipe,
            "trial": trial.name,
            "seed": seed,
            "parameters": sum(weights.numel() for weights in network.parameters()),
            "multiply_adds": multiply_adds(network),
            "epochs": train["epochs"],
        }
        start = time.process_time()
        trainer = Trainer(
            network,
            data["train"],
            data["validation"],
            Train.model_validate({**train, "seed": seed}),
            torch.device("cpu"),
        )
        for _ in trainer.epochs():
            pass
        best = best_row(trainer.history) or {}
        yield {
            **row,
            "seconds": round(time.process_time() - start, 1),
            "validation_accuracy": best["validation_accuracy"],
            "machine": processor(),
        }


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
    networks.NETWORKS.update(TRIED)
    devices.use("cpu", 1, "portable")
    for trial in TRIALS:
        if trial.recipe not in asked or trial.is_in(recorded()):
            continue
        rows = list(run(trial))
        table = pd.DataFrame([*recorded(), *rows]).to_csv(index=False, lineterminator="\n")
        files.write({OUTPUT: table.encode()})
        accuracies = [row["validation_accuracy"] for row in rows]
        seconds = [row["seconds"] for row in rows]
        print(
            f"{trial.recipe}, {trial.name}: {mean(accuracies):.4f}, {mean(seconds):.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
