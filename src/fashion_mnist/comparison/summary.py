"""Variants judged over several seeds: by the recipe, not by its luck."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist.comparison import recorded
from fashion_mnist.comparison.results import Metrics, read_metrics
from fashion_mnist.comparison.revisions import Revision
from fashion_mnist.comparison.tables import ABSENT, table
from fashion_mnist.pipeline.errors import UserError

SEED = "train.seed"
STAGES = ("prepare", "train", "evaluate")
"""Those that make results; check and fetch only let them start."""

FIGURES = ("validation_accuracy", "accuracy")
"""What is summarized. The first sorts the variants: to choose one by the test split would make
that split's accuracy too good to be true."""


@dataclass(frozen=True)
class Run:
    """One training, as dvc.lock and the metrics of a revision tell it.

    Attributes:
        name: of the revision.
        seed: its `train.seed`.
        recipe: every other parameter by dotted key, and by path the hashes of the code and of the
            raw data that the stages ran with.
        metrics: its figures.
    """

    name: str
    seed: int
    recipe: dict[str, str]
    metrics: Metrics


@dataclass(frozen=True)
class Variant:
    """Runs that differ in the seed alone.

    Attributes:
        name: what tells it from the other variants.
        runs: at least one.
    """

    name: str
    runs: tuple[Run, ...]

    def values(self, figure: str) -> list[float]:
        """A figure of every run that has it."""
        return [run.metrics[figure] for run in self.runs if figure in run.metrics]


def read_run(revision: Revision) -> Run:
    """What a revision's results were made of, by its dvc.lock: params.yaml may be ahead of them.

    Raises:
        UserError: the revision has no dvc.lock with a training, or not the metrics of that run.
    """
    content = revision.read("dvc.lock")
    if content is None:
        raise UserError(f"{revision.name} has no dvc.lock; `dvc repro` writes it")
    try:
        stages = YAML(typ="safe").load(io.BytesIO(content))["stages"]
        recipe: dict[str, str] = {}
        for locked in (stages[stage] for stage in STAGES):
            for section in locked.get("params", {}).values():
                recipe |= flat(section)
            for dependency in locked.get("deps", []):
                if dependency["path"].startswith(("src/", "stages/", "data/raw")):
                    recipe[dependency["path"]] = dependency["md5"]
        seed = int(recipe.pop(SEED))
    except (YAMLError, KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{revision.name}: dvc.lock tells of no run of the stage train") from None
    recorded.check_whole(revision, ["metrics"])
    metrics = read_metrics(revision)
    if not any(figure in metrics for figure in FIGURES):
        raise UserError(f"{revision.name} has no metrics; `dvc repro` writes them")
    return Run(revision.name, seed, recipe, metrics)


def summarize(runs: Sequence[Run]) -> list[Variant]:
    """Group runs by recipe, best mean first (see `FIGURES`).

    A run that was made twice, as an experiment and as the commit that applied it, counts once.
    """
    groups: dict[str, dict[tuple[float | None, ...], Run]] = {}
    for run in runs:
        same = groups.setdefault(json.dumps(run.recipe, sort_keys=True), {})
        same.setdefault((run.seed, *(run.metrics.get(figure) for figure in FIGURES)), run)
    groups_of_runs = [tuple(group.values()) for group in groups.values()]
    names = _names([group[0].recipe for group in groups_of_runs])
    variants = [Variant(*pair) for pair in zip(names, groups_of_runs, strict=True)]
    return sorted(variants, key=_best_first)


def _best_first(variant: Variant) -> tuple[float, ...]:
    return tuple(-mean(variant.values(figure) or [0.0]) for figure in FIGURES)


def _names(recipes: Sequence[dict[str, str]]) -> list[str]:
    """Each variant's values of the parameters in which any two differ."""
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    differing = [key for key in keys if len({recipe.get(key) for recipe in recipes}) > 1]
    settings = [key for key in differing if "/" not in key]
    names = [
        ", ".join(f"{key}={recipe.get(key, ABSENT)}" for key in settings) or "all"
        for recipe in recipes
    ]
    if len(settings) == len(differing):
        return names
    sources = [tuple(recipe.get(key) for key in differing if "/" in key) for recipe in recipes]
    order = list(dict.fromkeys(sources))
    return [
        f"{name}, code or data {order.index(source) + 1}"
        for name, source in zip(names, sources, strict=True)
    ]


def flat(section: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters by dotted key, values as text."""
    found: dict[str, str] = {}
    for key, value in section.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


def text(variants: Sequence[Variant], *, markdown: bool = False) -> str:
    """A row for each variant: count, and mean ± standard deviation of each figure."""
    header = ["variant", "seeds", *(figure.replace("_", " ") for figure in FIGURES)]
    rows = [
        [variant.name, str(len(variant.runs)), *(spread(variant.values(f)) for f in FIGURES)]
        for variant in variants
    ]
    return table(header, rows, markdown=markdown)


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation, which needs two values."""
    if not values:
        return ABSENT
    return f"{mean(values):.4f} ± {f'{stdev(values):.4f}' if len(values) > 1 else ABSENT}"


def as_json(variants: Sequence[Variant]) -> str:
    """Everything, for other programs; a standard deviation needs two runs and is null otherwise."""
    content = [
        {
            "variant": variant.name,
            "runs": {run.name: run.seed for run in variant.runs},
            **{
                figure: {
                    "count": len(values),
                    "mean": mean(values) if values else None,
                    "standard_deviation": stdev(values) if len(values) > 1 else None,
                }
                for figure in FIGURES
                for values in [variant.values(figure)]
            },
        }
        for variant in variants
    ]
    return json.dumps(content, indent=2, ensure_ascii=False)
