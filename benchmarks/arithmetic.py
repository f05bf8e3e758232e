"""What portable arithmetic costs beside avx2 and native, and what bfloat16 saves: each network.

python benchmarks/arithmetic.py [--rounds 5] [--threads 1]

Each run is a process of its own, since the kernels are chosen once. Nothing else should run.
"""

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from machine import processor

from fashion_mnist.arguments import whole_number
from fashion_mnist.model import devices
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.model.parameters import Compute
from fashion_mnist.pipeline import splits
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.trainer import Trainer

IMAGES = {"lenet": 20_000, "plain": 10_000, "resnet": 4_000}
"""Of an epoch that is timed: some seconds each."""
KINDS = {
    "native": ("native", "float32"),
    "avx2": ("avx2", "float32"),
    "portable": ("portable", "float32"),
    "bfloat16": ("native", "bfloat16"),
}
"""Arithmetic and precision; the first is what the others are compared with."""


def seconds(network: str, kind: str, threads: int) -> float:
    """An epoch with the committed parameters but for the kind, after one that warms up."""
    arithmetic, precision = KINDS[kind]
    device = devices.use(Compute(device="cpu", threads=threads), arithmetic)
    names = ("train", "validation")
    training, validation = (
        splits.read(Path(f"data/prepared/{name}.safetensors")) for name in names
    )
    count = IMAGES[network]
    part = replace(training, images=training.images[:count], labels=training.labels[:count])
    settings = load(Train, "train").model_copy(
        update={"precision": precision, "arithmetic": arithmetic}
    )
    trainer = Trainer(build(network), part, validation, settings, device)
    trainer._train(1)
    start = time.perf_counter()
    trainer._train(2)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=whole_number(1), default=5)
    parser.add_argument("--threads", type=whole_number(1), default=1)
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "KIND"), help="used by itself")
    arguments = parser.parse_args()
    if arguments.one:
        print(seconds(*arguments.one, arguments.threads))
        return
    print(
        f"{processor(torch.device('cpu'))}, {arguments.threads} threads, torch {torch.__version__}"
    )
    options = ["--threads", str(arguments.threads)]
    for network in NETWORKS:
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(arguments.rounds):
            for kind, found in taken.items():
                command = [sys.executable, __file__, *options, "--one", network, kind]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
                found.append(float(done.stdout))
        native = taken.pop("native")
        for kind, found in taken.items():
            ratios = [a / b for a, b in zip(found, native, strict=True)]
            told = f"{kind} takes {statistics.median(ratios):.2f} times native"
            print(f"{network}: {told} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
