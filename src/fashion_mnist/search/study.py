"""A search: trials that Optuna suggests, until there are enough, and what came of them."""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState

from fashion_mnist.comparison.summary import spread
from fashion_mnist.comparison.tables import ABSENT, fitted, table
from fashion_mnist.parameters import SEED
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.recipes.recipes import Settings, options
from fashion_mnist.search.space import Space, value_of
from fashion_mnist.search.trials import Diverged

LISTED, CONFIRMED = 10, 3
PROCESS, REASON = "process", "reason"

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
    """

    root: Path
    study: optuna.Study
    space: Space
    seed: int
    run: Run

    def __call__(self, trials: int, seeds: int, seconds: float) -> str:
        """Try until `trials` are finished or `seconds` have passed; the result in words.

        The first three are then trained with `seeds` seeds that the search has not chosen them by.
        """
        end = time.monotonic() + seconds
        self._take_up()
        while len(finished(self.study)) < trials and time.monotonic() < end:
            self._try()
        return self._result(seeds)

    def _take_up(self) -> None:
        """Queue again what a process that is gone from this machine had begun."""
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if _is_over(trial.user_attrs.get(PROCESS)):
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                self.study.enqueue_trial(trial.params)
                print(f"trial {trial.number} was interrupted and is taken up")

    def _try(self) -> None:
        trial = self.study.ask()
        trial.set_user_attr(PROCESS, _this_process())
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
        found = []
        for seed in range(self.seed + 1, self.seed + 1 + seeds):
            name = f"{self._name(trial.number)}-seed-{seed}"
            if name not in self.study.user_attrs:
                print(f"trial {trial.number} with train.seed={seed}")
                settings = {**self._settings(trial), SEED: seed}
                value: float | None = 0.0
                with suppress(Diverged):
                    value = self.run(self.root, name, settings, lambda *_: True)
                self.study.set_user_attr(name, value)
            found.append(float(self.study.user_attrs[name]))
        return found


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


def _this_process() -> list[Any]:
    process = psutil.Process()
    return [socket.gethostname(), process.pid, process.create_time()]


def _is_over(process: list[Any] | None) -> bool:
    """Whether a process was one of this machine and has ended."""
    if process is None or process[0] != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(process[1]).create_time() != process[2])
    except psutil.Error:
        return True
