"""`fashion-mnist summarize` on handmade experiments."""

import json
from statistics import stdev

import console
import pytest
import results_repository


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two learning rates with three seeds each, as experiments on main."""
    made = results_repository.make(tmp_path / "project")
    made.results()
    made.commit()
    monkeypatch.chdir(made.root)
    for lr, wrongs in ((0.001, (10, 20, 30)), (0.003, (2, 4, 6))):
        for seed, wrong in enumerate(wrongs):
            made.results(
                range(wrong), lr=lr, seed=seed, validation_accuracy=0.9 if lr == 0.001 else 0.8
            )
            made.experiment(f"lr-{lr}-seed-{seed}")
    return made


@pytest.fixture
def summarized(project, monkeypatch, capsys):
    """Summarize and give exit status, stdout and stderr."""

    def summarize(*arguments):
        status = console.run(monkeypatch, "summarize", *arguments)
        return status, *capsys.readouterr()

    return summarize


def test_mean_standard_deviation_and_count(summarized):
    status, out, err = summarized("--json")
    by_name = {row["variant"]: row for row in json.loads(out)}
    assert (status, err) == (0, "")
    assert set(by_name) == {"train.lr=0.001", "train.lr=0.003"}
    low = by_name["train.lr=0.003"]["accuracy"]
    assert low["count"] == 3
    assert low["mean"] == pytest.approx(0.98)
    assert low["standard_deviation"] == pytest.approx(stdev([0.99, 0.98, 0.97]))


def test_text(summarized):
    lines = [line.split("  ") for line in summarized()[1].splitlines()]
    rows = [[cell.strip() for cell in line if cell] for line in lines]
    assert rows == [
        ["variant", "seeds", "validation accuracy", "accuracy"],
        ["train.lr=0.001", "3", "0.9000 ± 0.0000", "0.9000 ± 0.0500"],
        ["train.lr=0.003", "3", "0.8000 ± 0.0000", "0.9800 ± 0.0100"],
    ]


def test_the_best_on_validation_comes_first_whatever_the_test_split_says(summarized):
    """In the fixture the second learning rate is better on the test split alone."""
    assert [row["variant"] for row in json.loads(summarized("--json")[1])] == [
        "train.lr=0.001",
        "train.lr=0.003",
    ]


def test_markdown(summarized):
    assert "| train.lr=0.001 | 3 | 0.9000 ± 0.0000 | 0.9000 ± 0.0500 |" in summarized("--md")[1]


def test_a_named_revision_joins_its_variant(project, summarized):
    project.results(range(40), seed=3)
    project.commit("another seed")
    first, *_ = json.loads(summarized("HEAD", "-A", "--json")[1])
    assert first["runs"]["HEAD"] == 3
    assert first["accuracy"]["count"] == 4


def test_a_run_that_was_also_committed_counts_once(project, summarized):
    project.results(range(10), seed=0)
    project.commit("the first experiment, applied")
    assert json.loads(summarized("HEAD", "-A", "--json")[1])[0]["accuracy"]["count"] == 3


def test_other_code_is_another_variant(project, summarized):
    project.results(range(50), seed=9, code="bb")
    project.experiment("new-code")
    names = {row["variant"]: len(row["runs"]) for row in json.loads(summarized("--json")[1])}
    assert sorted(names.values()) == [1, 3, 3]
    assert all("code or data" in name for name in names)


def test_one_seed_has_no_spread(project, summarized):
    project.results(range(50), lr=0.01)
    project.experiment("single")
    out = summarized()[1]
    assert "0.7500 ± -" in out
    assert "nan" not in out


def test_experiments_of_other_commits_are_asked_for(project, summarized):
    project.commit("an empty commit moves HEAD")
    status, _, err = summarized()
    assert status == 2
    assert "no experiments start from HEAD" in err
    assert summarized("-A")[0] == 0


def test_an_experiment_without_results_is_named_and_left_out(project, summarized):
    project.results()
    (project.root / "dvc.lock").unlink()
    project.experiment("half-made")
    status, out, err = summarized("--json")
    assert status == 0
    assert "left out: half-made has no dvc.lock" in err
    assert len(json.loads(out)) == 2
