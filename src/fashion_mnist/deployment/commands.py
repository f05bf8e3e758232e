"""The subcommands of `fashion-mnist` that take the model, or the pipeline, away from here."""

import argparse
import sys
from pathlib import Path

from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `predict`, `export`, `card` and `own`."""
    command = commands.add_parser(
        "predict",
        help="the class of pictures of your own",
        description="Print the class of each picture, its probability, and the next two.",
    )
    command.add_argument(
        "pictures", metavar="PICTURE", nargs="+", help="file, folder, or - for stdin"
    )
    _add_model(command)
    command.add_argument("-r", "--rev", metavar="REV", help="the model of a revision, through DVC")
    formats = command.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON")
    formats.add_argument("--csv", action="store_true", help="print CSV")
    command.add_argument(
        "--show", metavar="FILE", type=Path, help="write a PNG of what the network saw"
    )
    command.set_defaults(run=predict)

    command = commands.add_parser(
        "export",
        help="the model as an ONNX file",
        description="Write a network as ONNX (uint8 images in, logits out, class names with it); "
        "prints the file and its size.",
    )
    command.add_argument("file", metavar="FILE.onnx", type=Path)
    _add_model(command)
    command.set_defaults(run=export)

    command = commands.add_parser(
        "card",
        help="a model card",
        description="Print a model card in Markdown, made of dvc.lock and what it records.",
    )
    command.set_defaults(run=card)

    command = commands.add_parser(
        "own",
        help="make params.yaml fit images of your own",
        description="Take a folder of train/NAME/*.png and test/NAME/*.png, or of the four IDX "
        "files: write params.yaml, and print the command that runs the pipeline on it.",
    )
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command.set_defaults(run=own)


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model", metavar="FILE", type=Path, help="a checkpoint or ONNX file (default: the best)"
    )


def predict(arguments: argparse.Namespace) -> None:
    """Print predictions; what could not be read is told at the end, with exit status 2."""
    from fashion_mnist.deployment import models, prediction

    if arguments.rev and arguments.model:
        raise UserError("give --model or --rev, not both")
    if arguments.rev:
        model = models.load_revision(arguments.rev)
    else:
        model = models.load(_model(arguments.model))
    seen, mistakes = prediction.read_pictures(arguments.pictures)
    made = prediction.predict(model, seen)
    if arguments.show and seen:
        files.write({arguments.show: prediction.sheet_png(seen, made)})
    as_wanted = prediction.text
    if arguments.json or arguments.csv:
        as_wanted = prediction.as_json if arguments.json else prediction.as_csv
    if output := as_wanted(made):
        print(output)
    if mistakes:
        sys.stdout.flush()
        raise UserError("\n".join(mistakes))


def export(arguments: argparse.Namespace) -> None:
    """Write the ONNX file."""

    if arguments.file.suffix != ".onnx":
        raise UserError(f"{arguments.file}: an ONNX file's name ends in .onnx")
    path = _model(arguments.model)
    from fashion_mnist.deployment import record
    from fashion_mnist.deployment.export import to_onnx

    try:
        results = record.results(path, _root(path.resolve().parent))
    except UserError as reason:
        print(f"the file will not hold the model's accuracy: {reason}", file=sys.stderr)
        results = {}
    content = to_onnx(path, results)
    files.write({arguments.file: content})
    print(f"{arguments.file}  {len(content):,} bytes")


def card(_: argparse.Namespace) -> None:
    """Print the model card."""
    from fashion_mnist.deployment.card import markdown

    print(markdown(_root()), end="")


def own(arguments: argparse.Namespace) -> None:
    """Write params.yaml, and IDX files where the folder holds pictures."""
    from fashion_mnist.comparison import revisions
    from fashion_mnist.deployment.own import adopt

    print(adopt(arguments.folder, revisions.find_root()))


def _model(given: Path | None) -> Path:
    """The file of a model: the one that was given, else the best checkpoint of the repository.

    Raises:
        UserError: there is none.
    """
    from fashion_mnist.deployment.models import CHECKPOINT

    root = _root()
    path = given or root / CHECKPOINT
    if given or path.exists():
        return path
    if not (root / ".dvc").is_dir():
        raise UserError(f"{root} is in no clone of the project: name a model by --model FILE")
    raise UserError(f"{path}: no such file; `dvc repro` makes it")


def _root(*others: Path) -> Path:
    """The folder of the DVC repository that a folder lies in, the working folder as the last.

    Asking DVC itself would take longer than a prediction. Without one, the working folder.
    """
    here = Path.cwd()
    folders = [above for folder in (*others, here) for above in (folder, *folder.parents)]
    return next((folder for folder in folders if (folder / ".dvc").is_dir()), here)
