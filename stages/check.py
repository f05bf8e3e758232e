"""Check the whole of params.yaml before DVC touches any other stage's outputs."""

from pathlib import Path

from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline import files, stage
from fashion_mnist.pipeline.parameters import load


def main() -> None:
    """Fail on any mistake in params.yaml; else write a constant that fetch depends on."""
    load(Parameters)
    files.write({Path("data/params.ok"): b"params.yaml was found valid\n"})


if __name__ == "__main__":
    stage.run(main)
