"""A search: trials that Optuna suggests, until there are enough, and what came of them."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
from filelock import BaseFileLock, FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState

from fashion_mnist.comparison.summary import spread
from fashion_mnist.comparison.tables import ABSENT, fitted, table
from fashion_mnist.parameters import SEED
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.recipes.recipes import Settings, options
from fashion_mnist.search.space import Space, value_of
from fashion_mnist.search.trials import Diverged

LISTED, CONFIRMED = 10, 3
REASON = "reason"
POLL_SECONDS = 2.0

Run = Callable[[Path, str, Settings, Callable[[int, float], bool]], float | None]
"""As `trials.run`."""


@dataclass(frozen=True)
class Search:
    """A study in a repository.

    Attributes:
        root: of the repository.
        study: Optuna's, which several processes on several machines may share.
        space: what its trials may change.
        seed: `train.seed` of its trials.
        run: runs one of them.
        locks: a folder beside the study. What runs holds a lock in it, and the system releases the
            locks of a process that ends in any way.
    """

    root: Path
    study: optuna.Study
    space: Space
    seed: int
    run: Run
    locks: Path

    def __call__(self, trials: int, seeds: int, seconds: float) -> str:
        """Try until `trials` are finished or `seconds` have passed; the result in words.

        The first three are then trained with `seeds` seeds that the search has not chosen them by.
        """
        end = time.monotonic() + seconds
        while True:
            if begun := self._begin(trials if time.monotonic() < end else 0):
                with begun[1]:
                    self._try(begun[0])
            elif self.study.get_trials(states=(TrialState.RUNNING,)):
                time.sleep(POLL_SECONDS)  # another process's last trial may be the best
            else:
                return self._result(seeds)

    def _begin(self, trials: int) -> tuple[optuna.Trial, BaseFileLock] | None:
        """A trial with the lock that it holds; None where `trials` are finished or run."""
        with self._lock("begin"):
            self._take_up()
            running = self.study.get_trials(states=(TrialState.RUNNING,))
            if len(finished(self.study)) + len(running) >= trials:
                return None
            trial = self.study.ask()
            lock = self._lock(self._name(trial.number))
            lock.acquire()
            return trial, lock

    def _take_up(self) -> None:
        """Queue again what a process had begun that has ended."""
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            with suppress(Timeout), self._lock(self._name(trial.number)).acquire(blocking=False):
                self.study.tell(trial.number, state=TrialState.FAIL)
                self.study.enqueue_trial(trial.params)
                print(f"trial {trial.number} was interrupted and is taken up")

    def _lock(self, name: str) -> BaseFileLock:
        self.locks.mkdir(exist_ok=True)
        return FileLock(self.locks / f"{name}.lock")

    def _try(self, trial: optuna.Trial) -> None:
        # By its number: the same study once more tries the same, and no two processes do
        self.study.sampler = optuna.samplers.TPESampler(seed=trial.number)
        settings = self.space.suggest(trial)
        print(f"trial {trial.number}: {_shown(trial.params, settings)}")

        def go_on(epoch: int, accuracy: float) -> bool:
            trial.report(accuracy, epoch)
            return not trial.should_prune()

        try:
            value = self.run(self.root, self._name(trial.number), settings, go_on)
        except (Diverged, UserError) as reason:
            trial.set_user_attr(REASON, str(reason))
            self.study.tell(trial, state=TrialState.FAIL)
            if not isinstance(reason, Diverged):
                raise
            print(f"trial {trial.number}: {reason}")
            return
        if value is None:
            self.study.tell(trial, state=TrialState.PRUNED)
            print(f"trial {trial.number}: below the median of the others, ended early")
        else:
            self.study.tell(trial, value)
            print(f"trial {trial.number}: validation accuracy {value:.4f}")

    def _name(self, number: int) -> str:
        return f"{self.study.study_name}-{number}"

    def _result(self, seeds: int) -> str:
        best = sorted(self.study.get_trials(states=(TrialState.COMPLETE,)), key=_best_first)
        if not best:
            return "no trial came to its end"
        states = [trial.state for trial in finished(self.study)]
        count = {state: states.count(state) for state in TrialState}
        over = {trial.number: self._over_seeds(trial, seeds) for trial in best[:CONFIRMED]}
        first = max(best[:CONFIRMED], key=lambda t: mean(over[t.number] or [t.value or 0.0]))
        header = ["settings", "trial", "validation accuracy", f"over {seeds} other seeds"]
        rows = [
            [
                _shown(trial.params, self._settings(trial)),
                str(trial.number),
                f"{trial.value:.4f}",
                spread(over[trial.number]) if over.get(trial.number) else ABSENT,
            ]
            for trial in best[:LISTED]
        ]
        winner = " ".join(options(self._settings(first)))
        return (
            f"Trials: {len(states)}, of which {count[TrialState.COMPLETE]} came to the end, "
            f"{count[TrialState.PRUNED]} ended early, {count[TrialState.FAIL]} diverged or failed"
            f"\n\n{table(header, fitted(header, rows))}\n\n"
            f"The winner, trial {first.number}:\ndvc exp run {winner}"
        )

    def _settings(self, trial: FrozenTrial) -> Settings:
        return self.space.suggest(optuna.trial.FixedTrial(trial.params))  # type: ignore[arg-type]

    def _over_seeds(self, trial: FrozenTrial, seeds: int) -> list[float]:
        """Validation accuracies with other seeds; those of a seed with which it diverges are 0."""
        chosen = range(self.seed + 1, self.seed + 1 + seeds)
        for wait in (False, True):  # first what no other process trains, then what they have left
            for seed in chosen:
                name = self._seed_name(trial, seed)
                with suppress(Timeout), self._lock(name).acquire(blocking=wait):
                    if name not in self.study.user_attrs:
                        self.study.set_user_attr(name, self._train(trial, seed, name))
        return [float(self.study.user_attrs[self._seed_name(trial, seed)]) for seed in chosen]

    def _seed_name(self, trial: FrozenTrial, seed: int) -> str:
        return f"{self._name(trial.number)}-seed-{seed}"

    def _train(self, trial: FrozenTrial, seed: int, name: str) -> float:
        print(f"trial {trial.number} with train.seed={seed}")
        value: float | None = 0.0
        with suppress(Diverged):
            value = self.run(
                self.root, name, {**self._settings(trial), SEED: seed}, lambda *_: True
            )
        return value or 0.0


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that are over; those that were interrupted and queued again are not among them."""
    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return [
        trial
        for trial in study.get_trials(states=over)
        if trial.state is not TrialState.FAIL or REASON in trial.user_attrs
    ]


def base_seed(parameters: Mapping[str, Any]) -> int:
    """The seed of all trials."""
    return int(value_of(parameters, SEED))


def _shown(params: Mapping[str, Any], settings: Settings) -> str:
    return ", ".join(f"{key}={settings[key]}" for key in params)


def _best_first(trial: FrozenTrial) -> tuple[float, int]:
    return -(trial.value or 0.0), trial.number
