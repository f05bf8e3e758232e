"""The console script `fashion-mnist`: its subcommands are those of the rooms."""

import argparse
import os
import sys

from fashion_mnist import __version__
from fashion_mnist.comparison import commands as comparison
from fashion_mnist.deployment import commands as deployment
from fashion_mnist.pipeline import environment, stage
from fashion_mnist.report import commands as report
from fashion_mnist.search import commands as search


def main() -> None:
    """Run one subcommand; exit codes as those of the stages."""
    parser = argparse.ArgumentParser(
        prog="fashion-mnist", description="What people do with the pipeline beside running it."
    )
    parser.add_argument("--version", action="version", version=f"fashion-mnist {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for room in (comparison, search, report, deployment):
        room.add_to(commands)
    arguments = parser.parse_args()
    environment.forget_harmful()
    stage.run(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> None:
    try:
        arguments.run(arguments)
    except BrokenPipeError:  # `| head` has read enough; what is left must not be flushed either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
