"""Numbers of the command line within their range, and the words that complete it in a shell."""

import argparse
from collections.abc import Callable
from typing import TypeVar

REVISIONS = "git for-each-ref --format='%(refname:short)' refs/heads refs/tags refs/remotes"

N = TypeVar("N", int, float)


def whole_number(least: int, most: int = 1_000_000) -> Callable[[str], int]:
    """For argparse's `type`: a whole number from `least` to `most`."""
    return _number(int, lambda value: least <= value <= most, f"a whole number ≥ {least}, ≤ {most}")


def positive_number(most: float = 1_000_000) -> Callable[[str], float]:
    """For argparse's `type`: a number above 0, up to `most`."""
    return _number(float, lambda value: 0 < value <= most, f"a number > 0, ≤ {most:.0f}")


def _number(kind: Callable[[str], N], fits: Callable[[N], bool], wanted: str) -> Callable[[str], N]:
    def read(text: str) -> N:
        try:
            if fits(value := kind(text)):  # NaN is in no order, so it never fits
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r}: give {wanted}")

    return read


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script that completes subcommands, options, files and revisions in a shell.

    Args:
        parser: with subcommands, of whose arguments the metavar says what they take.
        shell: one that shtab knows.
    """
    import shtab

    takes = {
        **dict.fromkeys(("REV", "A", "B"), shtab.cmd(REVISIONS)),
        **dict.fromkeys(("FILE", "FILE.onnx", "PICTURE", "SPACE.yaml"), shtab.FILE),
        "FOLDER": shtab.DIRECTORY,
    }
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for command in commands.choices.values():
        for action in command._actions:
            if action.metavar in takes:
                action.complete = takes[action.metavar]
    return str(shtab.complete(parser, shell))
