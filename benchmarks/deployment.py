"""What a prediction costs with the checkpoint and with ONNX, and whether the two agree.

    make repro && python benchmarks/deployment.py    # about 3 minutes; nothing else should run

On the real test split, the checkpoint and the predictions of the workspace.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import torch
from machine import processor
from PIL import Image, ImageOps

from fashion_mnist.deployment import models
from fashion_mnist.deployment.export import to_onnx
from fashion_mnist.deployment.pictures import open_picture, to_image
from fashion_mnist.pipeline import splits

ROUNDS = 7
MARGIN = (370, 53, 21, 110)
RENDERED = 2000


def seconds(work: Callable[[], object]) -> float:
    """The median of `ROUNDS`, after one to warm up."""
    work()
    return statistics.median(timed(work) for _ in range(ROUNDS))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def agreement(ours: models.Model, theirs: models.Model, pixels: np.ndarray) -> None:
    one, other = (
        np.concatenate([model.logits(part) for part in np.array_split(pixels, 10)])
        for model in (ours, theirs)
    )
    same = int((one.argmax(1) == other.argmax(1)).sum())
    print(f"ONNX and PyTorch: the same class for {same:,} of {len(pixels):,} test images")
    print(f"  largest difference of logits: {np.abs(one - other).max():.2g}")


def pictures(model: models.Model, pixels: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """The test images as pictures, against what evaluate found."""
    evaluated = pd.read_csv("plots/predictions.csv")["predicted"].str.partition(" ")[0].astype(int)

    def told(how: Callable[[np.ndarray], np.ndarray], count: int, name: str) -> None:
        images = np.stack([how(image) for image in pixels[:count]])
        found, expected = model.probabilities(images).argmax(1), evaluated[:count].to_numpy()
        same, truth = int((found == expected).sum()), labels[:count]
        accuracies = [f"{(classes == truth).mean():.4f}" for classes in (found, expected)]
        print(f"{name}: the class that evaluate found for {same:,} of {count:,}")
        print(f"  accuracy {accuracies[0]}, of evaluate {accuracies[1]}")

    def through_png(image: np.ndarray) -> np.ndarray:
        Image.fromarray(image).save(folder / "image.png")
        return to_image(open_picture(folder / "image.png"))

    def rendered(image: np.ndarray) -> np.ndarray:
        large = Image.fromarray(255 - image).resize((280, 280), Image.Resampling.BICUBIC)
        return to_image(ImageOps.expand(large, MARGIN, 255))

    told(through_png, len(pixels), "written as PNG")
    told(rendered, RENDERED, "ten times as large, smooth, on white, with margins")


def predict(*options: str) -> None:
    """`fashion-mnist predict` as a process of its own."""
    start = "from fashion_mnist.cli import main; main()"
    command = [sys.executable, "-c", start, "predict", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    test = splits.read(Path("data/prepared/test.safetensors"))
    pixels = np.rint(test.pixels() * 255).astype(np.uint8)
    versions = f"PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}"
    print(f"{processor()}, {versions}, {models.THREADS} thread")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = {"checkpoint": Path(models.CHECKPOINT), "ONNX": folder / "model.onnx"}
        files["ONNX"].write_bytes(to_onnx(files["checkpoint"], {}))
        loaded = {name: models.load(path) for name, path in files.items()}
        agreement(loaded["checkpoint"], loaded["ONNX"], pixels)
        pictures(loaded["checkpoint"], pixels, test.labels, folder)
        for name, path in files.items():
            print(f"{name}: {path.stat().st_size:,} bytes")
            for count in (1, 1000):
                taken = seconds(lambda n=count, of=name: loaded[of].logits(pixels[:n]))
                print(f"  batch {count}: {count / taken:,.0f} images/s")
            options = ["--model", str(path), str(folder / "image.png")]
            taken = seconds(lambda given=options: predict(*given))
            print(f"  `fashion-mnist predict` of one picture: {taken:.2f} s")


if __name__ == "__main__":
    main()
