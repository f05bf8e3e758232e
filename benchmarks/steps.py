"""Images a second of each network and batch size on an accelerator, loop beside loop.

    dvc repro prepare
    python benchmarks/steps.py --device cuda

A DataLoader over tensors and this project's loop train the same network with Adam. The loop's step
is called operation by operation, then recorded and replayed; its augmentation, the measuring of
each epoch and the ragged last batch are in the time. Nothing else should run meanwhile.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from loop import seconds_of
from machine import processor
from original import train_epoch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fashion_mnist.arguments import whole_number
from fashion_mnist.comparison.tables import table
from fashion_mnist.model import devices
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.model.parameters import Compute
from fashion_mnist.pipeline import splits
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.trainer import Trainer

BATCHES = (64, 128, 1024)


def loader_epoch(
    network: nn.Module, training: Split, size: int, device: torch.device
) -> Callable[[], object]:
    """An epoch of a DataLoader over tensors, without augmentation."""
    tensors = TensorDataset(torch.from_numpy(training.images), torch.from_numpy(training.labels))
    batches = DataLoader(tensors, batch_size=size, shuffle=True)
    network = network.to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    return lambda: train_epoch(network, optimizer, batches)


def own_epoch(
    network: nn.Module, training: Split, settings: Train, device: torch.device, called: bool
) -> Callable[[], object]:
    """An epoch of this project's loop; `called` as on a device where nothing is recorded."""
    trainer = Trainer(network, training, training, settings, device)
    if called:
        trainer.step.record = None
    return lambda: trainer._train(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=whole_number(1), default=3)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--images", type=whole_number(1), default=20_000, help="of an epoch")
    arguments = parser.parse_args()
    device = devices.use(Compute(device=arguments.device, threads=1), "native")
    whole = splits.read(Path("data/prepared/train.safetensors"))
    count = min(arguments.images, len(whole.labels))
    training = replace(whole, images=whole.images[:count], labels=whole.labels[:count])
    print(f"{processor(device)}, PyTorch {torch.__version__}, epochs of {count:,} images, images/s")
    rows = []
    for name in NETWORKS:
        for size in BATCHES:
            settings = load(Train, "train").model_copy(
                update={"batch_size": size, "arithmetic": "native"}
            )
            loops = [
                loader_epoch(build(name), training, size, device),
                own_epoch(build(name), training, settings, device, called=True),
                own_epoch(build(name), training, settings, device, called=False),
            ]
            for epoch in loops:
                epoch()  # the first one starts libraries and records
            rounds = [
                [seconds_of(epoch, device) for epoch in loops] for _ in range(arguments.rounds)
            ]
            medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
            speeds = [f"{count / seconds:,.0f}" for seconds in medians]
            rows.append([name, str(size), *speeds, f"{medians[1] / medians[2]:.1f}"])
            print("  ".join(rows[-1]), flush=True)
    header = ["network", "batch", "DataLoader", "step called", "step recorded", "times as fast"]
    print(table(header, rows, markdown=True))


if __name__ == "__main__":
    main()
