"""`fashion-mnist report` on handmade results.

tests/test_workflows.py has the cases of a base without results and of no difference.
"""

import io
import json
import re
import sys

import console
import pytest
import report_rules
import results_repository
from matplotlib.image import imread

from fashion_mnist.report import charts, dvc_output
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
    text = reported()
    heading, _, verdict, *_ = text.splitlines()
    assert heading == "## Results of this change (workspace) against main"
    assert verdict.startswith("**workspace is better than main on this test set: accuracy 0.9000")
    assert "| metrics/evaluate.json | accuracy" in text
    assert "| params.yaml | train.lr | 0.001  | 0.003       |" in text
    names = ("loss", "accuracy", "confusion", "misclassified_base", "misclassified_new")
    for name in names:
        assert f"](report/{name}.png)" in text
    kept = project.root / "report"
    assert {path.name for path in kept.iterdir()} == {f"{name}.png" for name in names}
    base = (results_repository.PROJECT / "plots/misclassified.png").read_bytes()
    assert (kept / "misclassified_base.png").read_bytes() == base
    assert (kept / "misclassified_new.png").read_bytes() == b"\x89PNG of the workspace"


def test_a_small_change_does_not_vanish_in_rounding(project):
    project.write("metrics/evaluate.json", json.dumps({"accuracy": 0.9, "ece": 0.0000148}))
    project.commit()
    project.write("metrics/evaluate.json", json.dumps({"accuracy": 0.9, "ece": 0.0000149}))
    *_, row = dvc_output.table("metrics", "main", project.root).splitlines()
    assert [cell.strip() for cell in row.split("|")][2:6] == [
        "ece",
        "1.48e-05",
        "1.49e-05",
        "1e-07",
    ]


def test_a_huge_difference_is_cut_and_kept_whole_in_a_file(project, reported):
    many = {f"метрика_{n:04}": n for n in range(3000)}
    project.write("metrics/evaluate.json", json.dumps({"accuracy": 0.9} | many))
    text = reported()
    assert text.startswith("## Results of this change")
    assert "workspace is better than main" in text
    assert text.rstrip().endswith("report/full.md holds all of it.*")
    full = (project.root / "report/full.md").read_text()
    assert "метрика_2999" in full
    assert "misclassified_new.png" in full


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
    assert "pip install -e '.[report]'" in capsys.readouterr().err
    assert not (project.root / "report.md").exists()


def test_charts_are_drawn_on_white():
    """Dark pages show a transparent picture's black text on black."""
    empty = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "point"}
    made = charts.png({**empty, "data": {"values": [{}]}, "config": {"view": {"stroke": None}}})
    corner = imread(io.BytesIO(made))[0, 0]
    assert list(corner) == [1, 1, 1, 1]
