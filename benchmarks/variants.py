"""Record the runs of the recipes in benchmarks/runs.csv.

    make variants   # queue recipes on several seeds, and run them
    make table      # record what has run since, and write benchmarks/RESULTS.md anew

A run is an experiment of the committed code and data, whose parameters are those of a recipe. Its
seconds are those that its train stage printed, as DVC kept them: from the start of the process,
imports included. runs.csv and overheads.csv hold what was recorded.
"""

import re
import subprocess
from pathlib import Path

import pandas as pd
from machine import processor

from fashion_mnist.comparison import revisions, summary
from fashion_mnist.comparison.summary import Run
from fashion_mnist.comparison.tables import ABSENT
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.recipes import recipes

HERE = Path(__file__).parent
RUNS = HERE / "runs.csv"
KEY = ["variant", "threads", "machine", "seed"]
FIGURES = ["parameters", "multiply_adds", "validation_accuracy", "accuracy", "ece"]


def known(root: Path) -> dict[str, dict[str, str]]:
    """All that each recipe decides, by dotted key, as text."""
    found = {name: recipes.settings(name, root) for name in recipes.names(root)}
    return {name: {key: str(v) for key, v in chosen.items()} for name, chosen in found.items()}


def record(root: Path) -> pd.DataFrame:
    """The runs of runs.csv, and those of the repository's experiments in place of their like.

    From the variant with the least to compute to that with the most.
    """
    today = known(root)
    committed = summary.read_run(revisions.resolve("HEAD", root)).recipe.items()
    sources = {path: digest for path, digest in committed if "/" in path}
    rows = pd.read_csv(RUNS).to_dict("records") if RUNS.exists() else []
    for experiment in revisions.experiments(root, everywhere=True):
        try:
            run = summary.read_run(experiment)
        except UserError as reason:
            print(f"left out: {reason}")
            continue
        if not sources.items() <= run.recipe.items():
            continue
        names = [name for name, recipe in today.items() if recipe.items() <= run.recipe.items()]
        if names:
            found = row(names[0], today[names[0]], run, *of_log(run))
            # One whose log is gone must not stand beside what was recorded of it before
            if found["seconds"] or not any(_is_same(found, other) for other in rows):
                rows.append(found)
    runs = of_today(pd.DataFrame(rows).drop_duplicates(KEY, keep="last"), today)
    computed = runs["multiply_adds"] * runs["epochs"]
    return runs.assign(c=computed).sort_values(["c", *KEY]).drop(columns="c")


def of_today(runs: pd.DataFrame, today: dict[str, dict[str, str]]) -> pd.DataFrame:
    """Without those of recipes that are gone, or that said otherwise."""
    digests = {name: recipes.digest(recipe) for name, recipe in today.items()}
    kept: pd.DataFrame = runs[runs["variant"].map(digests) == runs["recipe"]]
    return kept


def _is_same(run: dict[str, object], other: dict[str, object]) -> bool:
    return all(run[key] == other[key] for key in ("variant", "threads", "seed", "accuracy"))


def row(
    variant: str, recipe: dict[str, str], run: Run, threads: int | None, seconds: float | None
) -> dict[str, object]:
    """What is recorded of a run; its log is kept on the machine that ran it, and only there."""
    return {
        "variant": variant,
        "recipe": recipes.digest(recipe),
        "threads": threads or ABSENT,
        "seed": run.seed,
        "epochs": int(run.recipe["train.epochs"]),
        "seconds": seconds,
        "machine": processor() if seconds else ABSENT,
        **{figure: run.metrics[figure] for figure in FIGURES},
    }


def of_log(run: Run) -> tuple[int | None, float | None]:
    """Threads of a queued run's train stage, and its seconds; None where it was not in one go."""
    command = ["dvc", "queue", "logs", run.name]
    log = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    threads = re.search(r"^training .*, (\d+) thread", log, re.MULTILINE)
    seconds = re.search(r"^trained in ([\d.]+) s", log, re.MULTILINE)
    if not (threads and seconds) or "taking up" in log:
        return None, None
    return int(threads[1]), float(seconds[1])
