"""`fashion-mnist search` with real experiments on small data."""

import os
import signal
import subprocess
import sys

import console
import pytest

from fashion_mnist.comparison import programs

SPACE = "train.lr: {low: 0.001, high: 0.01, log: true}\ntrain.epochs: 1\n"
TEST_FIGURES = ("evaluate.json", "predictions.csv", "per_class.csv", "reliability.csv", "test.safe")


@pytest.fixture
def checkout(repository, tmp_path, monkeypatch):
    made = repository.copy(tmp_path / "checkout")
    (made.path / "small.yaml").write_text(SPACE)
    monkeypatch.chdir(made.path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def opened(monkeypatch):
    """What this process has opened, and every word that it has given to those it has started."""
    seen, active, run = [], [True], programs.run

    def told(*words, given=b"", **options):
        seen.append(given.decode())
        return run(*words, given=given, **options)

    monkeypatch.setattr(programs, "run", told)

    def watch(event, arguments):
        if active and event in ("open", "subprocess.Popen"):
            seen.extend(map(str, arguments[1] if event == "subprocess.Popen" else arguments[:1]))

    sys.addaudithook(watch)  # for good: it can only be told to look away
    yield seen
    active.clear()


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_and_reads_no_test_figure(
    checkout, opened, monkeypatch, capfd
):
    words = ["search", "small.yaml", "--trials", "1", "--seeds", "1"]
    program = "import sys; from fashion_mnist.cli import main; sys.argv[0] = 'x'; main()"
    environment = {**os.environ, "PYTHONPATH": str(checkout.path / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True, env=environment
    ) as search:
        assert search.stdout.readline().startswith("trial 0: train.lr=")
        search.send_signal(signal.SIGKILL)
    assert console.run(monkeypatch, *words) == 0
    out = capfd.readouterr().out
    assert "trial 0 was interrupted and is taken up" in out
    assert "Trials: 1, of which 1 came to the end" in out
    winner = out.splitlines()[-1]
    assert winner.startswith("dvc exp run -S train.epochs=1 -S train.lr=0.00")
    made = checkout.git("for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps/").split()
    assert {name for name in made if name.startswith("small-")} == {
        "small-1",
        "small-1-seed-1",
    }
    assert any("train.json" in word for word in opened)
    assert not [word for word in opened if any(figure in word for figure in TEST_FIGURES)]
    assert checkout.git("status", "--short").split() == ["??", "small.yaml"]


def test_a_bad_space_is_one_message_before_anything_runs(checkout, monkeypatch, capsys):
    (checkout.path / "small.yaml").write_text("train.lrr: [0.1]\n")
    monkeypatch.setattr(subprocess, "Popen", None)
    assert console.run(monkeypatch, "search", "small.yaml") == 2
    err = capsys.readouterr().err
    assert err.startswith("error: small.yaml: unknown key train.lrr; did you mean `lr`?")
    assert err.count("\n") == 1
    assert not (checkout.path / ".search").exists()


def test_without_a_validation_split_there_is_nothing_to_search_by(checkout, monkeypatch, capsys):
    checkout.set(prepare__validation_size=0)
    assert console.run(monkeypatch, "search", "small.yaml") == 2
    assert (
        "a search needs images to validate on: prepare.validation_size" in capsys.readouterr().err
    )


def test_without_optuna_the_way_to_it_is_told(checkout, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for name in ("study", "trials", "space"):
        monkeypatch.delitem(sys.modules, f"fashion_mnist.search.{name}", raising=False)
    monkeypatch.delattr("fashion_mnist.search.study", raising=False)
    assert console.run(monkeypatch, "search", "small.yaml") == 2
    assert capsys.readouterr().err == (
        "error: a search needs optuna, which is not installed: "
        "pip install -r requirements/search.txt\n"
    )
