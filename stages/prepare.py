"""Split the raw data and normalise it into tensors."""

from pathlib import Path

from fashion_mnist.data import quality
from fashion_mnist.data.idx import read_pair
from fashion_mnist.data.parameters import Prepare
from fashion_mnist.data.preparation import divide, make_splits
from fashion_mnist.pipeline import files, pictures, splits, stage
from fashion_mnist.pipeline.parameters import load

RAW = Path("data/raw")
PREPARED = Path("data/prepared")


def main() -> None:
    """Write the train, validation and test splits, and what was seen in them."""
    settings = load(Prepare, "prepare")
    names = splits.numbered(settings.classes)
    parts = divide(
        train=read_pair(RAW, "train", len(names)),
        test=read_pair(RAW, "test", len(names)),
        size=settings.validation_size,
        seed=settings.seed,
    )
    near = {name: quality.nearest(parts[name], parts["train"]) for name in ("validation", "test")}
    made = make_splits(parts, settings, {"test": near["test"]})
    print(", ".join(f"{name}: {len(split.labels)} images" for name, split in made.items()))
    files.write(
        {
            **{PREPARED / f"{name}.safetensors": splits.serialised(made[name]) for name in made},
            Path("metrics/data.json"): files.json_bytes(quality.report(parts, near, len(names))),
            Path("plots/classes.csv"): files.csv_bytes(
                ("class", *parts), quality.class_rows(parts, names)
            ),
            Path("plots/samples.png"): pictures.grid_png(
                "The first training images of each class", quality.samples(parts["train"], names)
            ),
        }
    )


if __name__ == "__main__":
    stage.run(main)
