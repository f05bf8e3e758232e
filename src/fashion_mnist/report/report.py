"""report.md: what a change does to the results, verdict first."""

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fashion_mnist.comparison import recorded, rendering
from fashion_mnist.comparison.compare import compare
from fashion_mnist.comparison.metrics import differing
from fashion_mnist.comparison.results import Metrics, read_metrics, read_predictions
from fashion_mnist.comparison.revisions import WORKSPACE, Revision
from fashion_mnist.comparison.summary import read_run
from fashion_mnist.comparison.tables import literal
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.report import charts, dvc_output
from fashion_mnist.report.charts import Specification
from fashion_mnist.report.garments import one_right_png
from fashion_mnist.report.judgement import cautions
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

THIS = "this pull request"
"""What readers call the workspace."""

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
        plots: all Vega-Lite specifications, by their ids in dvc.yaml.
        charts: of the plots that the text shows, by id, the path.
        images: the pictures of both revisions, by what they show.
    """

    text: str
    pictures: dict[str, bytes]
    fault: str = ""
    plots: dict[str, Specification] = field(default_factory=dict)
    charts: dict[str, str] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)


def make(base: Revision, verified: str = "") -> Report:
    """Compare the workspace with `base`.

    A base without results, or without some of them, is no error: what is missing is said. A
    workspace without them gets no verdict.

    Args:
        base: a revision.
        verified: a sentence on whether the results could be rebuilt, for the second line.

    Raises:
        UserError: DVC failed, or the package that draws the charts is not installed.
    """
    base.fetch_blobs()
    workspace = Revision(WORKSPACE, None, base.root)
    named = replace(base, name=_name(base)), replace(workspace, name=THIS)
    fault, lacking = (recorded.fault(revision) for revision in reversed(named))
    plots = {
        plot: charts.stacked(_named(specification))
        for plot, specification in dvc_output.vega(base.name, base.root).items()
    }
    drawn = {plot: f"{FOLDER}/{CHARTS[plot][0]}" for plot in CHARTS if plot in plots}
    pictures = {path: charts.png(plots[plot]) for plot, path in drawn.items()}
    garments = {
        f"{FOLDER}/misclassified_{side}.png": (revision, content)
        for side, revision in zip(("base", "new"), named, strict=True)
        if (content := revision.read(MISCLASSIFIED)) is not None
    }
    pictures |= {path: content for path, (_, content) in garments.items()}
    verdict, recalls, one_right = ([_no_verdict(fault)], [], None) if fault else _verdict(*named)
    parts = [f"## Results of {named[0].name} and of {THIS}", *filter(None, [verified]), *verdict]
    changed = "" if fault else recorded.changed_since(workspace)
    parts += [f"Note that {note}." for note in (lacking, changed) if note]
    for plot, path in drawn.items():  # what is long comes last: a cut report keeps its pictures
        alternative = CHARTS[plot][1]
        of_both = f"{alternative}: {named[0].name} and {THIS}"
        parts.append(details(alternative, picture(of_both, path)))
    if one_right:
        pictures[f"{FOLDER}/one_right.png"] = one_right
        shown = picture("Images, true classes and mistakes", f"{FOLDER}/one_right.png")
        parts.append(details("Test images that one alone gets right", shown))
    if garments:
        shown_garments = [
            f"{revision.name}:\n\n" + picture(f"Misclassified test images of {revision.name}", path)
            for path, (revision, _) in garments.items()
        ]
        parts.append(details("Misclassified test images", *shown_garments))
    parts += [
        "### Parameters",
        _parameters(base) or "No parameter differs.",
        "### Metrics",
        _metrics(*named) or "No metric differs.",
        *recalls,
    ]
    images = {
        f"{Path(path).stem} of {revision.name}": content
        for path in _images(workspace)
        for revision in named
        if (content := revision.read(path)) is not None
    }
    return Report("\n\n".join(parts) + "\n", pictures, fault, plots, drawn, images)


def _images(workspace: Revision) -> list[str]:
    """The pictures that dvc.yaml declares, but for the one that the text shows."""
    try:
        paths = recorded.result_paths(workspace, ["plots"])
    except ValueError:  # the report says that dvc.yaml cannot be read
        return []
    return [path for path in paths if path.endswith(".png") and path != MISCLASSIFIED]


def _no_verdict(reason: object) -> str:
    return f"**No verdict:** {reason}."


def _name(base: Revision) -> str:
    """A revision's name with its short commit."""
    short = (base.sha or "")[:7]
    return short if base.sha and base.sha.startswith(base.name) else f"{base.name} ({short})"


def _named(specification: dict[str, Any]) -> dict[str, Any]:
    """A specification in which DVC's word for what lies here is the reader's."""
    text = json.dumps(specification)
    for quote in "'\"":
        text = text.replace(f"{quote}{WORKSPACE}{quote}", f"{quote}{THIS}{quote}")
    return dict(json.loads(text))


def _parameters(base: Revision) -> str | None:
    found = dvc_output.parameters(base.name, base.root)
    if found is None:
        return None
    header, rows = found.split("\n", 1)
    return f"{header.replace(WORKSPACE, THIS)}\n{literal(rows)}"


def _metrics(base: Revision, new: Revision) -> str | None:
    figures: list[Metrics] = []
    for revision in (base, new):
        try:
            figures.append(read_metrics(revision))
        except UserError:  # a file that is cut: the report's first lines say so
            figures.append({})
    return differing(figures[0], figures[1], (base.name, new.name), markdown=True)


def _verdict(base: Revision, new: Revision) -> tuple[list[str], list[str], bytes | None]:
    """The verdict with its grounds and cautions; the table of recalls; images that changed."""
    try:
        comparison = compare(read_predictions(base), read_predictions(new))
    except UserError as reason:  # a first run, another test set: there is nothing to compare
        return [_no_verdict(reason)], [], None
    sentence = comparison.sentence
    verdict = [f"**{sentence[0].upper()}{sentence[1:]}**", comparison.grounds]
    with suppress(UserError):  # a dvc.lock that tells of no run
        verdict.append(" ".join(cautions(read_run(base), read_run(new))))
    recalls = []
    if comparison.recalls["difference"].any():
        table = rendering.recalls(comparison, markdown=True)
        recalls.append(details("Recall of each class", table))
    return verdict, recalls, one_right_png(comparison, base.root)


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
