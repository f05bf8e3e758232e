"""Draw docs/pictures/variants.png: accuracy against what it costs, from runs.csv.

python benchmarks/pictures.py
"""

import io
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fashion_mnist.pipeline import files

HERE = Path(__file__).parent
RUNS = HERE / "runs.csv"
PICTURE = HERE.parent / "docs/pictures/variants.png"
COSTS = {
    "seconds": "Seconds of training, median (logarithmic)",
    "multiply_adds": "Multiply-adds for one image (logarithmic)",
}
COLOURS = {1: "#0b3c7d", 2: "#ee8f00"}
"""By threads; another count is grey."""


def points(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each variant and thread count.

    Columns: `seconds`, the median, NaN where none was recorded; `multiply_adds`; `accuracy`, the
    mean on the test split, and `spread`, its standard deviation over seeds, NaN for a single one.
    """
    return runs.groupby(["variant", "threads"], sort=False, as_index=False).agg(
        seconds=("seconds", "median"),
        multiply_adds=("multiply_adds", "first"),
        accuracy=("accuracy", "mean"),
        spread=("accuracy", "std"),
        seeds=("accuracy", "size"),
    )


def png(runs: pd.DataFrame) -> bytes:
    """The picture, a panel for each of `COSTS`."""
    drawn = points(runs)
    with matplotlib.rc_context(matplotlib.rcParamsDefault):
        figure = Figure(figsize=(9, 4), dpi=100, layout="constrained")
        for axes, (cost, label) in zip(
            figure.subplots(1, 2, sharey=True), COSTS.items(), strict=True
        ):
            for threads, group in drawn.dropna(subset=cost).groupby("threads"):
                axes.errorbar(
                    group[cost],
                    group["accuracy"],
                    yerr=group["spread"].fillna(0),
                    fmt="o",
                    capsize=3,
                    color=COLOURS.get(threads, "#777777"),
                    label=f"{threads} thread{'s' * (threads > 1)}",
                )
            named = drawn.dropna(subset=cost).drop_duplicates("variant", keep="last")
            for row, above in zip(named.itertuples(), named[cost].duplicated(), strict=True):
                axes.annotate(
                    row.variant,
                    (getattr(row, cost), row.accuracy),
                    xytext=(-6, 4) if above else (6, -12),
                    ha="right" if above else "left",
                    textcoords="offset points",
                )
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.margins(x=0.3, y=0.08)
            axes.set_xlabel(label)
            axes.grid(alpha=0.3)
        figure.axes[0].set_ylabel("Test accuracy, mean ± sd over seeds")
        figure.axes[0].legend(loc="lower right")
        canvas = FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


if __name__ == "__main__":
    files.write({PICTURE: png(pd.read_csv(RUNS))})
    print(PICTURE)
