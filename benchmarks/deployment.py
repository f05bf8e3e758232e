"""What a prediction costs with the checkpoint and with ONNX, and whether the two agree.

    make repro && python benchmarks/deployment.py    # about 3 minutes; nothing else should run

On the real test split and the checkpoint of the workspace; what is printed is in
benchmarks/deployment.txt.
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


def rendering(image: np.ndarray) -> Image.Image:
    """A test image ten times as large, smooth, on white, with margins."""
    large = Image.fromarray(255 - image).resize((280, 280), Image.Resampling.BICUBIC)
    return ImageOps.expand(large, MARGIN, 255)


def through_png(image: np.ndarray, folder: Path) -> np.ndarray:
    path = folder / "image.png"
    Image.fromarray(image).save(path)
    return to_image(open_picture(path))


def predict(*options: str) -> None:
    """`fashion-mnist predict` as a process of its own."""
    start = "from fashion_mnist.cli import main; main()"
    command = [sys.executable, "-c", start, "predict", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    checkpoint = Path(models.CHECKPOINT)
    test = splits.read(Path("data/prepared/test.safetensors"))
    pixels = np.rint(test.pixels * 255).astype(np.uint8)
    evaluated = pd.read_csv("plots/predictions.csv")["predicted"].str.partition(" ")[0].astype(int)
    print(f"{processor()}, PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        exported = folder / "model.onnx"
        exported.write_bytes(to_onnx(checkpoint, Path.cwd()))
        sizes = [path.stat().st_size for path in (checkpoint, exported)]
        print(f"size: checkpoint {sizes[0]:,} bytes, ONNX {sizes[1]:,} bytes")

        ours, theirs = models.load(checkpoint), models.load(exported)
        one, other = (
            np.concatenate([m.logits(pixels[i : i + 1000]) for i in range(0, len(pixels), 1000)])
            for m in (ours, theirs)
        )
        same = int((one.argmax(1) == other.argmax(1)).sum())
        print(
            f"ONNX and PyTorch: the same class for {same:,} of {len(pixels):,} test images, ",
            end="",
        )
        print(f"largest difference of logits {np.abs(one - other).max():.2g}")

        seen = np.stack([through_png(image, folder) for image in pixels])
        classes = ours.probabilities(seen).argmax(1)
        print(
            f"written as PNG: the class that evaluate found for {int((classes == evaluated).sum()):,}"
        )
        rendered = np.stack([to_image(rendering(image)) for image in pixels[:RENDERED]])
        classes = ours.probabilities(rendered).argmax(1)
        agreed = (classes == evaluated[:RENDERED]).mean()
        right = (classes == test.labels[:RENDERED]).mean()
        before = (evaluated[:RENDERED] == test.labels[:RENDERED]).mean()
        print(
            f"ten times as large, smooth, on white, with margins: the class that evaluate found for "
            f"{agreed:.1%} of the first {RENDERED:,}, accuracy {right:.4f} where it was {before:.4f}"
        )

        for count in (1, 1000):
            rates = [
                count / seconds(lambda m=m, n=count: m.logits(pixels[:n])) for m in (ours, theirs)
            ]
            print(
                f"batch {count}: PyTorch {rates[0]:,.0f} images/s, ONNX {rates[1]:,.0f} images/s "
                f"({torch.get_num_threads()} threads for PyTorch, ONNX Runtime's default)"
            )

        picture = str(folder / "image.png")
        for name, options in {"checkpoint": [], "ONNX": ["--model", str(exported)]}.items():
            print(
                f"predict of one picture, {name}: {seconds(lambda o=options: predict(*o, picture)):.2f} s"
            )


if __name__ == "__main__":
    main()
