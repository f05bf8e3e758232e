"""What people see: the page of `dvc plots show` and `dvc plots diff` in a browser."""

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import plots_page
import pytest
import results_repository
import yaml
from results_repository import PROJECT
from small import NAMES

from fashion_mnist.pipeline import files

COLOURS = {"workspace": "#945dd6", "main": "#13adc7"}
"""DVC's, in the order of `dvc plots diff main`."""

drawn = pytest.mark.skipif(
    (plots_page.browser() is None or not plots_page.MODULES.is_dir())
    and "REQUIRE_BROWSER" not in os.environ,  # CI installs both, and must not lose them silently
    reason="needs Chromium (apt install chromium) and Vega (npm ci --prefix tests)",
)


def definitions() -> dict[str, dict]:
    """Every Vega plot of dvc.yaml by its id."""
    flow = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
    entries = [*flow["plots"]]
    for stage in flow["stages"].values():
        entries += stage.get("plots", [])
    plots = {name: content for entry in entries for name, content in entry.items()}
    return {name: content for name, content in plots.items() if not name.endswith(".png")}


def element(plot: str) -> str:
    """The id that DVC gives to a plot's element on the page."""
    return plot.replace("/", "_").replace(".", "_")


def marks(svg: str) -> list[ElementTree.Element]:
    """The shapes and texts that stand for data: no axes, legends or titles."""
    found = []
    for group in ElementTree.fromstring(svg).iter():
        if "role-mark" in group.get("class", ""):
            found += [shape for shape in group.iter() if _is_visible(shape)]
    return found


def _is_visible(shape: ElementTree.Element) -> bool:
    """A path that only moves to a point, as a line of one point does, leaves no ink."""
    return bool(shape.text) or bool(re.search(r"[lhvcsqta]", shape.get("d", ""), re.IGNORECASE))


@pytest.fixture
def project(tmp_path):
    """On main one epoch without a validation split, in the workspace five epochs with one."""
    made = results_repository.make(tmp_path / "project")
    made.results(wrong=range(40), epochs=1)
    header = (made.root / "plots/history.csv").read_text().splitlines()[0]
    made.write("plots/history.csv", f"{header}\n1,0.7,0.7,,,0.001\n")
    made.commit()
    made.results(wrong=range(100, 120), epochs=5)
    return made


def page(project, tmp_path: Path, *command: str, screenshot: str = "") -> plots_page.Page:
    """Run a command of `dvc plots` and open its page."""
    folder = tmp_path / "page"
    subprocess.run(
        [sys.executable, "-m", "dvc", "plots", *command, "-o", str(folder)],
        cwd=project.root,
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    picture = tmp_path / screenshot if screenshot else None
    return plots_page.look(folder, tmp_path / "profile", picture)


@drawn
def test_every_plot_is_drawn_with_its_title_and_labels(project, tmp_path):
    seen = page(project, tmp_path, "show", screenshot="show.png")
    assert seen.problems == []
    assert set(seen.plots) == set(map(element, definitions()))
    assert sorted(seen.images) == [
        f"static/workspace_plots_{name}.png" for name in results_repository.PICTURES
    ]
    assert (tmp_path / "show.png").stat().st_size > 50_000
    for name, definition in definitions().items():
        svg = seen.plots[element(name)]
        assert len(marks(svg)) >= 2, name
        texts = [unescape(text.text or "") for text in ElementTree.fromstring(svg).iter()]
        for key in ("title", "x_label", "y_label"):
            assert definition[key] in texts, f"{name}: {key}"


@drawn
def test_two_revisions_with_other_epochs_and_other_splits(project, tmp_path):
    seen = page(project, tmp_path, "diff", "main", screenshot="diff.png")
    assert seen.problems == []
    assert set(seen.plots) == set(map(element, definitions()))
    assert len(seen.images) == 2 * len(results_repository.PICTURES)
    for name, svg in seen.plots.items():
        if name == "plots_predictions_csv":
            assert "main" in svg
            assert "workspace" in svg
            continue
        colours = {shape.get(kind) for shape in marks(svg) for kind in ("stroke", "fill")}
        assert set(COLOURS.values()) <= colours, name


@drawn
def test_a_revision_without_plots(project, tmp_path):
    project.git("rm", "-r", "--quiet", "--cached", "plots")
    project.git("commit", "--quiet", "--message", "no plots")
    seen = page(project, tmp_path, "diff", "main")
    assert seen.problems == []
    assert set(seen.plots) == set(map(element, definitions()))
    assert all(marks(svg) for svg in seen.plots.values())


@drawn
def test_confusion_shows_the_share_of_each_true_class(project, tmp_path):
    shirts = [index for index, label in enumerate(results_repository.ACTUAL) if label == NAMES[6]]
    project.results(wrong=shirts[:5])
    seen = page(project, tmp_path, "show", "plots/predictions.csv")
    texts = [text.text for text in marks(seen.plots["plots_predictions_csv"]) if text.text]
    assert sorted(texts) == sorted(["100"] * 9 + ["75", "25"])


def template(name: str) -> str:
    return (PROJECT / f".dvc/plots/{name}.json").read_text()


def test_templates_are_tracked_and_used():
    """A template that an old revision names and the workspace lacks breaks `dvc plots diff`."""
    kept = {path.stem for path in (PROJECT / ".dvc/plots").glob("*.json")}
    assert {definition["template"] for definition in definitions().values()} <= kept
    ignored = ["git", "check-ignore", *(f".dvc/plots/{name}.json" for name in kept)]
    assert subprocess.run(ignored, cwd=PROJECT, check=False).returncode == 1


@drawn
def test_confusion_has_all_classes_in_label_order(project, tmp_path):
    """Both axes the same ones, also where one class is never predicted: revisions line up."""
    rows = [
        [index, name, NAMES[9 - label % 3], 0.5]
        for index, (label, name) in enumerate(enumerate(NAMES))
    ]
    header = ["index", "actual", "predicted", "confidence"]
    project.write("plots/predictions.csv", files.csv_bytes(header, rows))
    seen = page(project, tmp_path, "show", "plots/predictions.csv")
    axes = [
        [text.text for text in group.iter() if text.text]
        for group in ElementTree.fromstring(seen.plots["plots_predictions_csv"]).iter()
        if "role-axis-label" in group.get("class", "")
    ]
    assert axes == [list(NAMES)] * 2


def test_bars_and_reliability_span_zero_to_one():
    bars = yaml.safe_load(template("bars_to_one"))["encoding"]
    assert bars["x"]["scale"] == {"domain": [0, 1]}
    for layer in yaml.safe_load(template("reliability"))["layer"][1:]:
        assert layer["encoding"]["x"]["scale"] == {"domain": [0, 1]}
        assert layer["encoding"]["y"]["scale"] == {"domain": [0, 1]}


def test_no_id_is_the_beginning_of_another():
    """`--targets` matches beginnings."""
    names = list(definitions())
    assert not [(a, b) for a in names for b in names if a != b and b.startswith(a)]
