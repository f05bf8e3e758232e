"""The commands that read results, on those of a real run."""

import json
from pathlib import Path

import console
import pytest
import report_rules
import yaml


@pytest.fixture
def checkout(repository, monkeypatch):
    """A run's results, committed; read, not changed."""
    monkeypatch.chdir(repository.path)
    return repository


def test_a_run_against_itself(checkout, monkeypatch, capsys):
    assert console.run(monkeypatch, "compare", "main", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "not distinguishable"
    assert found["images"]["only_new"] == found["images"]["only_old"] == 0
    evaluated = json.loads(checkout.read("metrics/evaluate.json"))
    assert found["accuracy"]["old"] == pytest.approx(evaluated["accuracy"], abs=1e-6)
    assert {metric["name"] for metric in found["metrics"]} >= set(evaluated)


def test_summarize_reads_the_seed_and_the_recipe_of_dvc_lock(checkout, monkeypatch, capsys):
    assert console.run(monkeypatch, "summarize", "main", "workspace", "--json") == 0
    (variant,) = json.loads(capsys.readouterr().out)
    assert variant["variant"] == "all"
    assert variant["runs"] == {"main": 0}  # the workspace is the same run


def test_report_and_drawings_of_every_plot(repository, tmp_path, monkeypatch):
    copy = repository.copy(tmp_path / "checkout")
    monkeypatch.chdir(copy.path)
    assert console.run(monkeypatch, "report", "--base", "main") == 0
    assert "No metric differs." in report_rules.check(copy.path)
    assert console.run(monkeypatch, "draw", tmp_path / "drawn") == 0
    flow = yaml.safe_load(copy.read("dvc.yaml"))
    entries = [plot for stage in flow["stages"].values() for plot in stage.get("plots", [])]
    plots = [name for plot in [*entries, *flow["plots"]] for name in plot]
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {
        f"{Path(name).stem.lower()}.png" for name in plots if not name.endswith(".png")
    } - {"corruptions.png"}  # which the small run does not measure
    assert copy.git("status", "--short") == ""
