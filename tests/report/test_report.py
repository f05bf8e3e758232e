"""`fashion-mnist report` on handmade results.

tests/test_workflows.py has the cases of a base without results and of no difference.
"""

import io
import json
import re
import sys

import console
import numpy as np
import pandas as pd
import pytest
import report_rules
import results_repository
import small
from matplotlib.image import imread

from fashion_mnist.comparison import programs
from fashion_mnist.comparison.compare import compare
from fashion_mnist.comparison.results import Predictions
from fashion_mnist.pipeline import files, splits
from fashion_mnist.pipeline.splits import Split
from fashion_mnist.report import charts, dvc_output, garments
from fashion_mnist.report.report import Report, write


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Twenty mistakes on main, five in the workspace, made with another learning rate."""
    made = results_repository.make(tmp_path / "project")
    made.results(wrong=range(20))
    made.commit()
    made.results(wrong=range(5), lr=0.003, epochs=4)
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def reported(project, monkeypatch):
    """Write the report against a base; its text."""

    def report(base="main"):
        assert console.run(monkeypatch, "report", "--base", base) == 0
        return report_rules.check(project.root)

    return report


def test_verdict_tables_and_pictures(project, reported):
    project.write("plots/misclassified.png", b"\x89PNG of the workspace")
    project.record()
    text = reported()
    heading, _, verdict, *_ = text.splitlines()
    main = f"main ({project.git('rev-parse', 'HEAD')[:7]})"
    assert heading == f"## Results of {main} and of this pull request"
    told = f"**This pull request is better than {main} on this test set: accuracy 0.9000"
    assert verdict.startswith(told)
    assert "One seed each" in text.split("\n\n")[3]
    assert re.search(
        r"^\| Accuracy \| 0.9000\b.* \| 0.9750\b.* \| \+0.0750 \| better \|$", text, re.M
    )
    assert "| params.yaml | train.lr | 0.001  | 0.003       |" in text
    assert "workspace" not in text
    names = ("loss", "accuracy", "confusion", "misclassified_base", "misclassified_new")
    for name in names:
        assert f"](report/{name}.png)" in text
    kept = project.root / "report"
    assert {path.name for path in kept.iterdir()} == {f"{name}.png" for name in names}
    base = (results_repository.PROJECT / "plots/misclassified.png").read_bytes()
    assert (kept / "misclassified_base.png").read_bytes() == base
    assert (kept / "misclassified_new.png").read_bytes() == b"\x89PNG of the workspace"


def test_the_base_comes_first_in_every_picture_table_and_sentence(project, reported):
    """Also one whose name sorts last: DVC itself puts the workspace first."""
    vl_convert = pytest.importorskip("vl_convert")
    project.git("branch", "zeta", "main")
    specifications = dvc_output.vega("zeta", project.root)
    for plot, specification in specifications.items():
        svg = vl_convert.vegalite_to_svg(json.dumps(specification))
        assert re.findall(">(zeta|workspace)<", svg) == ["zeta", "workspace"], plot
    for line in reported("zeta").splitlines():
        if "zeta" in line and "this pull request" in line and " than " not in line:
            assert line.index("zeta") < line.index("this pull request"), line


def test_a_base_alone_has_the_colour_that_it_has_beside_another(project):
    """Where the workspace lacks a plot."""
    vl_convert = pytest.importorskip("vl_convert")
    (project.root / "plots/history.csv").unlink()
    loss = dvc_output.vega("main", project.root)["Loss"]
    svg = vl_convert.vegalite_to_svg(json.dumps(loss))
    assert "#0b3c7d" in svg
    assert "#ee8f00" not in svg


def test_a_class_name_is_never_html(project, reported):
    names = ["0 <b>bag</b>", "1 <!-- a &lt; b"]
    actual = [names[index % 2] for index in range(200)]
    for wrong in (range(9), range(3)):
        project.commit()
        project.results(wrong=wrong, actual=actual, names=names)
        named = {"prepare.classes": [f"<i>{len(wrong)}", "other"]}
        project.write("params.yaml", small.params_text(**named))
    text = reported()
    assert "| 0 &lt;b>bag&lt;/b> |" in text
    assert "| 1 &lt;!-- a &amp;lt; b |" in text
    assert "&lt;i>9" in text
    assert not re.search("<[bi!]", text)


def test_a_small_change_does_not_vanish_in_rounding(project, reported):
    project.write("metrics/evaluate.json", json.dumps({"accuracy": 0.9, "ece": 0.0000148}))
    project.commit()
    project.write("metrics/evaluate.json", json.dumps({"accuracy": 0.9, "ece": 0.0000149}))
    project.record()
    assert "| Expected calibration error | 1.48e-05 | 1.49e-05 | +1e-07 | worse |" in reported()


def test_what_else_changed_is_told_above_everything_that_is_shown(project, reported):
    project.results(wrong=range(5), lr=0.003, seed=1, code="bb")
    above, _, _ = reported().partition("![")
    assert "Besides the parameters train.seed (0 → 1) and the code of training changed" in above


def test_images_that_one_alone_gets_right_stand_side_by_side(project, reported):
    """Where the prepared test split is there, as after a run."""
    assert "one_right" not in reported()
    split = Split(
        small.split(200).images, np.zeros(200, np.int64), 0.5, 0.5, small.CLASSES, np.arange(200)
    )
    project.write("data/prepared/test.safetensors", b"".join(splits.serialised(split)))
    project.results(wrong=[0, 1, *range(100, 130)])
    assert "](report/one_right.png)" in reported()
    shown = imread(io.BytesIO((project.root / "report/one_right.png").read_bytes()))
    assert shown.shape[1] <= 1400


def test_the_two_sides_show_the_images_that_one_alone_gets_right(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(garments, "_draw", lambda _, image, row: drawn.append((image[0, 0], *row)))
    pixels = np.linspace(0, 1, 200, dtype=np.float32)[:, None, None, None] * np.ones((1, 1, 28, 28))
    split = Split(
        pixels.astype(np.float32), np.zeros(200, np.int64), 0.0, 1.0, small.CLASSES, np.arange(200)
    )
    (tmp_path / "data/prepared").mkdir(parents=True)
    files.write({tmp_path / garments.TEST: splits.serialised(split)})
    index = pd.Index(range(200), name="index")
    truth = pd.DataFrame({"actual": "a", "predicted": "a"}, index=index)
    old, new = truth.copy(), truth.copy()
    old.loc[7, "predicted"] = "b"
    new.loc[[3, 9], "predicted"] = "c"
    found = compare(Predictions("old", old), Predictions("new", new))
    assert garments.one_right_png(found, tmp_path)[:4] == b"\x89PNG"
    assert [(round(float(shade) * 199), *names) for shade, *names in drawn] == [
        (3, "a", "c"),
        (9, "a", "c"),
        (7, "a", "b"),
    ]


def test_a_huge_difference_is_cut_and_kept_whole_in_a_file(project, reported):
    many = {f"метрика_{n:04}": n for n in range(3000)}
    project.write("metrics/evaluate.json", json.dumps({"accuracy": 0.9} | many))
    project.record()
    text = reported()
    assert text.startswith("## Results of main")
    assert "This pull request is better than main" in text
    assert "report/misclassified_new.png" in text
    assert "| params.yaml | train.lr | 0.001  | 0.003       |" in text
    assert text.rstrip().endswith("report/full.md holds all of it.*")
    full = (project.root / "report/full.md").read_text()
    assert "метрика_2999" in full
    assert "Recall of each class" in full


def test_nothing_of_an_earlier_report_stays(tmp_path):
    write(Report("x\n" * 40_000, {"report/loss.png": b"old"}), tmp_path)
    assert (tmp_path / "report/full.md").read_text() == "x\n" * 40_000
    write(Report("short\n", {"report/accuracy.png": b"new"}), tmp_path)
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["accuracy.png"]
    assert (tmp_path / "report.md").read_text() == "short\n"


def test_each_epoch_has_one_tick_on_the_axis(project):
    """Of two epochs, too, between which Vega would put one more and call it 2."""
    vl_convert = pytest.importorskip("vl_convert")
    project.results(epochs=2)
    drawn = dvc_output.vega(None, project.root)
    for name in ("Loss", "Accuracy", "plots/history.csv"):
        svg = vl_convert.vegalite_to_svg(json.dumps(drawn[name]))
        axis = re.search(r'aria-label="X-axis.*?role-axis-title', svg, re.DOTALL)[0]
        assert re.findall(r"<text[^>]*>([^<]*)</text>", axis) == ["1", "2"], name


def test_a_partial_clone_gets_what_it_lacks(project, tmp_path, monkeypatch):
    """DVC would wait for ever for what `git clone --filter=blob:none` left out of the base."""
    project.git("switch", "--quiet", "-c", "change")
    project.commit("five mistakes")
    project.git("config", "uploadpack.allowFilter", "true")
    address, clone = project.root.as_uri(), tmp_path / "clone"
    project.git("clone", "--quiet", "--filter=blob:none", address, str(clone))
    monkeypatch.chdir(clone)
    monkeypatch.setitem(programs.SECONDS, programs.DVC, 60)
    assert console.run(monkeypatch, "report", "--base", "origin/main") == 0
    text = report_rules.check(clone)
    assert "This pull request is better than origin/main (" in text
    assert "report/loss.png" in text


def test_a_partial_clone_whose_server_is_gone(project, tmp_path, monkeypatch, capsys):
    project.git("switch", "--quiet", "-c", "change")
    project.commit("five mistakes")
    project.git("config", "uploadpack.allowFilter", "true")
    address, clone = project.root.as_uri(), tmp_path / "clone"
    project.git("clone", "--quiet", "--filter=blob:none", address, str(clone))
    monkeypatch.chdir(clone)
    project.root.rename(tmp_path / "gone")
    assert console.run(monkeypatch, "report", "--base", "origin/main") == 2
    assert "could not fetch" in capsys.readouterr().err


def test_unknown_base(project, monkeypatch, capsys):
    assert console.run(monkeypatch, "report", "--base", "origin/nope") == 2
    assert "error: unknown revision 'origin/nope'" in capsys.readouterr().err
    assert not (project.root / "report.md").exists()


def test_a_workspace_that_dvc_cannot_read(project, monkeypatch, capsys):
    """DVC itself would show dashes and end with 0."""
    project.write("dvc.lock", "<<<<<<< HEAD\n")
    assert console.run(monkeypatch, "report", "--base", "main") == 2
    assert capsys.readouterr().err.startswith("error: workspace: './dvc.lock' validation failed")
    assert not (project.root / "report.md").exists()


def test_charts_say_which_package_they_need(project, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert console.run(monkeypatch, "report", "--base", "main") == 2
    assert "needs vl_convert, which is not installed: pip install -r requirements/report.txt" in (
        capsys.readouterr().err
    )
    assert not (project.root / "report.md").exists()


def test_charts_are_drawn_on_white():
    """Dark pages show a transparent picture's black text on black."""
    empty = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "point"}
    made = charts.png({**empty, "data": {"values": [{}]}, "config": {"view": {"stroke": None}}})
    corner = imread(io.BytesIO(made))[0, 0]
    assert list(corner) == [1, 1, 1, 1]
