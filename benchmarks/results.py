"""Write benchmarks/RESULTS.md from what the benchmarks have recorded: `make table`."""

from pathlib import Path
from statistics import mean

import pandas as pd
from variants import KEY, RUNS, record

from fashion_mnist.comparison import revisions
from fashion_mnist.comparison.summary import spread
from fashion_mnist.comparison.tables import number, table
from fashion_mnist.evaluation.metrics import wilson_interval
from fashion_mnist.pipeline import files

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
TEST_IMAGES = 10_000


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
    measured = pd.read_csv(HERE / "overheads.csv", dtype=str)
    return table(list(measured.columns), measured.values.tolist(), markdown=True)


def trials_table(trials: pd.DataFrame) -> str:
    """A row for each trial, means over its hold-outs."""
    header = ["recipe", "trial", "parameters", "multiply-adds", "epochs", "seconds"]
    header += ["hold-outs", "validation accuracy"]
    ordered = trials.sort_values("recipe", ascending=False, kind="stable")
    rows = [
        [
            recipe,
            trial.replace("precision=bfloat16, arithmetic=native", "bfloat16"),
            f"{group.iloc[0]['parameters']:,.0f}",
            f"{group.iloc[0]['multiply_adds'] / 1e6:.2f} M",
            str(group.iloc[0]["epochs"]),
            f"{group['seconds'].mean():.0f}",
            str(len(group)),
            spread(list(group["validation_accuracy"])),
        ]
        for (recipe, trial), group in ordered.groupby(["recipe", "trial"], sort=False)
    ]
    return table(header, rows, markdown=True)


def scale_table(measured: pd.DataFrame) -> str:
    """A row for each stage and number of images."""
    header = ["stage", "images", "seconds", "growth", "memory", "of the images", "machine"]
    rows = []
    for stage, group in measured.groupby("stage", sort=False):
        before = None
        for row in group.to_dict("records"):
            held = row["peak"] - row["bare"]
            growth = before and (
                row["seconds"] / before["seconds"] / (row["images"] / before["images"])
            )
            rows.append(
                [
                    stage,
                    f"{row['images']:,}",
                    f"{row['seconds']:.1f}",
                    f"{growth:.2f}" if growth else "",
                    f"{held:.2f} GB",
                    f"{held / row['float32']:.2f}",
                    row["machine"],
                ]
            )
            before = row
    return table(header, rows, markdown=True)


def text(runs: pd.DataFrame) -> str:
    """RESULTS.md."""
    parts = [
        "# Results",
        "Written by `make table` from the CSV files beside it; not to be edited.",
        "## Variants",
        variants_table(runs),
        "Mean ± standard deviation over seeds. Seconds: median of the train stage from a cold "
        "start, imports included; runs of two threads had the machine to "
        "themselves, those of one thread shared it with others and could be faster. The test "
        f"accuracy is that of the weights that validation chose, on {TEST_IMAGES:,} images, and "
        "the interval is what so many images allow (Wilson). The multiply-adds are those of an "
        "answer: with `model.mirror_average` twice those of a forward pass.",
        "## What was tried",
        trials_table(pd.read_csv(HERE / "trials.csv")),
        "`benchmarks/trials.py`: hold-outs of 5,000 training images, a seed each, one thread, by "
        "validation alone. Seconds are the processor's, of the training without its "
        "start; two at a time, on machines of one kind. bfloat16 stands for native arithmetic too. "
        "Names that are no parameters are those of `benchmarks/tried.py`; a teacher is the network "
        "of that recipe, trained on the same images before, in seconds that are not counted.",
        "## As the data grow",
        scale_table(pd.read_csv(HERE / "scale.csv")),
        "`make scale`: one epoch of the committed recipe, and all of its images as test images. "
        "`growth` is that of the seconds over that of the images, from the row above; memory is "
        "the most that the stage held, less what its imports alone hold, and its ratio to the "
        "size of the images as float32.",
        "![Seconds and memory of each stage against images](../docs/pictures/scale.png)",
        "## Overheads",
        overheads_table(),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Record and write."""
    runs = record(revisions.find_root())
    csv = runs.to_csv(index=False, lineterminator="\n")
    files.write({RUNS: csv.encode(), RESULTS: text(runs).encode()})
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
