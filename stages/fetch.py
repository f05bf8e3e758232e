"""Put the four verified IDX files into data/raw."""

from pathlib import Path

from fashion_mnist.data.idx import read_pair
from fashion_mnist.data.parameters import Fetch, Prepare
from fashion_mnist.data.preparation import hold_out
from fashion_mnist.data.raw import fetch_into
from fashion_mnist.pipeline import stage
from fashion_mnist.pipeline.parameters import load

RAW = Path("data/raw")


def main() -> None:
    """Fetch from the first source that answers, unless the right files are there.

    Then files and a hold-out that prepare would refuse are refused: DVC deletes its outputs before
    it starts.
    """
    digests, settings = load(Fetch, "fetch").digests, load(Prepare, "prepare")
    fetch_into(RAW, digests, report=print)
    (_, labels), _ = (read_pair(RAW, split, len(settings.classes)) for split in ("train", "test"))
    hold_out(labels, settings.validation_size, settings.seed)


if __name__ == "__main__":
    stage.run(main)
