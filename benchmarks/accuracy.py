"""Train the original exercise and this project's committed recipe side by side, over seeds.

    make accuracy   # writes benchmarks/accuracy.txt; about 15 minutes

Both train on the same split for the same epochs with the same rate, and the epoch that validation
prefers is tested, without augmentation. The exercise tested on augmented images and had no
validation.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

import torch
from original import Original, loader, train_epoch
from scipy.stats import ttest_ind
from torch import nn

from fashion_mnist.arguments import whole_number
from fashion_mnist.model import devices
from fashion_mnist.model.inference import predict_logits
from fashion_mnist.model.networks import build
from fashion_mnist.model.parameters import Compute, Model
from fashion_mnist.pipeline import splits
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import derive
from fashion_mnist.training.trainer import Trainer

NAMES = ("train", "validation", "test")
CPU = torch.device("cpu")


def accuracy(network: nn.Module, split: Split, device: torch.device = CPU) -> float:
    """Share of the split that the network, which is on `device`, gets right."""
    logits = predict_logits(network, torch.from_numpy(split.images).to(device), 1000).cpu()
    return float((logits.argmax(1) == torch.from_numpy(split.labels)).double().mean())


def original(data: list[Split], settings: Train) -> Iterator[nn.Module]:
    """The exercise's network after each epoch."""
    torch.manual_seed(settings.seed)
    network, batches = Original(), loader(data[0])
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr)
    for _ in range(settings.epochs):
        train_epoch(network, optimizer, batches)
        yield network


def project(
    data: list[Split], model: Model, settings: Train, device: torch.device = CPU
) -> Iterator[nn.Module]:
    """What this project validates after each epoch: its network, or the average of its weights."""
    network = build(**model.model_dump(), seed=derive(settings.seed, "weights"))
    trainer = Trainer(network, *data[:2], settings, device)
    for _ in trainer.epochs():
        yield trainer._evaluated


def test_accuracy(networks: Iterator[nn.Module], data: list[Split]) -> float:
    """Test accuracy after the epoch with the best validation accuracy."""
    tested = ((accuracy(network, data[1]), accuracy(network, data[2])) for network in networks)
    return max(tested, key=lambda pair: pair[0])[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=whole_number(1), default=5)
    devices.use(Compute(device="cpu", threads=1), "native")
    data = [splits.read(Path(f"data/prepared/{name}.safetensors")) for name in NAMES]
    model, settings = load(Model, "model"), load(Train, "train")
    made: dict[str, list[float]] = {"original": [], "this project": []}
    print("test accuracy of each seed")
    for seed in range(parser.parse_args().seeds):
        with_seed = settings.model_copy(update={"seed": seed})
        made["original"].append(test_accuracy(original(data, with_seed), data))
        made["this project"].append(test_accuracy(project(data, model, with_seed), data))
        print("  ".join(f"{name} {values[-1]:.4f}" for name, values in made.items()), flush=True)
    for name, values in made.items():
        print(f"{name}: {mean(values):.4f} ± {stdev(values):.4f} over {len(values)} seeds")
    ours, theirs = made["this project"], made["original"]
    interval = ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    difference, low, high = (100 * d for d in (mean(ours) - mean(theirs), *interval))
    print(f"difference {difference:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}")


if __name__ == "__main__":
    main()
