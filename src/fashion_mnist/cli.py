"""The console script `fashion-mnist`: its subcommands are those of the rooms."""

import argparse
import os
import sys
from difflib import get_close_matches

from fashion_mnist import __version__
from fashion_mnist.arguments import completion
from fashion_mnist.comparison import commands as comparison
from fashion_mnist.deployment import commands as deployment
from fashion_mnist.pipeline import environment, stage
from fashion_mnist.recipes import commands as recipes
from fashion_mnist.report import commands as report
from fashion_mnist.search import commands as search

SHELLS = ("bash", "zsh", "fish")


def main() -> None:
    """Run one subcommand; exit codes as those of the stages."""
    if sys.getfilesystemencoding() != "utf-8":  # in which Git has the names of branches and files
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    parser = argparse.ArgumentParser(
        prog="fashion-mnist", description="What people do with the pipeline beside running it."
    )
    parser.add_argument("--version", action="version", version=f"fashion-mnist {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for room in (comparison, recipes, search, report, deployment):
        room.add_to(commands)
    command = commands.add_parser(
        "completion",
        help="completion of these commands in a shell",
        description="Print the script that completes commands, options, files and revisions; "
        "docs/tour.md says how each shell loads it.",
    )
    command.add_argument("shell", choices=SHELLS)
    command.set_defaults(run=lambda arguments: print(completion(parser, arguments.shell)))
    first = next(iter(sys.argv[1:]), "-")
    if not first.startswith("-") and first not in commands.choices:
        near = get_close_matches(first, commands.choices, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        parser.error(f"unknown command {first!r}{meant} (known: {', '.join(commands.choices)})")
    arguments, unknown = parser.parse_known_args()
    if unknown:  # told by the subcommand: the whole program's usage would not help
        commands.choices[arguments.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    environment.prepare()
    stage.run(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> None:
    try:
        arguments.run(arguments)
    except BrokenPipeError:  # `| head` has read enough; what is left must not be flushed either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
