"""Check the whole of params.yaml before DVC touches any other stage's outputs."""

from pathlib import Path

from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline import files, stage
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.pipeline.parent import repository

KEPT = "\nparams.yaml keeps it: mend it there, or `git restore params.yaml`"


def main() -> None:
    """Fail on any mistake in params.yaml; else write a constant that fetch depends on."""
    try:
        load(Parameters)
    except UserError as mistake:
        in_place = repository() == Path()  # the copy of an experiment is DVC's own to remove
        raise UserError(f"{mistake}{KEPT * in_place}") from None
    files.write({Path("data/params.ok"): b"params.yaml was found valid\n"})


if __name__ == "__main__":
    stage.run(main)
