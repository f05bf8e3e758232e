"""A search whose trials are functions: what it chooses, ends early, takes up and tells."""

import re
import shutil

import console
import optuna
import pytest
from small import PROJECT, copy_project, params_text

from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.search import storage, study
from fashion_mnist.search.space import Range, Space
from fashion_mnist.search.trials import Diverged

SPACE = Space(
    ranges={"train.lr": Range(low=0.001, high=1.0)},
    choices={"model.name": ["lenet", "plain"]},
    fixed={"train.epochs": 3},
    whole=frozenset(),
)


class Trainings:
    """Trials that get the better the nearer `train.lr` is to 0.3, as told by three epochs."""

    def __init__(self):
        self.started, self.ended = [], []

    def __call__(self, _root, name, settings, go_on):
        self.started.append((name, settings))
        value = 0.9 - abs(settings["train.lr"] - 0.3) + 0.001 * settings.get("train.seed", 0)
        for epoch in range(1, 4):
            if not go_on(epoch, value * epoch / 3):
                return None
        self.ended.append(name)
        return value


@pytest.fixture
def begin(tmp_path):
    """Begin a search, or go on with it: another object, as in another process."""

    def make(run, space=SPACE, made_of=None):
        opened = storage.open_study("try", tmp_path / "journal", space, made_of or {"code": "a"})
        opened.sampler = optuna.samplers.RandomSampler(seed=len(opened.trials))
        return study.Search(tmp_path, opened, space, 0, run, tmp_path / "locks")

    return make


def test_the_ten_best_the_spread_of_three_and_the_winner(begin):
    trainings = Trainings()
    result = begin(trainings)(trials=30, seeds=2, seconds=1e9)
    table = result.split("\n\n")[1].splitlines()[1:]
    assert len(table) == 10
    shown = [float(re.search(r"0\.\d{4}", line.split("  ", 1)[1])[0]) for line in table]
    assert shown == sorted(shown, reverse=True)
    assert [" ± " in line for line in table] == [True] * 3 + [False] * 7
    winner = result.splitlines()[-1]
    assert re.fullmatch(
        r"dvc exp run -S train.epochs=3 -S model.name=\w+ -S train.lr=0\.[23]\d*", winner
    )
    seeds = [
        settings["train.seed"] for _, settings in trainings.started if "train.seed" in settings
    ]
    assert seeds == [1, 2] * 3  # none is the one that the search has chosen by
    assert len(trainings.started) == 30 + 6


def test_what_is_below_the_median_is_ended_early(begin):
    trainings = Trainings()
    result = begin(trainings)(trials=30, seeds=0, seconds=1e9)
    complete = int(re.search(r"Trials: 30, of which (\d+) came to the end", result)[1])
    assert len(trainings.ended) == complete < 25
    lr = {name: settings["train.lr"] for name, settings in trainings.started}
    early = [abs(lr[name] - 0.3) for name in lr if name not in trainings.ended]
    assert min(early) > min(abs(lr[name] - 0.3) for name in trainings.ended)


def test_other_numbers_of_epochs_are_not_compared_by_epoch(begin):
    space = Space(SPACE.ranges, {"train.epochs": [2, 3]}, {}, frozenset())
    trainings = Trainings()
    begin(trainings, space)(trials=20, seeds=0, seconds=1e9)
    assert len(trainings.ended) == 20


def test_a_search_goes_on_where_it_was(begin):
    """Interrupted within a trial, then within the seeds: what is done is not done again."""
    trainings = Trainings()

    def interrupted(at):
        def run(root, name, settings, go_on):
            if len(trainings.started) == at:
                raise KeyboardInterrupt
            return trainings(root, name, settings, go_on)

        return run

    for at in (4, 13):
        search = begin(interrupted(at))
        with pytest.raises(KeyboardInterrupt):
            search(trials=10, seeds=2, seconds=1e9)
    begin(trainings)(trials=10, seeds=2, seconds=1e9)
    assert len(trainings.started) == 10 + 6
    assert len({name for name, _ in trainings.started}) == 16


def test_a_trial_that_was_killed_is_taken_up_with_its_values(begin, capsys):
    trainings = Trainings()
    killed = begin(trainings)
    settings = SPACE.suggest(killed.study.ask())
    begin(trainings)(trials=1, seeds=0, seconds=1e9)
    assert trainings.started == [("try-1", settings)]
    assert "trial 0 was interrupted and is taken up" in capsys.readouterr().out
    assert [trial.state.name for trial in killed.study.trials] == ["FAIL", "COMPLETE"]


def test_what_another_process_runs_is_left_alone_and_waited_for(begin, monkeypatch, capsys):
    """On this machine or another, in any container: the lock decides, not a name or a number."""
    trainings = Trainings()
    other = begin(trainings)
    trial, lock = other._begin(3)
    waited = []

    def end_of_the_other(_):
        waited.append(len(trainings.started))
        other._try(trial)
        lock.release()

    monkeypatch.setattr(study.time, "sleep", end_of_the_other)
    result = begin(trainings)(trials=3, seeds=0, seconds=1e9)
    assert waited == [2]  # and none has begun a fourth
    assert [name for name, _ in trainings.started] == ["try-1", "try-2", "try-0"]
    assert "Trials: 3, of which 3 came to the end" in result
    assert "taken up" not in capsys.readouterr().out


def test_a_seed_is_trained_by_one_process_alone(begin):
    """The other takes those that are free, and then waits for what it lacks."""
    trainings, order = Trainings(), []
    first = begin(trainings)
    first(trials=1, seeds=0, seconds=1e9)
    (trial,) = first.study.get_trials()
    busy = first._lock("try-0-seed-1")
    busy.acquire()

    def run(root, name, settings, go_on):
        order.append(name)
        if name == "try-0-seed-2":
            first.study.set_user_attr("try-0-seed-1", 0.5)
            busy.release()
        return trainings(root, name, settings, go_on)

    assert begin(run)._over_seeds(trial, 2)[0] == 0.5
    assert order == ["try-0-seed-2"]


def test_a_recipe_that_diverges_is_no_end_and_any_other_failure_is(begin):
    def run(_root, name, *_):
        if name == "try-3":
            raise UserError("try-3 failed: no space left")
        raise Diverged("the loss is not finite")

    with pytest.raises(UserError, match="no space left"):
        begin(run)(trials=10, seeds=0, seconds=1e9)
    trainings = Trainings()
    result = begin(trainings)(trials=10, seeds=0, seconds=1e9)
    assert len(trainings.started) == 6
    assert "4 diverged or failed" in result


def test_no_trial_begins_after_the_hours(begin):
    assert begin(Trainings())(trials=10, seeds=0, seconds=0) == "no trial came to its end"


def test_a_study_of_something_else_is_refused(begin):
    begin(Trainings(), made_of={"code": "a", "space": "b"})
    with pytest.raises(UserError, match="begun with other code and space; --study names another"):
        begin(Trainings(), made_of={"code": "c", "space": "d"})


def test_code_parameters_and_space_make_a_study(tmp_path):
    checkout = copy_project(tmp_path / "checkout")
    shutil.copy(PROJECT / "dvc.yaml", checkout)
    params = tmp_path / "params.yaml"

    def digests(space=SPACE, **changes):
        params.write_text(params_text(**changes))
        return storage.made_of(checkout, space, load(Parameters, path=params).model_dump())

    def differing(other):
        return {part for part in first if first[part] != other[part]}

    first = digests()
    assert differing(digests(**{"train.batch_size": 8})) == {"parameters"}
    assert differing(digests(**{"compute.threads": 2, "evaluate.batch_size": 8})) == set()
    assert differing(digests(Space(SPACE.ranges, {}, {}, frozenset()))) == {"space"}
    (checkout / "src/fashion_mnist/comparison/seeds.py").write_text("")
    assert differing(digests()) == set()
    (checkout / "src/fashion_mnist/training/trainer.py").write_text("")
    assert differing(digests()) == {"code"}


def test_where_no_study_can_be_kept_is_told(tmp_path, monkeypatch, capsys):
    path = tmp_path / "no journal"
    path.write_text("words\n")
    with pytest.raises(UserError, match="cannot keep a study"):
        storage.open_study("try", path, SPACE, {})
    assert console.run(monkeypatch, "search", "space.yaml", "--storage", "sqlite:///x.db") == 2
    assert "'sqlite:///x.db' is no file" in capsys.readouterr().err
