"""Time an epoch of the original exercise's loop, of a usual DataLoader, and of this project's.

    make bench      # writes benchmarks/loop.txt; about 4 minutes
    python benchmarks/loop.py --device cuda

The three train the same network (60,074 parameters) on the same number of images at batch 64 with
the same optimiser, in turn, so that a noisy machine disturbs them alike. Printed are seconds an
epoch, the ratios round by round, and the share of the device's rate in products of large matrices
that the network's arithmetic reaches. Nothing else should run meanwhile.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from machine import processor
from original import BATCH_SIZE, Original, loader, train_epoch
from torch.utils.data import DataLoader, TensorDataset

from fashion_mnist.arguments import whole_number
from fashion_mnist.model import devices
from fashion_mnist.model.networks import build, multiply_adds
from fashion_mnist.model.parameters import Compute
from fashion_mnist.pipeline import splits
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.trainer import Trainer


def usual_epoch(batches: DataLoader, device: torch.device) -> Callable[[], None]:
    """An epoch of the original's network as most people write it, over a loader's batches."""
    network = Original().to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    return lambda: train_epoch(network, optimizer, batches)


def own_epoch(
    training: splits.Split, validation: splits.Split, device: torch.device, arithmetic: str
) -> Callable[[], None]:
    """An epoch of this project's loop, augmentation included, with the committed parameters."""
    settings = load(Train, "train").model_copy(update={"arithmetic": arithmetic})
    trainer = Trainer(build("lenet"), training, validation, settings, device)
    return lambda: trainer._train(1)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """How long `work` takes, with everything that it leaves to the device."""
    start = time.perf_counter()
    work()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter() - start


def matrix_rate(device: torch.device) -> float:
    """Floating-point operations a second of a product of two 2048×2048 matrices, the best of 5."""
    a = torch.randn(2048, 2048, device=device)
    return 2 * 2048**3 / min(seconds_of(lambda: a @ a, device) for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=whole_number(1), default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=whole_number(1), default=2)
    parser.add_argument("--arithmetic", choices=["portable", "avx2", "native"], default="native")
    parser.add_argument(
        "--images", type=whole_number(1), default=20_000, help="of a round; scaled to 60,000"
    )
    arguments = parser.parse_args()
    device = devices.use(
        Compute(device=arguments.device, threads=arguments.threads), arguments.arithmetic
    )
    names = ("train", "validation")
    training, validation = (splits.read(Path(f"data/prepared/{n}.safetensors")) for n in names)
    count = min(arguments.images, len(training.labels))
    part = replace(training, images=training.images[:count], labels=training.labels[:count])
    tensors = TensorDataset(torch.from_numpy(part.images), torch.from_numpy(part.labels))
    loops = {
        "original": usual_epoch(loader(part), device),
        "DataLoader over tensors, no augmentation": usual_epoch(
            DataLoader(tensors, batch_size=BATCH_SIZE, shuffle=True), device
        ),
        "this project": own_epoch(part, validation, device, arguments.arithmetic),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    rates = []
    for _ in range(arguments.rounds):
        rates.append(matrix_rate(device))
        for name, epoch in loops.items():
            seconds[name].append(seconds_of(epoch, device) * 60_000 / count)
    print(f"{processor(device)}, {arguments.threads} threads, PyTorch {torch.__version__}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name}: {median:.2f} s an epoch of 60,000 images, {60_000 / median:,.0f} images/s")
        ratios = [a / b for a, b in zip(seconds["original"], values, strict=True)]
        print(f"  times as fast as the original: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
        print(f"  median {statistics.median(ratios):.2f}")
    # Forward and backward: 6 operations for each multiply-add
    own = 60_000 * 6 * multiply_adds(build("lenet")) / statistics.median(seconds["this project"])
    print(
        f"arithmetic of this project's loop: {own / 1e9:.1f} GFLOP/s, "
        f"{own / statistics.median(rates):.1%} of the {statistics.median(rates) / 1e9:.0f} GFLOP/s "
        f"of large matrix products, {arguments.threads} threads"
    )


if __name__ == "__main__":
    main()
