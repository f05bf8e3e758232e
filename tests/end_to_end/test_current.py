"""`fashion-mnist current` in clones of a real run: what it calls current is, and nothing else."""

import shutil

import console
import overheads
import pytest
import yaml
from checkout import Repository

from fashion_mnist.comparison.commands import MUST_RUN

BEST, LAST = "checkpoints/best.safetensors", "checkpoints/last.safetensors"
PNG = "plots/misclassified.png"


@pytest.fixture
def clone(repository, tmp_path, monkeypatch):
    """A fresh clone: no data, no weights, no cache."""
    path = tmp_path / "clone"
    repository.run("git", "clone", "-q", str(repository.path), str(path))
    monkeypatch.chdir(path)
    return Repository(path, repository.environment)


@pytest.fixture
def current(monkeypatch, capsys):
    """The status of the command, and what it says."""

    def run():
        return console.run(monkeypatch, "current"), capsys.readouterr().out

    return run


def substitute(clone, path, old, new):
    text = clone.read(path).decode()
    assert old in text
    (clone.path / path).write_text(text.replace(old, new, 1))


def test_a_fresh_clone_is_current_with_and_without_a_cache(clone, current, repository):
    assert current()[0] == 0
    shutil.copytree(repository.path / ".dvc/cache", clone.path / ".dvc/cache")
    assert current()[0] == 0
    clone.dvc("checkout")
    assert current()[0] == 0
    assert clone.git("status", "--short") == ""


CHANGES = {
    "code of the network": ("src/fashion_mnist/model/networks.py", "relu(", "silu(", "train: src/"),
    "code of the evaluation": (
        "src/fashion_mnist/evaluation/metrics.py",
        '"""',
        '"""  ',
        "evaluate: src/fashion_mnist/evaluation has changed",
    ),
    "a stage": ("stages/train.py", '"""', '"""  ', "train: stages/train.py has changed"),
    "a parameter": (
        "params.yaml",
        "epochs: 2",
        "epochs: 3",
        "train: train.epochs of params.yaml has",
    ),
    "a tab": ("params.yaml", "  epochs: 2", "\tepochs: 2", "unable to read: 'params.yaml'"),
    "a conflict": ("dvc.lock", "schema:", "<<<<<<< HEAD\nschema:", "unable to read: 'dvc.lock'"),
    "a broken flow": ("dvc.yaml", "stages:", "stages: [", "unable to read: 'dvc.yaml'"),
    "a command": ("dvc.yaml", "stages.train", "stages.train -O", "train: its command has changed"),
    "a metric": ("metrics/train.json", "{", "{ ", "train: metrics/train.json has changed"),
    "a plot": ("plots/history.csv", "\n", "\n\n", "train: plots/history.csv has changed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_or_cannot_be_read_must_run(clone, current, change):
    path, old, new, reason = CHANGES[change]
    substitute(clone, path, old, new)
    status, said = current()
    assert status == MUST_RUN
    assert reason in said


def test_each_command_says_first_that_its_results_are_of_other_code(clone, monkeypatch, capsys):
    substitute(clone, "params.yaml", "epochs: 2", "epochs: 3")
    substitute(clone, "stages/train.py", '"""', '"""  ')
    changed = (
        "params.yaml has changed since (train.epochs); "
        "code has changed since (stages/train.py): `dvc repro`"
    )
    assert console.run(monkeypatch, "show") == 0
    assert capsys.readouterr().out.startswith(f"{changed}\n")
    for command in (("compare", "main"), ("draw", "drawn"), ("summarize", "workspace")):
        assert console.run(monkeypatch, *command) == 0
        assert f"{changed}\n" in capsys.readouterr().err
    assert console.run(monkeypatch, "compare", "main", "HEAD") == 0  # commits' own results
    assert capsys.readouterr().err == ""
    assert console.run(monkeypatch, "report", "--base", "main") == 0
    assert f"\n\nNote that {changed}.\n" in clone.read("report.md").decode()


@pytest.mark.parametrize(
    "path", ["metrics/train.json", "plots/predictions.csv", "plots/misclassified.png", "dvc.lock"]
)
def test_what_is_missing_must_run(clone, current, path):
    (clone.path / path).unlink()
    status, said = current()
    assert status == MUST_RUN
    assert path in said


def test_data_that_lie_here_and_are_others_must_run(clone, current):
    (clone.path / "data/raw").mkdir(parents=True)
    (clone.path / "data/raw/train-images-idx3-ubyte").write_text("others")
    status, said = current()
    assert status == MUST_RUN
    assert "prepare: data/raw has changed" in said


def test_absent_weights_that_were_not_those_evaluated_must_run(clone, current):
    """As after a merge that took train from one side and evaluate from the other."""
    lock = yaml.safe_load(clone.read("dvc.lock"))
    (weights,) = [d for d in lock["stages"]["evaluate"]["deps"] if d["path"] == BEST]
    weights["md5"] = "f" * 32
    (clone.path / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert current() == (MUST_RUN, f"evaluate: {BEST} is missing\n")


def test_an_output_that_was_never_recorded_must_run(clone, current):
    lock = yaml.safe_load(clone.read("dvc.lock"))
    lock["stages"]["train"]["outs"] = [
        out for out in lock["stages"]["train"]["outs"] if out["path"] != LAST
    ]
    (clone.path / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert current() == (MUST_RUN, f"train: {LAST} is not in dvc.lock\n")


@pytest.mark.slow
def test_the_way_back_needs_no_cache(clone, current):
    """README: `dvc checkout` would fail here, and remove the weights that it cannot replace."""
    clone.dvc("exp", "run", "-S", "train.epochs=1")
    clone.git("restore", ".")
    clone.dvc("repro")
    assert clone.git("status", "--short") == ""
    assert (clone.path / BEST).exists()
    assert current()[0] == 0


def test_overheads_are_measured_where_no_cache_has_the_weights(clone, tmp_path, monkeypatch):
    """The run that makes them is left out."""
    ran = []
    monkeypatch.setattr(overheads, "repro", ran.append)
    overheads.Clone(tmp_path / "measured")
    assert ran == [tmp_path / "measured"]


def test_line_ends_of_windows_change_nothing(repository, tmp_path, monkeypatch, current):
    """Git for Windows sets core.autocrlf."""
    path = tmp_path / "clone"
    crlf = ("-c", "core.autocrlf=true")
    repository.run("git", "clone", "-q", *crlf, str(repository.path), str(path))
    monkeypatch.chdir(path)
    assert current()[0] == 0
    assert b"\r" not in (path / "recipes/quick.yaml").read_bytes()
    assert (path / PNG).read_bytes() == repository.read(PNG)
