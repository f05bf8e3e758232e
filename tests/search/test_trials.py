"""How a trial reads what its training writes, and what it makes of its end."""

import pytest
import results_repository

from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.search import trials
from fashion_mnist.training.run import history_bytes


@pytest.fixture
def started(tmp_path, monkeypatch):
    """In place of DVC, a script that is given the same words."""

    def make(script):
        program = tmp_path / "dvc" / "__main__.py"
        program.parent.mkdir(exist_ok=True)
        (program.parent / "__init__.py").touch()
        program.write_text(script)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(trials, "POLL_SECONDS", 0.05)
        return lambda go_on: trials.run(tmp_path, "name", {"train.lr": 0.1}, go_on)

    return make


ROW = {"epoch": 3, "train_loss": 0.5, "train_accuracy": 0.8, "lr": 0.1}
ROW |= {"validation_loss": 0.6, "validation_accuracy": 0.7654}
TRAINS = f"""
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGINT, lambda *_: (pathlib.Path("ended").touch(), sys.exit(1)))
copy = pathlib.Path("copy")
(copy / "plots").mkdir(parents=True)
(copy / "plots/history.csv").write_bytes({history_bytes([ROW])!r})
waits = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); signal.pause()"
subprocess.run([sys.executable, "-c", waits, "stages.train"], cwd=copy)
"""
"""DVC whose stage has trained an epoch in a copy of the repository, and goes on."""


def test_each_epoch_is_told_and_the_experiment_is_ended_where_wanted(started, tmp_path):
    seen = []
    assert started(TRAINS)(lambda *epoch: seen.append(epoch)) is None
    assert seen == [(3, 0.7654)]
    assert (tmp_path / "ended").exists()  # interrupted, so that DVC removes its copy


def test_an_interrupted_search_ends_its_trial(started, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        started(TRAINS)(interrupt)
    assert (tmp_path / "ended").exists()


def test_epochs_that_were_too_quick_to_be_seen_are_told_in_the_end(started, tmp_path):
    """A trial that comes from the run cache, too: the medians of later ones need them."""
    project = results_repository.make(tmp_path)
    project.results(epochs=2)
    project.commit()
    project.experiment("name")
    seen = []
    assert started("")(lambda *epoch: seen.append(epoch)) is not None
    assert seen == [(1, 0.79), (2, 0.79)]


def test_a_loss_that_is_not_finite_is_told_from_other_failures(started):
    lost = "print('error: the loss is not finite at epoch 1, batch 3'); raise SystemExit(255)"
    with pytest.raises(trials.Diverged, match="not finite at epoch 1"):
        started(lost)(None)
    full = "print('x\\nerror: no space left\\nERROR: failed to reproduce'); raise SystemExit(255)"
    with pytest.raises(UserError, match=r"name failed: no space left$"):
        started(full)(None)


def test_dvcs_own_reason_is_told(started):
    refused = "print('ERROR: no such thing\\nHaving any troubles?\\n'); raise SystemExit(255)"
    with pytest.raises(UserError, match=r"name failed: no such thing$"):
        started(refused)(None)


def test_an_experiment_that_is_there_is_not_run_again(tmp_path, monkeypatch):
    """A search was killed between DVC's keeping it and the study's."""
    project = results_repository.make(tmp_path / "project")
    project.results()
    project.commit()
    project.results(lr=0.1, seed=3, validation_accuracy=0.8765)
    project.experiment("space-1")
    monkeypatch.setattr(trials, "run", lambda *_: pytest.fail("it ran"))
    kept = {"train.lr": 0.1, "train.seed": 3}
    assert trials.result(project.root, "space-1", kept, None) == 0.8765
    for other in ({"train.lr": 0.2}, {"train.seed": 4}):
        with pytest.raises(UserError, match="dvc exp remove space-1"):
            trials.result(project.root, "space-1", {**kept, **other}, None)
    monkeypatch.setattr(trials, "run", lambda *_: 0.5)
    assert trials.result(project.root, "space-2", kept, None) == 0.5


def test_the_words_are_those_of_a_temporary_experiment(started, tmp_path):
    run = started(
        "import pathlib, sys; pathlib.Path('words').write_text(' '.join(sys.argv[1:]));"
        "raise SystemExit(1)"
    )
    with pytest.raises(UserError):
        run(None)
    assert (tmp_path / "words").read_text() == "exp run --temp -n name -S train.lr=0.1"
