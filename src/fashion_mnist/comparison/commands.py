"""The subcommands of `fashion-mnist` that show, check and compare results."""

import argparse
import sys
from contextlib import suppress

from fashion_mnist.arguments import positive_number
from fashion_mnist.pipeline.errors import UserError

MUST_RUN = 3
"""The status of `current` where the results are others; 1 is a defect, 2 a user's mistake."""

UNKNOWN = 3
"""The status of `verify` where neither equal nor other bytes could be shown."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `show`, `current`, `verify`, `compare` and `summarize`."""
    command = commands.add_parser(
        "show",
        help="the results of the last run in the workspace",
        description="Print validation and test accuracy of the workspace, and where the plots are.",
    )
    command.set_defaults(run=show)

    command = commands.add_parser(
        "current",
        help="whether the results are those of the present code, parameters and data",
        description="Hold dvc.lock against what lies here and print what has changed. "
        f"Status: 0, all is recorded; {MUST_RUN}, the pipeline must run, with the reasons.",
    )
    command.set_defaults(run=current)

    command = commands.add_parser(
        "verify",
        help="whether a commit's results can be rebuilt here to the byte",
        description="Run a commit's pipeline from nothing in a temporary copy; compare the bytes "
        "and print which are the same. "
        f"Status: 0, all are the same; 1, some are others; {UNKNOWN}, it could not be shown.",
    )
    command.add_argument("revision", metavar="REV", nargs="?", default="HEAD", help="default: HEAD")
    command.add_argument(
        "--minutes",
        type=positive_number(),
        default=60.0,
        help="to wait for it at most; default: 60",
    )
    command.set_defaults(run=verify)

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
    if changed := recorded.changed_since(workspace):
        print(changed)
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
    metrics = results.read_metrics(old), results.read_metrics(new)
    recorded.tell_what_has_changed(old, new)
    if arguments.json:
        print(rendering.as_json(found, metrics))
    else:
        print(rendering.text(found, metrics, markdown=arguments.md))


def summarize(arguments: argparse.Namespace) -> None:
    """Print count, mean and standard deviation of each variant, and which beat the baseline."""
    from fashion_mnist.comparison import recorded, revisions, summary, verdicts

    root = revisions.find_root()
    named = [revisions.resolve(name, root) for name in arguments.revisions]
    runs = [summary.read_run(revision) for revision in named]
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
    recorded.tell_what_has_changed(*named)
    print(
        verdicts.as_json(found, judged)
        if arguments.json
        else verdicts.text(found, judged, markdown=arguments.md)
    )
