"""How a trial reads what its training prints, and what it makes of its end."""

import pytest
import results_repository

from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.search import trials
from fashion_mnist.training.run import describe

ROW = {"epoch": 3, "train_loss": 0.5, "train_accuracy": 0.8, "lr": 0.1}


@pytest.fixture
def started(tmp_path, monkeypatch):
    """In place of DVC, a script that is given the same words."""

    def make(script):
        program = tmp_path / "dvc" / "__main__.py"
        program.parent.mkdir(exist_ok=True)
        (program.parent / "__init__.py").touch()
        program.write_text(script)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return lambda go_on: trials.run(tmp_path, "name", {"train.lr": 0.1}, go_on)

    return make


def test_what_training_prints_after_an_epoch_is_read():
    line = describe({**ROW, "validation_loss": 0.6, "validation_accuracy": 0.7654}, 10)
    found = trials.EPOCH.match(f"{line}  12.3 s\n")
    assert found.groups() == ("3", "0.7654")


def test_each_epoch_is_told_and_the_experiment_is_ended_where_wanted(started, tmp_path):
    line = describe({**ROW, "validation_loss": 0.6, "validation_accuracy": 0.7654}, 10)
    run = started(
        "import pathlib, signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: (pathlib.Path('ended').touch(), sys.exit(1)))\n"
        f"print({line!r}, flush=True)\n"
        "signal.pause()\n"
    )
    seen = []
    assert run(lambda *epoch: seen.append(epoch)) is None
    assert seen == [(3, 0.7654)]
    assert (tmp_path / "ended").exists()  # interrupted, so that DVC removes its copy


def test_an_interrupted_search_ends_its_trial(started, tmp_path):
    line = describe({**ROW, "validation_loss": 0.6, "validation_accuracy": 0.7654}, 10)
    run = started(
        "import pathlib, signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: (pathlib.Path('ended').touch(), sys.exit(1)))\n"
        f"print({line!r}, flush=True)\n"
        "signal.pause()\n"
    )

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(interrupt)
    assert (tmp_path / "ended").exists()


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
