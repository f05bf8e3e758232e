"""What several processes cost: bytes and time a step, and what follows from them for more.

    python benchmarks/communication.py                  # nothing else should run
    python benchmarks/communication.py --device cuda    # one process, on the GPU

The price of the shards in one process; the step of a batch in 4 shards by 1, 2 and 4 processes of
one thread, that of `DistributedDataParallel` without shards beside it, and the exchange of each
alone. The last table is arithmetic.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from fashion_mnist.training.optimisation import make_optimizer
from machine import processor
from ruamel.yaml import YAML
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from fashion_mnist.arguments import whole_number
from fashion_mnist.model import devices
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.training.augmentation import augment, draw_mirrored
from fashion_mnist.training.batches import BLOCK
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.ranks import Group
from fashion_mnist.training.step import Step as TrainingStep

PROCESSES = (1, 2, 4)
SHARDS = (1, 2, 4, 8)
LINKS = {
    "8 GPUs on one machine: 450 GB/s, 10 µs a message": (8, 450e9, 10e-6),
    "4 machines: 10 Gbit/s, 50 µs a message": (4, 10e9 / 8, 50e-6),
}
"""Processes, bytes a second that each receives, seconds a message: stated, not measured. NVLink 4
by its data sheet, TCP within a rack as is usual."""

Step = Callable[[], Any]


class Work:
    """The steps to time: of the committed recipe but for batch and shards, on random images."""

    def __init__(self, arguments: argparse.Namespace, group: Group) -> None:
        section = YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))["train"]
        section |= {"processes": 1, "threads": 1, "batch_size": arguments.batch}
        self.section, self.group, self.steps = section, group, arguments.steps
        self.device = devices.use(arguments.device, 1, section["arithmetic"])
        self.images = torch.randn(arguments.batch, 1, 28, 28, device=self.device)
        self.labels = torch.randint(10, (arguments.batch,), device=self.device)

    def milliseconds(self, step: Step, clock: Callable[[], float] = time.perf_counter) -> float:
        """Of the fastest step, after three that warm up: what others do only adds to it."""
        taken = []
        for _ in range(self.steps + 3):
            start = clock()
            step()
            if self.device.type != "cpu":
                torch.accelerator.synchronize()
            taken.append(clock() - start)
        return min(taken[3:]) * 1e3

    def sharded(self, name: str, shards: int) -> Step:
        settings = Train(**{**self.section, "shards": shards})
        network = build(name, seed=1).to(self.device).train()
        optimizer = make_optimizer(network, settings)
        made = TrainingStep(network, None, optimizer, settings, group=self.group)
        return lambda: made(self.images, self.labels, None, settings.lr)

    def reduced(self, name: str) -> Step:
        rank, size, count = self.group.rank, self.group.size, len(self.images)
        own = slice(rank * count // size, (rank + 1) * count // size)
        network = build(name, seed=1).to(self.device).train()
        optimizer = make_optimizer(network, Train(**self.section))
        network = DistributedDataParallel(network) if size > 1 else network

        def step() -> None:
            optimizer.zero_grad()
            cross_entropy(network(self.images[own]), self.labels[own]).backward()
            optimizer.step()

        return step

    def augmentation(self) -> Step:
        settings = Train(**self.section).augment
        images = torch.randn(BLOCK, 1, 28, 28, device=self.device)
        mirrored = draw_mirrored(BLOCK, settings, 0, 1, self.device)
        source = torch.Generator(self.device).manual_seed(0)
        return lambda: augment(images, settings, -1.0, source, mirrored)


def alone(arguments: argparse.Namespace) -> dict[str, Any]:
    """By network the step's milliseconds by number of shards; "augmentation", those of a batch.

    On the CPU it is the process's own time, in which others have no part.
    """
    work = Work(arguments, Group())
    clock = time.process_time if work.device.type == "cpu" else time.perf_counter
    found: dict[str, Any] = {
        name: {n: work.milliseconds(work.sharded(name, n), clock) for n in SHARDS}
        for name in NETWORKS
    }
    block = work.milliseconds(work.augmentation(), clock)
    return {**found, "augmentation": block * arguments.batch / BLOCK}


def together(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds by network: own step, DDP's, own exchange, all-reduce."""
    rank, size = dist.get_rank(), dist.get_world_size()
    work = Work(arguments, Group(rank, size))
    found = {}
    for name in NETWORKS:
        rows = torch.zeros(4 // size, row_length(name, arguments.batch // 4))
        vector = torch.zeros(parameters(name))
        steps = [work.sharded(name, 4), work.reduced(name)]
        if size > 1:
            steps.append(lambda rows=rows: work.group.gather(rows))
            steps.append(lambda vector=vector: dist.all_reduce(vector))
        found[name] = [work.milliseconds(step) for step in steps]
    return found


def parameters(name: str) -> int:
    return sum(p.numel() for p in build(name).parameters())


def row_length(name: str, samples: int) -> int:
    """Numbers that a shard sends: gradients, statistics, and the logits of its samples."""
    floating = [b.numel() for b in build(name).buffers() if b.is_floating_point()]
    return parameters(name) + sum(floating) + samples * 10


def process(rank: int, size: int, store: str, arguments: argparse.Namespace, answers: Any) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    found = (alone(arguments) if size == 1 else {}, together(arguments))
    if rank == 0:
        answers.put(found)
    dist.barrier()
    dist.destroy_process_group()


def by_processes(size: int, arguments: argparse.Namespace) -> Any:
    answers = mp.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(process, (size, f"{folder}/store", arguments, answers), nprocs=size)
    return answers.get()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=whole_number(1), default=64)
    parser.add_argument("--steps", type=whole_number(1), default=20)
    arguments = parser.parse_args()
    device, batch = torch.device(arguments.device), arguments.batch
    found = {n: by_processes(n, arguments) for n in (PROCESSES if device.type == "cpu" else (1,))}
    single = found[1][0]
    print(f"{processor(device)}, one thread a process, batch {batch}, PyTorch {torch.__version__}")
    print(f"Milliseconds of a step, the fastest of {arguments.steps}.\n")
    print(
        "One process, its own time:\n\n| network | " + " | ".join(f"{n} shards" for n in SHARDS),
        "|",
    )
    print("|---" * (len(SHARDS) + 1) + "|")
    for name in NETWORKS:
        print(f"| {name} | " + " | ".join(f"{single[name][n]:.2f}" for n in SHARDS) + " |")
    print(
        f"\nAugmentation, which each process does for the whole batch: {single['augmentation']:.2f}"
    )
    print("\nBy processes, 4 shards, by the clock on the wall:\n")
    print("| network | processes | step | DDP's | all_gather | all_reduce | KB received a step |")
    print("|---|---|---|---|---|---|---|")
    for name in NETWORKS:
        for size, (_, times) in found.items():
            cells = [f"{value:.2f}" for value in times[name]] + ["-"] * (2 * (size == 1))
            received = 4 * row_length(name, batch // 4) * 4 * (size - 1) / size / 1e3
            print(f"| {name} | {size} | {' | '.join(cells)} | {received:,.0f} |")
    print(
        "\nArithmetic, not measured: as many shards as processes, of which each is as fast as the"
    )
    print(
        "one above; nothing overlaps; an all-reduce in a ring would receive what is in brackets.\n"
    )
    print("| network | where | KB received a step | exchange | step | times as fast as one |")
    print("|---|---|---|---|---|---|")
    for name in NETWORKS:
        for where, (size, rate, latency) in LINKS.items():
            received = row_length(name, batch // size) * 4 * (size - 1)
            ring = parameters(name) * 4 * 2 * (size - 1) / size
            exchange = (received / rate + latency * (size - 1)) * 1e3
            step = single["augmentation"] + single[name][size] / size + exchange
            gain = (single["augmentation"] + single[name][1]) / step
            kilobytes = f"{received / 1e3:,.0f} ({ring / 1e3:,.0f})"
            print(f"| {name} | {where} | {kilobytes} | {exchange:.2f} | {step:.2f} | {gain:.1f} |")


if __name__ == "__main__":
    main()
