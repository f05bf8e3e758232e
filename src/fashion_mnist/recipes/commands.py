"""The subcommand of `fashion-mnist` that prints recipes."""

import argparse
from typing import Any, NoReturn

REFUSED = "no-recipe-see-the-error-above"
"""What `$(fashion-mnist recipe ...)` becomes where there is no recipe to print: a stage that DVC
does not find. With nothing in its place DVC would train what params.yaml holds."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `recipe`."""
    command = commands.add_parser(
        "recipe",
        help="a recipe as options of `dvc exp run`; without NAME a list of all",
        description="Print all that a recipe decides, for `dvc exp run $(fashion-mnist recipe "
        "NAME)`; without NAME a list of the recipes, with what was recorded of them.",
    )
    command.add_argument("name", metavar="NAME", nargs="?")
    command.add_argument(
        "--diff", action="store_true", help="print what it changes of the defaults"
    )
    told = command.error

    def error(message: str) -> NoReturn:
        print(REFUSED)
        told(message)

    command.error = error  # type: ignore[method-assign]
    command.set_defaults(run=recipe)


def recipe(arguments: argparse.Namespace) -> None:
    """Print a recipe, what it changes, or the list."""
    try:
        print(_text(arguments.name, arguments.diff))
    except BaseException:
        print(REFUSED)
        raise


def _text(name: str | None, diff: bool) -> str:
    from fashion_mnist.comparison.revisions import find_root
    from fashion_mnist.comparison.tables import table
    from fashion_mnist.parameters import Parameters, flat
    from fashion_mnist.recipes import recipes

    root = find_root()
    if name is None:
        header = ["recipe", "test accuracy", "seconds", "threads", ""]
        subjects = {each: recipes.subject(each, root) for each in recipes.names(root)}
        width = max(map(len, subjects.values()))
        rows = []
        for each, subject in subjects.items():
            made = recipes.recorded(each, root)
            rows.append([each, made.accuracy, made.seconds, made.threads, subject.ljust(width)])
        return table(header, rows)
    if diff:
        defaults = flat(Parameters().model_dump())
        found = recipes.differences(name, root).items()
        rows = [[key, _shown(defaults[key]), _shown(value)] for key, value in found]
        return table(["parameter", recipes.DEFAULT, name], rows)
    words = recipes.options(recipes.settings(name, root))
    return "\n".join(" ".join(pair) for pair in zip(words[::2], words[1::2], strict=True))


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
