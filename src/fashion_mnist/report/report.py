"""report.md: what a change does to the results, verdict first."""

from dataclasses import dataclass
from pathlib import Path

from fashion_mnist.comparison import recorded, rendering
from fashion_mnist.comparison.compare import compare
from fashion_mnist.comparison.results import read_predictions
from fashion_mnist.comparison.revisions import WORKSPACE, Revision
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.report import charts, dvc_output
from fashion_mnist.report.markdown import details, picture, shorten

REPORT = "report.md"
FOLDER = "report"
FULL = f"{FOLDER}/full.md"
CHARTS = {
    "Loss": ("loss.png", "Loss of each epoch"),
    "Accuracy": ("accuracy.png", "Accuracy of each epoch"),
    "plots/predictions.csv": ("confusion.png", "Confusion on the test split"),
}
"""Plots of dvc.yaml by id: the file and the alternative text of each."""

MISCLASSIFIED = "plots/misclassified.png"
CUT = (
    "*The rest is left out, since a comment may not be longer; in the run's artifacts "
    f"{FULL} holds all of it.*"
)


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        text: Markdown.
        pictures: by the path that the text names.
        fault: the sentence on results that are missing or broken; empty where all is there.
    """

    text: str
    pictures: dict[str, bytes]
    fault: str = ""


def make(base: Revision) -> Report:
    """Compare the workspace with `base`.

    A base without results, or without some of them, is no error: what is missing is said. A
    workspace without them gets no verdict.

    Raises:
        UserError: DVC failed, or the package that draws the charts is not installed.
    """
    base.fetch_blobs()
    workspace = Revision(WORKSPACE, None, base.root)
    fault, lacking = (recorded.fault(revision) for revision in (workspace, base))
    specifications = dvc_output.vega(base.name, base.root)
    drawn = {plot: charts.png(specifications[plot]) for plot in CHARTS if plot in specifications}
    pictures = {f"{FOLDER}/{CHARTS[plot][0]}": content for plot, content in drawn.items()}
    garments = {
        f"{FOLDER}/misclassified_{side}.png": (revision, content)
        for side, revision in (("base", base), ("new", workspace))
        if (content := revision.read(MISCLASSIFIED)) is not None
    }
    pictures |= {path: content for path, (_, content) in garments.items()}
    verdict, recalls = ([_no_verdict(fault)], []) if fault else _verdict(base, workspace)
    parts = [f"## Results of {base.name} and of this change ({WORKSPACE})", *verdict]
    if lacking:
        parts.append(f"Note that {lacking}.")
    for plot in drawn:  # what is long comes last: a report that is cut keeps its pictures
        name, alternative = CHARTS[plot]
        of_both = f"{alternative}: {base.name} and {WORKSPACE}"
        parts.append(details(alternative, picture(of_both, f"{FOLDER}/{name}")))
    if garments:
        shown = [
            picture(f"Misclassified test images of {revision.name}", path)
            for path, (revision, _) in garments.items()
        ]
        parts.append(details("Misclassified test images", *shown))
    parts += [
        "### Parameters",
        dvc_output.table("params", base.name, base.root) or "No parameter differs.",
        "### Metrics",
        dvc_output.table("metrics", base.name, base.root) or "No metric differs.",
        *recalls,
    ]
    return Report("\n\n".join(parts) + "\n", pictures, fault)


def _no_verdict(reason: object) -> str:
    return f"**No verdict:** {reason}."


def _verdict(base: Revision, workspace: Revision) -> tuple[list[str], list[str]]:
    """The verdict with its grounds, and the table of recalls; each empty where there is none."""
    try:
        comparison = compare(read_predictions(base), read_predictions(workspace))
    except UserError as reason:  # a first run, another test set: there is nothing to compare
        return [_no_verdict(reason)], []
    verdict = [f"**{comparison.sentence}**", comparison.grounds]
    if not comparison.recalls["difference"].any():
        return verdict, []
    table = rendering.recalls(comparison, markdown=True)
    return verdict, [details("Recall of each class", table)]


def write(report: Report, root: Path) -> None:
    """Put report.md and its pictures into the repository; the full text too where it is cut."""
    text = shorten(report.text, CUT)
    contents = {root / path: content for path, content in report.pictures.items()}
    contents[root / REPORT] = text.encode()
    if text != report.text:
        contents[root / FULL] = report.text.encode()
    files.write(contents)
    for old in [*(root / FOLDER).glob("*.png"), root / FULL]:  # an earlier report may have had more
        if old not in contents:
            old.unlink(missing_ok=True)
