"""The console script `fashion-mnist`."""

import argparse
import math
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

from fashion_mnist.deployment import commands as deployment
from fashion_mnist.pipeline import stage
from fashion_mnist.pipeline.errors import UserError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

MUST_RUN = 3
"""The status of `current` where the results are others; 1 is a defect, 2 a user's mistake."""

UNKNOWN = 3
"""The status of `verify` where neither equal nor other bytes could be shown."""


def main() -> None:
    """Run one subcommand; exit codes as those of the stages."""
    parser = argparse.ArgumentParser(prog="fashion-mnist", description=__doc__)
    installed = version("fashion-mnist")
    parser.add_argument("--version", action="version", version=f"fashion-mnist {installed}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "show",
        help="the results of the last run in the workspace",
        description="Print validation and test accuracy of the workspace, and where the plots are.",
    )
    command.set_defaults(run=show)
    _add_current(commands)
    _add_verify(commands)
    _add_compare(commands)
    _add_summarize(commands)
    _add_search(commands)
    _add_report(commands)
    _add_draw(commands)
    _add_own(commands)
    deployment.add_to(commands)
    arguments = parser.parse_args()
    stage.run(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> None:
    try:
        arguments.run(arguments)
    except BrokenPipeError:  # `| head` has read enough; what is left must not be flushed either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _add_current(commands: Commands) -> None:
    command = commands.add_parser(
        "current",
        help="whether the results are those of the present code, parameters and data",
        description="Hold dvc.lock against what lies here and print what has changed. "
        f"Status: 0, all is recorded; {MUST_RUN}, the pipeline must run, with the reasons.",
    )
    command.set_defaults(run=current)


def _add_verify(commands: Commands) -> None:
    command = commands.add_parser(
        "verify",
        help="whether a commit's results can be rebuilt here to the byte",
        description="Run a commit's pipeline from nothing in a temporary copy; compare the bytes "
        "and print which are the same. "
        f"Status: 0, all are the same; 1, some are others; {UNKNOWN}, it could not be shown.",
    )
    command.add_argument("revision", metavar="REV", nargs="?", default="HEAD", help="default: HEAD")
    command.add_argument(
        "--minutes", type=float, default=60.0, help="to wait for it at most; default: 60"
    )
    command.set_defaults(run=verify)


def _add_compare(commands: Commands) -> None:
    command = commands.add_parser(
        "compare",
        help="whether B is better than A on the test split",
        description="Compare the test predictions of two revisions image by image. Prints the "
        "verdict with its grounds, metrics, recall by class, and images that only one gets right.",
    )
    command.add_argument("a", metavar="A", help="branch, tag, commit, experiment or `workspace`")
    command.add_argument(
        "b", metavar="B", nargs="?", default="workspace", help="default: workspace"
    )
    _add_formats(command)
    command.set_defaults(run=compare)


def _add_summarize(commands: Commands) -> None:
    command = commands.add_parser(
        "summarize",
        help="mean and spread of each variant over its seeds",
        description="Group experiments that differ in train.seed alone, and judge each variant "
        "against a baseline on the test split. Prints a row for each, best validation first: its "
        "seeds, mean ± standard deviation of the accuracies, and the judgement.",
    )
    command.add_argument(
        "revisions",
        metavar="REV",
        nargs="*",
        help="also these branches, tags, commits, experiments",
    )
    command.add_argument(
        "-A",
        "--all-commits",
        action="store_true",
        help="experiments that start from any commit (default: from HEAD)",
    )
    command.add_argument(
        "--baseline",
        metavar="REV",
        help="judge the others against the variant of this run (default: HEAD, what is committed)",
    )
    _add_formats(command)
    command.set_defaults(run=summarize)


def _add_search(commands: Commands) -> None:
    command = commands.add_parser(
        "search",
        help="a good recipe within the bounds of SPACE.yaml, by validation alone",
        description="Try recipes as experiments, in copies of the repository; print the ten best, "
        "the spread over seeds of the first three, and the command that runs the winner. What is "
        "interrupted goes on when it is started again; several may share a study.",
    )
    command.add_argument("space", metavar="SPACE.yaml", type=Path)
    command.add_argument("--trials", type=int, default=50, help="in all (default: %(default)s)")
    command.add_argument("--hours", type=float, default=math.inf, help="begin no trial after them")
    command.add_argument(
        "--seeds", type=int, default=3, help="for each of the first three (default: %(default)s)"
    )
    command.add_argument("--study", metavar="NAME", help="default: the file's name, without .yaml")
    command.add_argument(
        "--storage",
        metavar="FILE|URL",
        help="where the study is kept: a file, which machines may share, or a database "
        "(default: .search/NAME.journal)",
    )
    command.set_defaults(run=search)


def _add_report(commands: Commands) -> None:
    command = commands.add_parser(
        "report",
        help="report.md and its pictures for a pull request",
        description="Write report.md and report/*.png: the workspace against a base. "
        "Prints the path of report.md.",
    )
    command.add_argument("--base", required=True, metavar="REV", help="such as origin/main")
    command.add_argument(
        "--verified",
        metavar="FILE",
        type=Path,
        help="what `verify` has printed, for the second line",
    )
    command.set_defaults(run=report)


def _add_draw(commands: Commands) -> None:
    command = commands.add_parser(
        "draw",
        help="the plots of `dvc plots` as PNGs",
        description="Draw the plots of the workspace, and of a base beside it, into a folder. "
        "Prints the path of each picture.",
    )
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command.add_argument("--base", metavar="REV", help="a revision to draw beside the workspace")
    command.set_defaults(run=draw)


def _add_own(commands: Commands) -> None:
    command = commands.add_parser(
        "own",
        help="make params.yaml fit images of your own",
        description="Take a folder of train/NAME/*.png and test/NAME/*.png, or of the four IDX "
        "files: write params.yaml, and print the command that runs the pipeline on it.",
    )
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command.set_defaults(run=adopt)


def _add_formats(command: argparse.ArgumentParser) -> None:
    formats = command.add_mutually_exclusive_group()
    formats.add_argument("--md", action="store_true", help="print Markdown")
    formats.add_argument("--json", action="store_true", help="print JSON")


def show(_: argparse.Namespace) -> None:
    """Print validation and test accuracy, where the plots are, and whether all is as committed."""
    from fashion_mnist.comparison import recorded, reproduction, results, revisions

    root = revisions.find_root()
    workspace = revisions.resolve(revisions.WORKSPACE, root)
    recorded.check_whole(workspace)
    figures = results.read_metrics(workspace)
    if "validation_accuracy" in figures:
        accuracy = figures["validation_accuracy"]
        print(f"validation accuracy  {accuracy:.4f} (epoch {figures['best_epoch']:.0f})")
    print(
        f"test accuracy        {figures['accuracy']:.4f}, 95 % interval "
        f"{figures['accuracy_low']:.4f} to {figures['accuracy_high']:.4f}"
    )
    print("plots                plots/, or `dvc plots show` for a page of all")
    with suppress(UserError):  # no Git, or no commit yet
        print(reproduction.beside_commit(workspace, revisions.resolve("HEAD", root)))


def current(_: argparse.Namespace) -> None:
    """Print whether the pipeline must run, and why."""
    from fashion_mnist.comparison import recorded, revisions

    if reasons := recorded.outdated(revisions.find_root()):
        print("\n".join(reasons))
        sys.exit(MUST_RUN)
    print("the results are those of the present code, parameters and data")


def verify(arguments: argparse.Namespace) -> None:
    """Print in one sentence whether a commit's results were rebuilt to the byte."""
    from fashion_mnist.comparison import reproduction, revisions

    revision = revisions.resolve(arguments.revision, revisions.find_root())
    found = reproduction.rebuild(revision, arguments.minutes)
    print(found.sentence)
    sys.exit({"same": 0, "other": 1, "unknown": UNKNOWN}[found.outcome])


def compare(arguments: argparse.Namespace) -> None:
    """Print the verdict on two revisions and what changed from A to B."""
    from fashion_mnist.comparison import compare, recorded, rendering, results, revisions

    root = revisions.find_root()
    old, new = (revisions.resolve(name, root) for name in (arguments.a, arguments.b))
    for revision in (old, new):
        recorded.check_whole(revision)
    found = compare.compare(*(results.read_predictions(revision) for revision in (old, new)))
    metrics = compare.changes(*(results.read_metrics(revision) for revision in (old, new)))
    if arguments.json:
        print(rendering.as_json(found, metrics))
    else:
        print(rendering.text(found, metrics, markdown=arguments.md))


def summarize(arguments: argparse.Namespace) -> None:
    """Print count, mean and standard deviation of each variant, and which beat the baseline."""
    from fashion_mnist.comparison import revisions, summary, verdicts

    root = revisions.find_root()
    runs = [summary.read_run(revisions.resolve(name, root)) for name in arguments.revisions]
    for experiment in revisions.experiments(root, everywhere=arguments.all_commits):
        try:
            runs.append(summary.read_run(experiment))
        except UserError as reason:  # an old or half-made experiment must not hide the others
            print(f"left out: {reason}", file=sys.stderr)
    if not runs:
        raise UserError(
            "no experiments start from HEAD; -A takes those of every commit, REV names more"
        )
    baseline = None
    try:
        baseline = summary.read_run(revisions.resolve(arguments.baseline or "HEAD", root))
    except UserError as reason:
        if arguments.baseline:
            raise
        print(f"no baseline: {reason}", file=sys.stderr)
    found = summary.summarize(runs, baseline)
    judged = verdicts.judge(found)
    print(
        verdicts.as_json(found, judged)
        if arguments.json
        else verdicts.text(found, judged, markdown=arguments.md)
    )


def search(arguments: argparse.Namespace) -> None:
    """Search, and print what came of it."""
    from fashion_mnist.comparison import revisions
    from fashion_mnist.pipeline.parameters import load

    try:
        from fashion_mnist.search import study, trials
        from fashion_mnist.search.space import read_space
    except ModuleNotFoundError as error:
        raise UserError(
            f'a search needs {error.name}: pip install -c constraints.txt -e ".[search]"'
        ) from None
    path, root = arguments.space.resolve(), revisions.find_root()
    os.chdir(root)
    sys.path.insert(0, str(root))
    from stages.check import File

    parameters = load(File).model_dump()
    if parameters["prepare"]["validation_size"] == 0:
        raise UserError(
            "params.yaml: a search needs images to validate on: prepare.validation_size"
        )
    space = read_space(Path(os.path.relpath(path)), parameters, File)
    revisions.resolve("HEAD", root)
    name = arguments.study or path.stem
    storage = arguments.storage or str(root / study.FOLDER / f"{name}.journal")
    opened = study.open_study(name, storage, space, study.made_of(root, space, parameters))
    found = study.Search(root, opened, space, study.base_seed(parameters), trials.run)
    print(found(arguments.trials, arguments.seeds, arguments.hours * 3600))


def report(arguments: argparse.Namespace) -> None:
    """Write report.md and its pictures into the repository."""
    from fashion_mnist.comparison import revisions
    from fashion_mnist.report import report

    root = revisions.find_root()
    verified = "" if arguments.verified is None else arguments.verified.read_text(encoding="utf-8")
    made = report.make(revisions.resolve(arguments.base, root), verified.strip())
    report.write(made, root)
    print(root / report.REPORT)
    if made.fault:  # the report says so too
        raise UserError(made.fault)


def draw(arguments: argparse.Namespace) -> None:
    """Write a PNG for each plot into a folder."""
    from fashion_mnist.comparison import recorded, revisions
    from fashion_mnist.pipeline import files
    from fashion_mnist.report import charts, dvc_output

    root, base = revisions.find_root(), arguments.base
    recorded.check_whole(revisions.resolve(revisions.WORKSPACE, root))
    if base is not None:
        revisions.resolve(base, root).fetch_blobs()
    pictures = {
        arguments.folder / f"{Path(plot).stem.lower()}.png": charts.png(specification)
        for plot, specification in dvc_output.vega(base, root).items()
    }
    files.write(pictures)
    print("\n".join(map(str, pictures)))


def adopt(arguments: argparse.Namespace) -> None:
    """Write params.yaml, and IDX files where the folder holds pictures."""
    from fashion_mnist.comparison import revisions
    from fashion_mnist.deployment import own

    print(own.adopt(arguments.folder, revisions.find_root()))
