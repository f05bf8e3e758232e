"""`fashion-mnist compare` on handmade results."""

import json
import os
import re

import console
import pytest
import results_repository
from results_repository import ACTUAL, PROJECT


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Results in which twenty images are wrong, committed on main."""
    made = results_repository.make(tmp_path / "project")
    made.results(wrong=range(20))
    made.commit()
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def compared(project, monkeypatch, capsys):
    """Compare and give exit status, stdout and stderr."""

    def compare(*arguments):
        status = console.run(monkeypatch, "compare", *arguments)
        return status, *capsys.readouterr()

    return compare


def test_better(project, compared):
    project.results(wrong=range(10))
    status, out, _ = compared("main")
    assert status == 0
    assert out.startswith(
        "workspace is better than main on this test set: accuracy 0.9000 → 0.9500.\n"
    )
    assert "main alone gets 0 right, workspace alone 10: p = 0.002" in out
    # 9 of the 10 are needed, which four times in five takes a share of 0.9169
    assert "this test set could have shown, four times in five: 0.0417." in out


def test_worse(project, compared):
    project.results(wrong=range(40))
    assert compared("main")[1].startswith("workspace is worse than main on this test set")


def test_not_distinguishable(project, compared):
    project.results(wrong=range(4, 20))  # four gained of 200: p = 0.125
    out = compared("main")[1]
    assert out.startswith("workspace is not distinguishable from main on this test set")
    assert "p = 0.12" in out
    assert "could have shown no difference" in out  # four images that one alone gets right


@pytest.mark.parametrize("b", ["main", "workspace"])
def test_the_same_predictions_are_told_to_be_the_same(compared, b):
    status, out, _ = compared("main", b)
    assert status == 0
    (sentence,) = out.splitlines()
    assert sentence == (
        f"{b} and main are the same on this test set: each of 200 images gets the same class, "
        "accuracy 0.9000."
    )


def test_json_holds_everything(project, compared):
    project.results(wrong=[*range(15), 190], epochs=4)
    status, out, _ = compared("main", "workspace", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["verdict"] == "not distinguishable"
    assert found["images"] == {"both": 179, "only_new": 5, "only_old": 1, "neither": 15}
    assert found["accuracy"]["difference"] == pytest.approx(4 / 200)
    assert [image["index"] for image in found["gained"]] == [15, 16, 17, 18, 19]
    assert found["lost"] == [{"index": 190, "actual": "0 T-shirt/top", "predicted": "1 Trouser"}]
    changed = {"name": "best_epoch", "old": 3, "new": 4, "difference": 1, "direction": "none"}
    assert changed in found["metrics"]


def test_recall_changes_are_sorted_by_size(project, compared):
    shirts = [index for index, label in enumerate(ACTUAL) if label == "6 Shirt"]
    project.results(wrong=[*range(20), *shirts[:12], 20])
    recalls = json.loads(compared("main", "--json")[1])["recall"]
    assert [recall["class"] for recall in recalls[:3]] == ["6 Shirt", "0 T-shirt/top", "1 Trouser"]
    assert recalls[0]["old"] == pytest.approx(0.9)
    assert recalls[0]["new"] == pytest.approx(0.4)
    assert recalls[0]["count"] == 20


def test_markdown_has_tables_and_names_few_images(project, compared):
    project.results(wrong=())
    out = compared("main", "--md")[1]
    assert (
        "| metric | main | workspace | difference |  |\n| --- | ---: | ---: | ---: | ---: |" in out
    )
    assert "and 10 more, which --json lists" in out


def test_a_metric_that_one_revision_lacks(project, compared):
    project.write("metrics/evaluate.json", '{"accuracy": 0.9, "ece": 0.01}')
    project.record()
    status, out, _ = compared("main")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert status == 0
    assert "Expected calibration error - 0.0100 -" in lines
    assert "Cross-entropy (nats) 0.4000 - -" in lines


def test_experiments_branches_tags_and_commits(project, compared):
    sha = project.git("rev-parse", "HEAD")
    project.git("tag", "v1")
    project.results(wrong=())
    project.experiment("brave-hare")
    for name in ("main", "v1", sha, sha[:8], "HEAD"):
        assert compared(name, "brave-hare")[1].startswith(f"brave-hare is better than {name} on")


def test_a_subfolder_is_as_good_as_the_root(project, compared, monkeypatch):
    monkeypatch.chdir(project.root / "plots")
    assert compared("main")[0] == 0


def test_a_hook_of_git_compares_as_well(tmp_path, monkeypatch, capsys):
    """It exports GIT_DIR, here of a repository that holds the project in a folder below."""
    made = results_repository.make(tmp_path / "outer/project")
    (made.root / ".git").rename(tmp_path / "outer/.git")
    made.results(range(9))
    made.commit()
    made.results(range(2))
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "outer/.git"))
    assert console.run(monkeypatch, "compare", "main") == 0
    assert "of 200 images main alone gets 0 right" in capsys.readouterr().out.replace("Of", "of")


def test_rows_in_another_order_are_the_same_predictions(project, compared):
    header, *rows = (project.root / "plots/predictions.csv").read_text().splitlines()
    project.write("plots/predictions.csv", "\n".join([header, *reversed(rows), ""]))
    project.record()
    assert json.loads(compared("main", "--json")[1])["images"]["both"] == 180


def test_unknown_revision(compared):
    status, out, err = compared("no-such-branch")
    assert (status, out) == (2, "")
    assert err.startswith("error: unknown revision 'no-such-branch'; `git branch -a`")


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        (ACTUAL[:190], "main predicts 200 images and workspace 190"),
        (ACTUAL[::-1], "differ at 200 images, first at index 0"),
    ],
)
def test_another_test_set(project, compared, actual, message):
    project.results(actual=actual)
    status, _, err = compared("main")
    assert status == 2
    assert message in err
    assert "only predictions of the same test set can be compared" in err


def test_other_images_with_the_same_labels_are_refused(project, compared):
    project.results(wrong=range(5), test_images="ee" * 32)
    status, _, err = compared("main")
    assert status == 2
    assert "the test images of main and workspace differ (fetch.sha256.test.images)" in err


def test_other_classes_are_refused_by_name(project, compared):
    names = ["0 zero", "1 one, or more"]
    project.results(actual=[names[index % 2] for index in range(200)], names=names)
    status, _, err = compared("main")
    assert status == 2
    assert err == (
        "error: the classes differ: main alone has 0 T-shirt/top, 1 Trouser, 2 Pullover and 7 "
        "more; workspace alone has 0 zero, 1 one, or more; only predictions of the same test set "
        "can be compared\n"
    )


@pytest.mark.parametrize(
    "content",
    ["", "index,actual\n0,6 Shirt\n", "index,actual,predicted\n0,6 Shirt,\n", "<<<<<<<\n"],
)
def test_damaged_predictions(project, compared, content):
    project.write("plots/predictions.csv", content)
    project.record()
    status, _, err = compared("main")
    assert status == 2
    assert err.startswith("error: workspace: plots/predictions.csv")


def test_damaged_metrics(project, compared):
    project.write("metrics/train.json", "<<<<<<< HEAD\n")
    project.record()
    status, _, err = compared("main")
    assert status == 2
    assert err.startswith("error: workspace: metrics/train.json is no JSON object")


def test_no_git_repository(tmp_path, compared, monkeypatch):
    plain = tmp_path / "plain"
    (plain / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(plain)
    status, _, err = compared("main")
    assert status == 2
    assert err.startswith("error: revisions are Git's, so only `git clone` brings them")
    assert str(plain) in err


def test_a_repository_that_git_refuses_to_read(project, compared, monkeypatch):
    """That of another user, as in a container, is not taken for one without results."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("HOME", str(project.root))
    status, _, err = compared("main", "main")
    assert status == 2
    assert "safe.directory" in err
    assert "incomplete" not in err
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # as a container that trusts the folder says so
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    assert compared("main", "main")[0] == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_a_repository_of_another_owner(project, compared, monkeypatch):
    """libgit2 has rules of its own, and no ear for an environment that trusts the folder."""
    monkeypatch.setenv("HOME", str(project.root))
    for path in (project.root, *project.root.rglob("*")):
        os.chown(path, 65534, 65534)
    status, _, err = compared("main")
    assert status == 2
    assert "safe.directory" in err
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    assert compared("main")[0] == 0


def test_of_experiments_with_one_name_that_from_head_is_meant(project, compared):
    """As DVC has it."""
    project.results(wrong=())
    project.experiment("twice")
    assert compared("main", "twice")[1].startswith("twice is better than main")
    project.commit("another start")
    project.results(wrong=range(60))
    project.experiment("twice")
    assert compared("main", "twice")[1].startswith("twice is worse than main")
    project.commit("a third one")
    status, _, err = compared("main", "twice")
    assert status == 2
    assert re.fullmatch(
        r"error: 'twice' has several meanings; give one of: (refs/exps/\S+/twice(, )?){2}\n", err
    )


@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_a_name_with_two_meanings_is_refused_by_each_command(
    project, compared, monkeypatch, capsys, kind
):
    """DVC would take the branch, and `dvc exp apply` put its results over the new ones."""
    project.git(kind, "ten")
    assert compared("main", "ten")[0] == 0
    project.results(wrong=())
    project.experiment("ten")
    base = project.git("rev-parse", "HEAD")
    experiment = f"refs/exps/{base[:2]}/{base[2:]}/ten"
    ref = {"branch": "refs/heads/ten", "tag": "refs/tags/ten"}[kind]
    for command in (
        ("compare", "main", "ten"),
        ("summarize", "ten"),
        ("summarize", "-A", "--baseline", "ten"),
        ("verify", "ten"),
        ("report", "--base", "ten"),
        ("draw", "--base", "ten", "out"),
        ("predict", "--rev", "ten", "shirt.png"),
    ):
        assert console.run(monkeypatch, *command) == 2
        assert capsys.readouterr().err == (
            f"error: 'ten' has several meanings; give one of: {experiment}, {ref}\n"
        )
    assert compared("main", experiment)[1].startswith(f"{experiment} is better than main")
    assert compared("main", ref)[1].startswith(f"{ref} and main are the same")
    project.git(kind, "--force", "ten", experiment)  # the same commit by two names is no question
    assert compared("main", "ten")[1].startswith("ten is better than main")


def test_a_machine_without_git(compared, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compared("main")[0] == 2
    assert "git is not installed" in compared("main")[2]


def test_no_dvc_repository(tmp_path, compared, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = compared("main")
    assert status == 2
    assert "not inside of a DVC repository" in err


def test_no_stage_imports_the_comparison():
    """tests/test_contract.py proves that dvc.yaml names every module a stage imports."""
    imported = (PROJECT / "dvc.yaml").read_text()
    assert "comparison" not in imported
