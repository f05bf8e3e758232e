"""Split the raw data and normalise it into tensors."""

from pathlib import Path

from fashion_mnist.data.idx import read_pair
from fashion_mnist.data.parameters import Prepare
from fashion_mnist.data.preparation import make_splits
from fashion_mnist.pipeline import files, splits, stage
from fashion_mnist.pipeline.parameters import load

RAW = Path("data/raw")
PREPARED = Path("data/prepared")


def main() -> None:
    """Write the train, validation and test splits."""
    settings = load(Prepare, "prepare")
    train, test = (read_pair(RAW, split, len(settings.classes)) for split in ("train", "test"))
    made = make_splits(train, test, settings)
    print(", ".join(f"{name}: {len(split.labels)} images" for name, split in made.items()))
    files.write(
        {PREPARED / f"{name}.safetensors": splits.to_bytes(split) for name, split in made.items()}
    )


if __name__ == "__main__":
    stage.run(main)
