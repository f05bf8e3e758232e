"""Record the runs of the recipes, and make the table of them: benchmarks/RESULTS.md.

    make variants   # queue params.yaml and each of recipes/ on several seeds, and run them
    make table      # record what has run since, and write the table anew

A run is an experiment of the committed code and data, whose parameters are those of a recipe on
top of the committed params.yaml. Its seconds are those that its train stage printed, as DVC kept
them: from the start of the process, imports included. runs.csv and overheads.csv hold what was
recorded.
"""

import re
import subprocess
from pathlib import Path
from statistics import mean

import pandas as pd
from machine import processor
from ruamel.yaml import YAML

from fashion_mnist.comparison import revisions, summary
from fashion_mnist.comparison.summary import Run, flat, spread
from fashion_mnist.comparison.tables import ABSENT, number, table
from fashion_mnist.evaluation.metrics import wilson_interval
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError

HERE = Path(__file__).parent
RUNS = HERE / "runs.csv"
OVERHEADS = HERE / "overheads.csv"
RESULTS = HERE / "RESULTS.md"
COMMITTED = "params.yaml"
SECTIONS = ("prepare", "model", "train")
FREE = {"train.seed", "train.threads", "train.device"}
"""Parameters that a run of a recipe may have otherwise."""

KEY = ["variant", "threads", "machine", "seed"]
FIGURES = ["parameters", "multiply_adds", "validation_accuracy", "accuracy", "ece"]
TEST_IMAGES = 10_000


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
            found = row(names[0], run, seconds_of(run))
            # One whose log is gone must not stand beside what was recorded of it before
            if found["seconds"] or not any(_is_same(found, other) for other in rows):
                rows.append(found)
    runs = pd.DataFrame(rows).drop_duplicates(KEY, keep="last")
    runs = runs[runs["variant"].isin(known)]
    computed = runs["multiply_adds"] * runs["epochs"]
    return runs.assign(c=computed).sort_values(["c", *KEY]).drop(columns="c")


def _is_same(run: dict[str, object], other: dict[str, object]) -> bool:
    return all(run[key] == other[key] for key in ("variant", "threads", "seed", "accuracy"))


def row(variant: str, run: Run, seconds: float | None) -> dict[str, object]:
    """What is recorded of a run; its log is kept on the machine that ran it, and only there."""
    return {
        "variant": variant,
        "threads": int(run.recipe["train.threads"]),
        "seed": run.seed,
        "epochs": int(run.recipe["train.epochs"]),
        "seconds": seconds,
        "machine": processor() if seconds else ABSENT,
        **{figure: run.metrics[figure] for figure in FIGURES},
    }


def seconds_of(run: Run) -> float | None:
    """How long the train stage of a queued run took; None where it did not run in one go."""
    command = ["dvc", "queue", "logs", run.name]
    log = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"^trained in ([\d.]+) s", log, re.MULTILINE)
    return float(found[1]) if found and "taking up" not in log else None


def variants_table(runs: pd.DataFrame) -> str:
    """A row for each recipe, thread count and machine, means and deviations over its seeds."""
    header = ["variant", "parameters", "multiply-adds", "epochs", "threads", "seconds", "seeds"]
    header += ["validation accuracy", "test accuracy", "95 % interval", "ECE", "machine"]
    rows = []
    for (variant, threads, machine), group in runs.groupby(KEY[:3], sort=False):
        low, high = wilson_interval(round(group["accuracy"].mean() * TEST_IMAGES), TEST_IMAGES)
        first = group.iloc[0]
        rows.append(
            [
                variant,
                f"{first['parameters']:,.0f}",
                f"{first['multiply_adds'] / 1e6:.2f} M",
                f"{first['epochs']:.0f}",
                str(threads),
                number(group["seconds"].median().round()),
                str(len(group)),
                spread(list(group["validation_accuracy"])),
                spread(list(group["accuracy"])),
                f"{low:.4f} to {high:.4f}",
                f"{mean(group['ece']):.4f}",
                machine,
            ]
        )
    return table(header, rows, markdown=True)


def overheads_table() -> str:
    """What `make overheads` measured."""
    measured = pd.read_csv(OVERHEADS, dtype=str)
    return table(list(measured.columns), measured.values.tolist(), markdown=True)


def text(runs: pd.DataFrame) -> str:
    """RESULTS.md."""
    parts = [
        "# Results",
        "Written by `make table` from `runs.csv` and `overheads.csv`; not to be edited.",
        "## Variants",
        variants_table(runs),
        "Mean ± standard deviation over seeds. Seconds: median of the train stage from a cold "
        "start, imports included; runs of two threads had the machine to "
        "themselves, those of one thread shared it with others and could be faster. The test "
        f"accuracy is that of the weights that validation chose, on {TEST_IMAGES:,} images, and "
        "the interval is what so many images allow (Wilson).",
        "## Overheads",
        overheads_table(),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Record and write."""
    runs = record(revisions.find_root())
    table = runs.to_csv(index=False, lineterminator="\n")
    files.write({RUNS: table.encode(), RESULTS: text(runs).encode()})
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
