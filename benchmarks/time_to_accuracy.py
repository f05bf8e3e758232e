"""How long training takes to reach 90, 92, 94 and 95 % on the test set.

    dvc exp run $(fashion-mnist recipe half)     # the parameters, and the data that they prepare
    python benchmarks/time_to_accuracy.py --seeds 5     # time-h100.txt

Trains with the parameters of the workspace on their device. The clock runs from the data's way to
the device to the end of an epoch and stands still while the test images are classified; validation
counts, imports do not. Nothing is chosen by these figures.
"""

import argparse
import time
from pathlib import Path
from statistics import mean, stdev

import torch
from accuracy import NAMES, accuracy, project
from machine import processor

from fashion_mnist.arguments import whole_number
from fashion_mnist.model import devices
from fashion_mnist.model.parameters import Compute, Model
from fashion_mnist.pipeline import splits
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.training.parameters import Train

WANTED = (0.90, 0.92, 0.94, 0.95)


def curve(
    model: Model, settings: Train, data: list[splits.Split], device: torch.device
) -> list[tuple[float, float]]:
    """Seconds so far and test accuracy after each epoch."""
    seconds, points = 0.0, []
    start = time.perf_counter()
    for network in project(data, model, settings, device):
        seconds += time.perf_counter() - start
        points.append((seconds, accuracy(network, data[2], device)))
        start = time.perf_counter()
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=whole_number(1), default=1)
    model, settings = load(Model, "model"), load(Train, "train")
    device = devices.use(load(Compute, "compute"), settings.arithmetic)
    data = [splits.read(Path(f"data/prepared/{name}.safetensors")) for name in NAMES]
    print(f"{processor(device)}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}")
    print(f"{model.name}, width {model.width:g}, {settings.epochs} epochs, {settings.precision}")
    last = []
    times: dict[float, list[float]] = {wanted: [] for wanted in WANTED}
    for seed in range(parser.parse_args().seeds):
        points = curve(model, settings.model_copy(update={"seed": seed}), data, device)
        for wanted, found in times.items():
            found += [seconds for seconds, accuracy in points if accuracy >= wanted][:1]
        last.append(points[-1][1])
        print(f"seed {seed}: {last[-1]:.2%} after {points[-1][0]:.1f} s", flush=True)
    for wanted, found in times.items():
        average = f", {mean(found):.1f} s on average" if found else ""
        print(f"{wanted:.0%} reached by {len(found)} of {len(last)} seeds{average}")
    spread = f" ± {stdev(last):.2%}" if len(last) > 1 else ""
    print(f"test accuracy after the last epoch: {mean(last):.2%}{spread}")


if __name__ == "__main__":
    main()
