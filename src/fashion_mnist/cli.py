"""The console script `fashion-mnist`."""

import argparse
import json
from pathlib import Path

from fashion_mnist import stage
from fashion_mnist.errors import UserError


def main() -> None:
    """Run one subcommand; exit codes as those of the stages."""
    parser = argparse.ArgumentParser(prog="fashion-mnist", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("show", help="the results of the last run in the workspace")
    command.set_defaults(run=show)
    arguments = parser.parse_args()
    stage.run(lambda: arguments.run(arguments))


def show(_: argparse.Namespace) -> None:
    """Print validation and test accuracy, and where the plots are."""
    train, evaluate = (_metrics(Path(f"metrics/{name}.json")) for name in ("train", "evaluate"))
    if "validation_accuracy" in train:
        accuracy = train["validation_accuracy"]
        print(f"validation accuracy  {accuracy:.4f} (epoch {train['best_epoch']})")
    print(
        f"test accuracy        {evaluate['accuracy']:.4f}, 95 % interval "
        f"{evaluate['accuracy_low']:.4f} to {evaluate['accuracy_high']:.4f}"
    )
    print("plots                plots/, or `dvc plots show` for a page of all")


def _metrics(path: Path) -> dict[str, float]:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
