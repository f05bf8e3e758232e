"""Results that are missing, cut or left by an interrupted run: every command says so and fails."""

from pathlib import Path

import console
import pytest
import report_rules
import results_repository

HISTORY, PNG = "plots/history.csv", "plots/misclassified.png"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Twenty mistakes on main, five in the workspace."""
    made = results_repository.make(tmp_path / "project")
    made.results(wrong=range(20))
    made.commit()
    made.results(wrong=range(5))
    monkeypatch.chdir(made.root)
    return made


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_results_that_are_all_there(project, monkeypatch, capsys):
    assert console.run(monkeypatch, "show") == 0
    assert "test accuracy        0.9750" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["metrics/evaluate.json", HISTORY, PNG])
@pytest.mark.parametrize("damage", ["missing", "half"])
def test_a_result_is_missing_or_cut(project, monkeypatch, capsys, path, damage):
    if damage == "missing":
        (project.root / path).unlink()
    else:
        halve(project.root / path)
    said = "missing" if damage == "missing" else "not the one that dvc.lock records"
    error = f"error: the results of workspace are incomplete: {path} is {said}; `dvc repro` makes"
    for command in (["show"], ["compare", "main"], ["draw", "drawn"]):
        assert console.run(monkeypatch, *command) == 2
        assert capsys.readouterr().err.startswith(error)


@pytest.mark.parametrize(
    ("damage", "path"),
    [(halve, "metrics/evaluate.json"), (Path.unlink, "plots/predictions.csv"), (halve, HISTORY)],
)
def test_a_report_of_broken_results_is_written_and_fails(
    project, monkeypatch, capsys, damage, path
):
    damage(project.root / path)
    assert console.run(monkeypatch, "report", "--base", "main") == 2
    assert "the results of this pull request are incomplete" in capsys.readouterr().err
    _, _, said, *rest = report_rules.check(project.root).splitlines()
    assert said.startswith(
        f"**No verdict:** the results of this pull request are incomplete: {path}"
    )
    assert "McNemar" not in "".join(rest)


def test_a_kill_between_renames(project, monkeypatch, capsys):
    """One plot is new, three are gone, and dvc.lock is that of the run before."""
    project.git("checkout", "--quiet", "dvc.lock")
    for name in ("per_class.csv", "reliability.csv", "misclassified.png"):
        (project.root / "plots" / name).unlink()
    assert console.run(monkeypatch, "report", "--base", "main") == 2
    said = capsys.readouterr().err
    assert "plots/predictions.csv is not the one that dvc.lock records" in said
    assert "plots/per_class.csv is missing, plots/reliability.csv is missing" in said


@pytest.mark.parametrize("content", ["<<<<<<< HEAD\n", "stages:\n", "stages: {train: []}\n", None])
def test_a_lock_that_cannot_be_read(project, monkeypatch, capsys, content):
    if content is None:
        (project.root / "dvc.lock").unlink()
    else:
        project.write("dvc.lock", content)
    assert console.run(monkeypatch, "show") == 2
    assert "the results of workspace are incomplete: dvc." in capsys.readouterr().err


def test_a_base_that_lacks_a_part_is_compared_and_it_is_said(project, monkeypatch):
    """As after a commit of dvc.lock without the metrics (core.autostage)."""
    project.git("rm", "--quiet", "--cached", "metrics/train.json")
    project.git("commit", "--quiet", "--message", "a lock alone")
    assert console.run(monkeypatch, "report", "--base", "main") == 0
    text = report_rules.check(project.root)
    assert "**This pull request is better than main (" in text
    assert "are incomplete: metrics/train.json is missing" in text


def test_a_revision_without_predictions_is_not_compared(project, monkeypatch, capsys):
    project.git("rm", "--quiet", "--cached", "plots/predictions.csv")
    project.git("commit", "--quiet", "--message", "no predictions")
    assert console.run(monkeypatch, "compare", "HEAD~1", "HEAD") == 2
    said = "error: the results of HEAD are incomplete: plots/predictions.csv is missing"
    assert capsys.readouterr().err.startswith(said)


def test_metrics_of_half_a_run_are_not_summarized(project, monkeypatch, capsys):
    (project.root / "metrics/evaluate.json").unlink()
    assert console.run(monkeypatch, "summarize", "main", "workspace") == 2
    assert "workspace are incomplete: metrics/evaluate.json" in capsys.readouterr().err
