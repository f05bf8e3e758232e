"""What people see: the page of `dvc plots show` and `dvc plots diff` in a browser."""

import os
import re
import subprocess
from html import unescape
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import plots_page
import pytest
import results_repository
import yaml
from results_repository import PROJECT
from small import CLASSES, NAMES

from fashion_mnist.evaluation import figures
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.splits import Split

COLOURS = {"main": "#0b3c7d", "between": "#b8336a", "workspace": "#ee8f00"}
"""The base's, another's, and that of the revision which is judged."""

VERDICTS = {"better": "#1b7837", "worse": "#762a83"}
"""In the difference of two confusions."""

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


def texts(svg: str) -> list[str]:
    """All that is written, in the order of the document."""
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def colours(svg: str) -> set[str]:
    """Of lines and areas that stand for data."""
    return {shape.get(kind) for shape in marks(svg) for kind in ("stroke", "fill")}


def _is_visible(shape: ElementTree.Element) -> bool:
    """A path that only moves to a point, as a line of one point does, leaves no ink."""
    return bool(shape.text) or bool(re.search(r"[lhvcsqta]", shape.get("d", ""), re.IGNORECASE))


@pytest.fixture(scope="module")
def garments() -> bytes:
    """The picture of the stage evaluate, of one mistake."""
    one, other = np.array([0]), np.array([1])
    split = Split(np.zeros((1, 1, 28, 28), np.float32), one, 0.0, 1.0, CLASSES, one)
    return figures.misclassified_png(split, other, one)


@pytest.fixture
def project(tmp_path, garments):
    """On main one epoch without a validation split, in the workspace five epochs with one."""
    made = results_repository.make(tmp_path / "project")
    made.results(wrong=range(40), epochs=1)
    made.write("plots/misclassified.png", garments)
    header = (made.root / "plots/history.csv").read_text().splitlines()[0]
    made.write("plots/history.csv", f"{header}\n1,0.7,0.7,,,0.001\n")
    made.commit()
    made.results(wrong=range(100, 120), epochs=5)
    made.write("plots/misclassified.png", garments)
    return made


def page(project, tmp_path: Path, *command: str, screenshot: str = "") -> plots_page.Page:
    """Run a command of `dvc plots` and open its page."""
    folder = tmp_path / "page"
    subprocess.run(
        ["dvc", "plots", *command, "-o", str(folder)],
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
    assert seen.right <= plots_page.WIDTH
    assert (tmp_path / "show.png").stat().st_size > 50_000
    for name, definition in definitions().items():
        svg = seen.plots[element(name)]
        assert len(marks(svg)) >= 2, name
        told = [unescape(text) for text in texts(svg)]
        for key in ("title", "x_label", "y_label"):
            assert definition[key] in told, f"{name}: {key}"


@drawn
def test_two_revisions_with_other_epochs_and_other_splits(project, tmp_path):
    seen = page(project, tmp_path, "diff", "main", screenshot="diff.png")
    assert seen.problems == []
    assert set(seen.plots) == set(map(element, definitions()))
    assert len(seen.images) == 2 * len(results_repository.PICTURES)
    assert seen.right <= plots_page.WIDTH
    for name, svg in seen.plots.items():
        told = [text for text in texts(svg) if text in COLOURS]
        assert told == ["main", "workspace"], name
        if name != "plots_predictions_csv":
            assert {COLOURS["main"], COLOURS["workspace"]} <= colours(svg), name
            assert COLOURS["between"] not in colours(svg), name


@pytest.mark.slow
@drawn
def test_three_revisions_at_once(project, tmp_path):
    project.git("switch", "--quiet", "--create", "between")
    project.commit()
    project.results(wrong=range(10), epochs=2)
    seen = page(project, tmp_path, "diff", "main", "between", "workspace", screenshot="three.png")
    assert seen.problems == []
    assert max(map(len, seen.plots.values())) > 0
    for name, svg in seen.plots.items():
        assert [text for text in texts(svg) if text in COLOURS] == list(COLOURS), name
        if name != "plots_predictions_csv":
            assert set(COLOURS.values()) <= colours(svg), name


def test_colours_are_told_apart_with_deuteranopia_and_in_grey():
    """Distances in CIELAB, seen by Machado et al. (2009), and its lightness alone."""
    seen = [lab(DEUTERANOPIA @ linear(colour)) for colour in COLOURS.values()]
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(one - other) > 50
    better, worse = (lab(DEUTERANOPIA @ linear(colour)) for colour in VERDICTS.values())
    assert np.linalg.norm(better - worse) > 50
    lightness = [lab(linear(colour))[0] for colour in COLOURS.values()]
    assert min(b - a for a, b in pairwise(lightness)) > 15
    for path in (PROJECT / ".dvc/plots").glob("*.json"):
        told = set(re.findall("'(#[0-9a-f]{6})'", path.read_text()))
        assert told <= {*COLOURS.values(), "#777777", "#b0b0b0"}, path


DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.95047], [1], [1.08883]])
"""From linear sRGB, relative to white."""


def linear(colour: str) -> np.ndarray:
    """Linear sRGB, 0 to 1, of a colour such as #0b3c7d."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear sRGB."""
    xyz = XYZ @ rgb.clip(0, 1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.slow
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
    svg = seen.plots["plots_predictions_csv"]
    told = [text.text for text in marks(svg) if text.text]
    assert sorted(told) == sorted(["100"] * 9 + ["75", "25"])


@pytest.mark.slow
@drawn
def test_two_revisions_differ_by_images_in_a_picture_of_its_own(project, tmp_path):
    """On main four of each class are wrong, in the workspace two: cells that are shaded tell how
    many images more or fewer; a cell that is empty in both tells nothing."""
    seen = page(project, tmp_path, "diff", "main", "--targets", "plots/predictions.csv")
    svg = seen.plots["plots_predictions_csv"]
    assert "workspace less main, in images: green is better, purple worse" in texts(svg)
    told = [text.text for text in marks(svg) if text.text]
    assert sorted(text for text in told if text[0] in "+-") == ["+2"] * 10 + ["-2"] * 10
    assert set(VERDICTS.values()) & colours(svg) == {VERDICTS["better"]}
    alone = page(project, tmp_path, "show", "plots/predictions.csv")
    assert "less" not in " ".join(texts(alone.plots["plots_predictions_csv"]))


@drawn
def test_curves_mark_the_chosen_epoch_and_have_whole_epochs(project, tmp_path):
    """The highest validation accuracy, of equals the lower loss; without validation the last."""
    header = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,lr"
    chosen = {
        "1,.9,.5,.9,.5,.1\n2,.8,.7,.7,.8,.1\n3,.1,.9,.5,.8,.1\n": 3,
        "1,.9,.5,.9,.5,.1\n2,.8,.7,.7,.8,.1\n3,.1,.9,.9,.8,.1\n": 2,
        "1,.9,.5,,,.1\n2,.8,.6,,,.1\n": 2,
        "1,.9,.5,.9,.5,.1\n": 1,
    }
    for rows, epoch in chosen.items():
        project.write("plots/history.csv", f"{header}\n{rows}")
        seen = page(project, tmp_path, "show", "plots/history.csv", "Loss")
        whole = [str(n) for n in range(1, rows.count("\n") + 1)]
        for svg in seen.plots.values():
            told = texts(svg)
            assert told[: told.index("Epoch")] == whole
        marked = [
            re.search(r"Epoch: (\d+)", shape.get("aria-label"))[1]
            for shape in marks(seen.plots["Loss"])
            if shape.get("fill") == "white"
        ]
        assert set(marked) == {str(epoch)}
        assert {"training", "validation"} <= set(texts(seen.plots["Loss"]))


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
    rows = [[label, name, NAMES[9 - label % 3], 0.5] for label, name in enumerate(NAMES)]
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
    for name in ("bars_to_one", "reliability"):
        scales = re.findall(r'"domain": \[\s*0,\s*1\s*\]', template(name))
        assert len(scales) >= 2


def test_no_id_is_the_beginning_of_another():
    """`--targets` matches beginnings."""
    names = list(definitions())
    assert not [(a, b) for a in names for b in names if a != b and b.startswith(a)]
