"""Variants judged over several seeds: by the recipe, not by its luck."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from fashion_mnist.comparison import recorded
from fashion_mnist.comparison.results import Metrics, read_metrics
from fashion_mnist.comparison.revisions import Revision
from fashion_mnist.comparison.tables import ABSENT
from fashion_mnist.parameters import SEED
from fashion_mnist.pipeline.errors import UserError

STAGES = ("prepare", "train", "evaluate")
"""Those that make results; check and fetch only let them start."""

FIGURES = ("validation_accuracy", "accuracy")
"""What is summarized. The first sorts the variants: to choose one by the test split would make
that split's accuracy too good to be true."""


@dataclass(frozen=True)
class Run:
    """One training, as dvc.lock and the metrics of a revision tell it.

    Attributes:
        revision: where it is kept.
        seed: its `train.seed`.
        recipe: every other parameter by dotted key, and by path the hashes of the code and of the
            raw data that the stages ran with.
        metrics: its figures.
    """

    revision: Revision
    seed: int
    recipe: dict[str, str]
    metrics: Metrics

    @property
    def name(self) -> str:
        """Of the revision."""
        return self.revision.name


@dataclass(frozen=True)
class Variant:
    """Runs that differ in the seed alone.

    Attributes:
        name: what tells it from the other variants.
        runs: at least one; several of one seed where machines gave it other figures.
    """

    name: str
    runs: tuple[Run, ...]

    @property
    def by_seed(self) -> dict[int, list[Run]]:
        """The runs of each seed."""
        found: dict[int, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.seed, []).append(run)
        return found

    def values(self, figure: str) -> list[float]:
        """A figure for every seed that has it: the mean over that seed's runs."""
        values = [
            [run.metrics[figure] for run in runs if figure in run.metrics]
            for runs in self.by_seed.values()
        ]
        return [mean(of_seed) for of_seed in values if of_seed]


@dataclass(frozen=True)
class Summary:
    """The variants of a repository, best mean first (see `FIGURES`).

    Attributes:
        variants: at least one.
        baseline: the one of them that the others are judged against, if any.
        shared: parameters in which all others differ from the baseline alike, with its value.
    """

    variants: tuple[Variant, ...]
    baseline: Variant | None
    shared: dict[str, tuple[str, str]]


def read_run(revision: Revision) -> Run:
    """What a revision's results were made of, by its dvc.lock: params.yaml may be ahead of them.

    Raises:
        UserError: the revision has no dvc.lock with a training, or not the results of that run.
    """
    if revision.read(recorded.LOCK) is None:
        raise UserError(f"{revision.name} has no dvc.lock; `dvc repro` writes it")
    try:
        stages = recorded.read_stages(revision, recorded.LOCK)
        recipe: dict[str, str] = {}
        for locked in (stages[stage] for stage in STAGES):
            for section in locked.get("params", {}).values():
                recipe |= recorded.flat(section)
            for dependency in locked.get("deps", []):
                if dependency["path"].startswith(("src/", "stages/", "data/raw")):
                    recipe[dependency["path"]] = dependency["md5"]
        seed = int(recipe.pop(SEED))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{revision.name}: dvc.lock tells of no run of the stage train") from None
    recorded.check_whole(revision)
    metrics = read_metrics(revision)
    if not any(figure in metrics for figure in FIGURES):
        raise UserError(f"{revision.name} has no metrics; `dvc repro` writes them")
    return Run(revision, seed, recipe, metrics)


def summarize(runs: Sequence[Run], baseline: Run | None = None) -> Summary:
    """Group runs by recipe; `baseline` is one of a run that is to be judged against.

    A run that was made twice, as an experiment and as the commit that applied it, counts once.
    """
    groups: dict[str, dict[tuple[float | None, ...], Run]] = {}
    for run in [*runs, *([baseline] if baseline else [])]:
        same = groups.setdefault(_key(run), {})
        same.setdefault((run.seed, *(run.metrics.get(figure) for figure in FIGURES)), run)
    recipes = [next(iter(group.values())).recipe for group in groups.values()]
    at = list(groups).index(_key(baseline)) if baseline else None
    shared = {} if at is None else _shared(recipes[at], recipes[:at] + recipes[at + 1 :])
    names = _names(recipes, set(shared))
    found = [
        Variant(name, tuple(group.values()))
        for name, group in zip(names, groups.values(), strict=True)
    ]
    return Summary(tuple(sorted(found, key=_best_first)), None if at is None else found[at], shared)


def _key(run: Run) -> str:
    return json.dumps(run.recipe, sort_keys=True)


def _best_first(variant: Variant) -> tuple[float, ...]:
    return tuple(-mean(variant.values(figure) or [0.0]) for figure in FIGURES)


def _shared(
    baseline: dict[str, str], others: Sequence[dict[str, str]]
) -> dict[str, tuple[str, str]]:
    """Settings in which two others or more differ from the baseline and not from each other."""
    if len(others) < 2:
        return {}
    found = {
        key: (others[0].get(key, ABSENT), baseline.get(key, ABSENT))
        for key in dict.fromkeys([*others[0], *baseline])
        if "/" not in key and len({other.get(key) for other in others}) == 1
    }
    return {key: (value, was) for key, (value, was) in found.items() if value != was}


def _names(recipes: Sequence[dict[str, str]], without: set[str]) -> list[str]:
    """Each variant's values of the parameters in which any two differ, `without` those named."""
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    differing = [key for key in keys if len({recipe.get(key) for recipe in recipes}) > 1]
    settings = [key for key in differing if "/" not in key and key not in without]
    names = [
        ", ".join(f"{key}={recipe.get(key, ABSENT)}" for key in settings) or "all"
        for recipe in recipes
    ]
    if not any("/" in key for key in differing):
        return names
    sources = [tuple(recipe.get(key) for key in differing if "/" in key) for recipe in recipes]
    order = list(dict.fromkeys(sources))
    return [
        f"{name}, code or data {order.index(source) + 1}"
        for name, source in zip(names, sources, strict=True)
    ]


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, which needs two values."""
    if not values:
        return ABSENT
    return f"{mean(values):.4f} ± {f'{stdev(values):.4f}' if len(values) > 1 else ABSENT}"
