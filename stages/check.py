"""Check the whole of params.yaml before DVC touches any other stage's outputs."""

from pathlib import Path

from fashion_mnist import files, stage
from fashion_mnist.params.file import load_file


def main() -> None:
    """Fail on any mistake in params.yaml; else write a constant that every stage depends on."""
    load_file()
    files.write({Path("data/params.ok"): b"params.yaml was found valid\n"})


if __name__ == "__main__":
    stage.run(main)
