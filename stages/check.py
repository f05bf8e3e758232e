"""Check the whole of params.yaml before DVC touches any other stage's outputs."""

from pathlib import Path

from fashion_mnist.data.parameters import Fetch, Prepare
from fashion_mnist.evaluation.parameters import Evaluate
from fashion_mnist.model.parameters import Model
from fashion_mnist.pipeline import files, stage
from fashion_mnist.pipeline.parameters import Section, load
from fashion_mnist.training.parameters import Train


class File(Section):
    """The whole of params.yaml."""

    fetch: Fetch
    prepare: Prepare
    model: Model
    train: Train
    evaluate: Evaluate


def main() -> None:
    """Fail on any mistake in params.yaml; else write a constant that fetch depends on."""
    load(File)
    files.write({Path("data/params.ok"): b"params.yaml was found valid\n"})


if __name__ == "__main__":
    stage.run(main)
