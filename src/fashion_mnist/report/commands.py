"""The subcommands of `fashion-mnist` that write pictures and the report."""

import argparse
from pathlib import Path

from fashion_mnist.pipeline.errors import UserError


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `report` and `draw`."""
    command = commands.add_parser(
        "report",
        help="report.md and its pictures for a pull request",
        description="Write report.md and report/*.png: the workspace against a base. "
        "Prints the path of each page.",
    )
    command.add_argument("--base", required=True, metavar="REV", help="such as origin/main")
    command.add_argument(
        "--verified",
        metavar="FILE",
        type=Path,
        help="what `verify` has printed, for the second line",
    )
    command.add_argument(
        "--html",
        metavar="FILE",
        type=Path,
        help="write the report and all plots as one page, too, which opens without a network",
    )
    command.set_defaults(run=report)

    command = commands.add_parser(
        "draw",
        help="the plots of `dvc plots` as PNGs",
        description="Draw the plots of the workspace, and of a base beside it, into a folder. "
        "Prints the path of each picture.",
    )
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command.add_argument("--base", metavar="REV", help="a revision to draw beside the workspace")
    command.set_defaults(run=draw)


def report(arguments: argparse.Namespace) -> None:
    """Write report.md and its pictures into the repository."""
    from fashion_mnist.comparison import revisions
    from fashion_mnist.pipeline import files
    from fashion_mnist.report import report

    root, verified = revisions.find_root(), ""
    if arguments.verified is not None:
        try:
            verified = arguments.verified.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"--verified {arguments.verified}: {error.strerror}") from None
    made = report.make(revisions.resolve(arguments.base, root), verified.strip())
    report.write(made, root)
    print(root / report.REPORT)
    if arguments.html is not None:
        from fashion_mnist.report.page import page

        files.write({arguments.html: page(made)})
        print(arguments.html)
    if made.fault:  # the report says so too
        raise UserError(made.fault)


def draw(arguments: argparse.Namespace) -> None:
    """Write a PNG for each plot into a folder."""
    from fashion_mnist.comparison import recorded, revisions
    from fashion_mnist.pipeline import files
    from fashion_mnist.report import charts, dvc_output

    root, base = revisions.find_root(), arguments.base
    workspace = revisions.resolve(revisions.WORKSPACE, root)
    recorded.check_whole(workspace)
    if base is not None:
        revisions.resolve(base, root).fetch_blobs()
    recorded.tell_what_has_changed(workspace)
    shown = charts.anonymous if base is None else charts.stacked
    pictures = {
        arguments.folder / f"{Path(plot).stem.lower()}.png": charts.png(shown(specification))
        for plot, specification in dvc_output.vega(base, root).items()
    }
    files.write(pictures)
    print("\n".join(map(str, pictures)))
