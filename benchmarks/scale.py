"""Time and memory of the stages as the data grow: writes benchmarks/scale.csv and a picture.

    make scale      # about half an hour, 25 GB of disk and 8 GB of memory; nothing else should run

The sets are made of the real one: copies of its images, each shifted by up to two pixels. Training
(one epoch of the committed recipe) and test both run over all of them; a stage runs as DVC runs it,
in a copy of the workspace.
"""

import io
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from machine import processor
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from fashion_mnist.data.idx import FILES, IMAGES_MAGIC, LABELS_MAGIC, read_pair
from fashion_mnist.pipeline import files

HERE = Path(__file__).parent
OUTPUT = HERE / "scale.csv"
PICTURE = HERE.parent / "docs/pictures/scale.png"
RAW, PREPARED = Path("data/raw"), Path("data/prepared")
COPIES = (1, 4, 16)
STAGES = ("prepare", "train", "evaluate")
FLOAT32 = 28 * 28 * 4
# Not what the parent is told by wait4: that counts the parent's own memory, from before the exec
HELD = """
import atexit, re, runpy, sys
from pathlib import Path
status = Path("/proc/self/status")
atexit.register(lambda: print(re.search("VmHWM.*", status.read_text())[0], file=sys.stderr))
runpy.run_module(sys.argv[1], run_name=sys.argv[2])
"""


def shifted(images: np.ndarray, copy: int) -> np.ndarray:
    """Images, uint8, N×28×28, shifted to the `copy`-th of 25 places; black moves in."""
    down, right = (copy // 5 + 2) % 5, (copy % 5 + 2) % 5
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    return wide[:, 4 - down : 32 - down, 4 - right : 32 - right]


def make_raw(folder: Path, copies: int) -> int:
    """The IDX files of so many copies of the training images; returns how many images those are."""
    images, labels = read_pair(RAW, "train", 10)
    count = copies * len(labels)
    shutil.copytree(RAW, folder)
    with (folder / FILES["train_images"]).open("wb") as file:
        file.write(struct.pack(">4I", IMAGES_MAGIC, count, 28, 28))
        for copy in range(copies):
            file.write(shifted(images, copy).tobytes())
    with (folder / FILES["train_labels"]).open("wb") as file:
        file.write(struct.pack(">2I", LABELS_MAGIC, count) + labels.tobytes() * copies)
    return count


def make_project(folder: Path) -> None:
    """The workspace's code and parameters, one epoch long."""
    for name in ("src", "stages"):
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    parameters = YAML().load(Path("params.yaml"))
    parameters["train"]["epochs"] = 1
    YAML().dump(parameters, folder / "params.yaml")


def measured(folder: Path, stage: str, run_name: str) -> tuple[float, float]:
    """Seconds, and gigabytes (10⁹ bytes) held at most, of a stage; as what it is run: see runpy."""
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", HELD, f"stages.{stage}", run_name],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - start, int(result.stderr.split()[-2]) * 1024 / 1e9


def measure(folder: Path, copies: int) -> Iterator[dict[str, object]]:
    """A row for each stage.

    `bare` is what the stage's imports alone hold; `float32` the size of the images that it reads or
    makes, as float32.
    """
    make_project(folder)
    count = make_raw(folder / RAW, copies)
    for stage in STAGES:
        if stage == "evaluate":  # all images that were trained on
            (folder / PREPARED / "train.safetensors").replace(
                folder / PREPARED / "test.safetensors"
            )
        _, bare = measured(folder, stage, "imported")
        seconds, peak = measured(folder, stage, "__main__")
        size = count * FLOAT32 / 1e9
        yield {
            "stage": stage,
            "images": count,
            "seconds": round(seconds, 1),
            "peak": round(peak, 2),
            "bare": round(bare, 2),
            "float32": round(size, 2),
        }


def png(rows: pd.DataFrame) -> bytes:
    """The picture: seconds and memory against images, both logarithmic."""
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=(9, 4), dpi=100, layout="constrained")
        time_axes, memory_axes = figure.subplots(1, 2)
        for stage, group in rows.groupby("stage", sort=False):
            time_axes.plot(group["images"], group["seconds"], marker="o", label=stage)
            memory_axes.plot(group["images"], group["peak"], marker="o", label=stage)
        sizes = rows.drop_duplicates("images")
        memory_axes.plot(
            sizes["images"], sizes["float32"], "--", color="grey", label="images as float32"
        )
        time_axes.set_ylabel("Seconds of the stage")
        memory_axes.set_ylabel("GB that the stage held at most")
        for axes in (time_axes, memory_axes):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(sizes["images"], [f"{n:,}" for n in sizes["images"]])
            axes.minorticks_off()
            axes.yaxis.set_major_formatter("{x:g}")
            axes.set_xlabel("Images")
            axes.grid(alpha=0.3)
            axes.legend()
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def main() -> None:
    """Measure, one size after the other, and write after each."""
    rows = []
    for copies in COPIES:
        with tempfile.TemporaryDirectory(dir=".") as temporary:
            for row in measure(Path(temporary), copies):
                rows.append({**row, "machine": processor()})
                print(row, flush=True)
        order = {stage: number for number, stage in enumerate(STAGES)}
        table = pd.DataFrame(rows).sort_values("stage", key=lambda s: s.map(order), kind="stable")
        csv = table.to_csv(index=False, lineterminator="\n")
        files.write({OUTPUT: csv.encode(), PICTURE: png(table)})


if __name__ == "__main__":
    main()
