"""Record the runs of the recipes in benchmarks/runs.csv.

    make variants   # queue params.yaml and each of recipes/ on several seeds, and run them
    make table      # record what has run since, and write benchmarks/RESULTS.md anew

A run is an experiment of the committed code and data, whose parameters are those of a recipe on
top of the committed params.yaml. Its seconds are those that its train stage printed, as DVC kept
them: from the start of the process, imports included. runs.csv and overheads.csv hold what was
recorded.
"""

import hashlib
import re
import subprocess
from pathlib import Path

import pandas as pd
from machine import processor
from ruamel.yaml import YAML

from fashion_mnist.comparison import revisions, summary
from fashion_mnist.comparison.recorded import flat
from fashion_mnist.comparison.summary import Run
from fashion_mnist.comparison.tables import ABSENT
from fashion_mnist.pipeline.errors import UserError

HERE = Path(__file__).parent
RUNS = HERE / "runs.csv"
COMMITTED = "params.yaml"
SECTIONS = ("prepare", "model", "train")
FREE = {"train.seed"}
"""Parameters that a run of a recipe may have otherwise."""

KEY = ["variant", "threads", "machine", "seed"]
FIGURES = ["parameters", "multiply_adds", "validation_accuracy", "accuracy", "ece"]


def recipes(root: Path) -> dict[str, dict[str, str]]:
    """The parameters of each recipe by dotted key, without those that are free."""
    yaml = YAML(typ="safe")
    content = yaml.load(root / COMMITTED)
    committed = flat({section: content[section] for section in SECTIONS})
    found = {COMMITTED: committed}
    for path in sorted((root / "recipes").iterdir()):
        changes = re.findall(r"-S (\S+?)=(\S+)", path.read_text())
        found[path.name] = committed | {key: str(yaml.load(value)) for key, value in changes}
    return {name: {k: v for k, v in r.items() if k not in FREE} for name, r in found.items()}


def record(root: Path) -> pd.DataFrame:
    """The runs of runs.csv, and those of the repository's experiments in place of their like.

    From the variant with the least to compute to that with the most.
    """
    known = recipes(root)
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
        names = [name for name, recipe in known.items() if recipe.items() <= run.recipe.items()]
        if names:
            found = row(names[0], known[names[0]], run, *of_log(run))
            # One whose log is gone must not stand beside what was recorded of it before
            if found["seconds"] or not any(_is_same(found, other) for other in rows):
                rows.append(found)
    runs = of_today(pd.DataFrame(rows).drop_duplicates(KEY, keep="last"), known)
    computed = runs["multiply_adds"] * runs["epochs"]
    return runs.assign(c=computed).sort_values(["c", *KEY]).drop(columns="c")


def of_today(runs: pd.DataFrame, known: dict[str, dict[str, str]]) -> pd.DataFrame:
    """Without those of recipes that are gone, or that said otherwise."""
    today = {name: digest(recipe) for name, recipe in known.items()}
    kept: pd.DataFrame = runs[runs["variant"].map(today) == runs["recipe"]]
    return kept


def digest(recipe: dict[str, str]) -> str:
    """By which a recipe is told from what it was before."""
    said = "".join(f"{key}={value}\n" for key, value in sorted(recipe.items()))
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def _is_same(run: dict[str, object], other: dict[str, object]) -> bool:
    return all(run[key] == other[key] for key in ("variant", "threads", "seed", "accuracy"))


def row(
    variant: str, recipe: dict[str, str], run: Run, threads: int | None, seconds: float | None
) -> dict[str, object]:
    """What is recorded of a run; its log is kept on the machine that ran it, and only there."""
    return {
        "variant": variant,
        "recipe": digest(recipe),
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
