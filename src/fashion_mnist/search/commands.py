"""The subcommands of `fashion-mnist` that search for a recipe."""

import argparse
import math
import os
from pathlib import Path

from fashion_mnist.arguments import positive_number, whole_number
from fashion_mnist.pipeline.errors import UserError, extra


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `search`."""
    command = commands.add_parser(
        "search",
        help="a good recipe within the bounds of SPACE.yaml, by validation alone",
        description="Try recipes as experiments, in copies of the repository; print the ten best, "
        "the spread over seeds of the first three, and the command that runs the winner. What is "
        "interrupted goes on when it is started again; several may share a study.",
    )
    command.add_argument("space", metavar="SPACE.yaml", type=Path)
    command.add_argument(
        "--trials", type=whole_number(1), default=50, help="in all (default: %(default)s)"
    )
    command.add_argument(
        "--hours", type=positive_number(), default=math.inf, help="begin no trial after them"
    )
    command.add_argument(
        "--seeds",
        type=whole_number(0),
        default=3,
        help="for each of the first three (default: %(default)s)",
    )
    command.add_argument("--study", metavar="NAME", help="default: the file's name, without .yaml")
    command.add_argument(
        "--storage",
        metavar="FILE",
        type=_file,
        help="where the study is kept; machines may share it (default: .search/NAME.journal)",
    )
    command.set_defaults(run=search)


def _file(text: str) -> Path:
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no file; several machines may share one")
    return Path(text).resolve()


def search(arguments: argparse.Namespace) -> None:
    """Search, and print what came of it."""
    from fashion_mnist.comparison import revisions
    from fashion_mnist.parameters import Parameters
    from fashion_mnist.pipeline.parameters import PATH, load

    with extra("search", "a search"):
        from fashion_mnist.search import storage, study, trials
        from fashion_mnist.search.space import read_space
    root = revisions.find_root()
    name = arguments.study or arguments.space.stem
    where = (arguments.storage or root / storage.FOLDER / f"{name}.journal").resolve()
    parameters = load(Parameters, path=Path(os.path.relpath(root / PATH))).model_dump()
    if parameters["prepare"]["validation_size"] == 0:
        raise UserError(
            "params.yaml: a search needs images to validate on: prepare.validation_size"
        )
    space = read_space(arguments.space, parameters)
    revisions.resolve("HEAD", root)
    opened = storage.open_study(name, where, space, storage.made_of(root, space, parameters))
    locks = where.with_name(f"{where.name}.locks")
    found = study.Search(root, opened, space, study.base_seed(parameters), trials.result, locks)
    print(found(arguments.trials, arguments.seeds, arguments.hours * 3600))
