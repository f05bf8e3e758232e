"""`fashion-mnist summarize` on handmade experiments."""

import json
import re
from statistics import stdev

import console
import pytest
import results_repository


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two learning rates with three seeds each, as experiments on main, which holds the first."""
    made = results_repository.make(tmp_path / "project")
    made.results(range(10))
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
    table, verdict = summarized()[1].split("\n\n")
    lines = [line.split("  ") for line in table.splitlines()]
    rows = [[cell.strip() for cell in line if cell] for line in lines]
    assert rows == [
        ["variant", "seeds", "validation accuracy", "accuracy"],
        ["1: train.lr=0.001 (baseline)", "3", "0.9000 ± 0.0000", "0.9000 ± 0.0500"],
        ["2: train.lr=0.003", "3", "0.8000 ± 0.0000", "0.9800 ± 0.0100"],
    ]
    assert verdict.startswith(
        "2 is not distinguishable from 1, the baseline: test accuracy +0.0800, 95 % interval "
    )
    assert "from 3 and 3 seeds on 200 images" in " ".join(verdict.split())


def test_better_and_worse_than_the_baseline(project, summarized):
    for seed in range(3):
        project.results(range(100 + seed), lr=0.1, seed=seed)
        project.experiment(f"bad-{seed}")

    def against(*options):
        rows = json.loads(summarized("--json", *options)[1])
        return {row["variant"]: row["against_baseline"] for row in rows}

    found = against()
    assert found["train.lr=0.001"] is None
    assert found["train.lr=0.1"]["verdict"] == "worse"
    assert found["train.lr=0.1"]["difference"] == pytest.approx(-81 / 200)
    assert found["train.lr=0.1"]["interval_95"][1] < 0
    assert "train.lr=0.1 is worse than the baseline" in found["train.lr=0.1"]["sentence"]
    assert against("--baseline", "bad-1")["train.lr=0.003"]["verdict"] == "better"


def test_another_baseline_is_named(summarized):
    out = summarized("--baseline", "lr-0.003-seed-1")[1]
    assert "2: train.lr=0.003 (baseline)" in out
    assert "1 is not distinguishable from 2, the baseline: test accuracy -0.0800" in out
    status, _, err = summarized("--baseline", "nobody")
    assert (status, "unknown revision 'nobody'" in err) == (2, True)


def test_one_seed_on_a_side_gives_no_interval(project, summarized):
    project.results(range(50), lr=0.01)
    project.experiment("single")
    assert "2: one seed of it; no interval over seeds can be given." in summarized()[1]
    against_one = summarized("--baseline", "single")[1]
    assert against_one.count("one seed of the baseline; no interval") == 2


def test_predictions_of_another_test_set_are_not_compared(project, summarized):
    for seed in range(2):
        project.results(actual=results_repository.ACTUAL[:100], lr=0.01, seed=seed)
        project.experiment(f"other-{seed}")
    out = summarized()[1]
    assert ": no comparison; " in out
    assert "only predictions of the same test set can be compared" in " ".join(out.split())


def test_other_images_with_the_same_labels_are_not_compared(project, summarized):
    for seed in range(2):
        project.results(lr=0.01, seed=seed, test_images="ee" * 32)
        project.experiment(f"other-{seed}")
    assert "no comparison; the test images of" in " ".join(summarized()[1].split())


@pytest.mark.parametrize("images", [1, 2, 4])
def test_few_images_show_no_difference(project, summarized, images):
    actual = results_repository.ACTUAL[:images]
    for name, wrong in (("bad", range(images)), ("good", ())):
        for seed in range(2):
            project.results(wrong, actual=actual, lr=len(wrong), seed=seed)
            project.experiment(f"{name}-{seed}")
    status, out, _ = summarized("--baseline", "bad-0")
    (verdict,) = [part for part in " ".join(out.split()).split(". ") if "from 2 and 2" in part] or [
        " ".join(out.split())
    ]
    assert status == 0
    assert " better " not in verdict
    if images == 1:
        assert "one test image; no interval over images can be given" in verdict
    else:
        assert f"they differ on {images} images, too few to show a difference" in verdict
    json.loads(summarized("--baseline", "bad-0", "--json")[1], parse_constant=pytest.fail)


def test_several_variants_are_held_to_five_per_cent_together(project, summarized):
    """What two seeds show of one variant alone, they do not show of one among many."""
    for lr in range(1, 9):
        for seed in range(3):
            project.results(range(100 + 20 * seed, 110 + 24 * seed), lr=lr, seed=seed)
            project.experiment(f"lr-{lr}-{seed}")
    found = [row["against_baseline"] for row in json.loads(summarized("--json")[1])]
    compared = [row for row in found if row]
    assert len(compared) == 9
    for row in compared:
        low, high = row["interval_95"]
        assert f"p = {row['p_holm']:.2g} for 9 comparisons together (Holm)" in row["sentence"]
        assert row["verdict"] == "not distinguishable" or low > 0 or high < 0


def test_a_committed_state_without_results_is_no_baseline(project, summarized):
    project.git("rm", "--quiet", "dvc.lock")
    project.commit("no results")
    status, out, err = summarized("-A")
    assert (status, "baseline" in out) == (0, False)
    assert "no baseline: HEAD has no dvc.lock" in err


def test_predictions_that_no_run_has_made_are_not_judged_by(project, summarized):
    path = project.root / "plots/predictions.csv"
    path.write_bytes(path.read_bytes().replace(b"0.75", b"0.76"))
    project.commit("other predictions than dvc.lock records")
    status, _, err = summarized("-A")
    assert status == 0
    assert "no baseline: " in err
    assert "plots/predictions.csv" in err


def test_what_all_share_stands_once_above_and_lines_fit(project, summarized):
    for lr in (0.01, 0.02):
        project.results(lr=lr, epochs=7, note="a" * 70, flags=["b" * 70, "c" * 70])
        project.experiment(f"long-{lr}")
    out = summarized()[1]
    assert max(map(len, out.splitlines())) <= 120
    for seed in range(3):
        base = project.git("rev-parse", "HEAD")
        name = f"refs/exps/{base[:2]}/{base[2:]}/lr-0.003-seed-{seed}"
        project.git("update-ref", "-d", name)
    out = summarized()[1]
    assert out.startswith("All but the baseline: ")
    assert out.count("train.epochs=7 (baseline 3)") == 1
    assert max(map(len, out.splitlines())) <= 120


def test_markdown(summarized):
    assert "| 1: train.lr=0.001 (baseline) | 3 | 0.9000 ± 0.0000 |" in summarized("--md")[1]


def test_the_best_on_validation_comes_first_whatever_the_test_split_says(summarized):
    """In the fixture the second learning rate is better on the test split alone."""
    assert [row["variant"] for row in json.loads(summarized("--json")[1])] == [
        "train.lr=0.001",
        "train.lr=0.003",
    ]


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


def test_a_seed_that_two_machines_ran_is_one_seed(project, summarized):
    """Its value is the mean of the two, and its images count as what they were on average."""
    project.results(range(30), seed=0)  # which gave 10 wrong ones on the other machine
    project.experiment("other-machine")
    first, *_ = json.loads(summarized("--json")[1])
    assert len(first["runs"]) == 4
    assert first["accuracy"]["count"] == 3
    assert first["accuracy"]["mean"] == pytest.approx(1 - 70 / 3 / 200)
    out = summarized()[1]
    assert re.search(r"1: train.lr=0.001 \(baseline\) +3 ", out)
    assert f"test accuracy {70 / 3 / 200 - 4 / 200:+.4f}" in out


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
