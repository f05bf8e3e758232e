"""What a verdict must be read with: other causes than the change, and each metric's direction."""

from collections.abc import Iterator

from fashion_mnist.comparison.compare import changes
from fashion_mnist.comparison.results import Metrics
from fashion_mnist.comparison.summary import SEED, Run
from fashion_mnist.comparison.tables import number, table

HIGHER_IS_BETTER = {
    "accuracy": True,
    "top2_accuracy": True,
    "macro_f1": True,
    "worst_recall": True,
    "loss": False,
    "ece": False,
    "validation_accuracy": True,
    "validation_loss": False,
}
"""Where there is a better. Training's loss and accuracy have none: they fall and rise with what
augmentation does to the images."""

BOUNDS = ("_low", "_high")
"""Ends of the names of an interval's bounds, which no change makes better or worse."""

ARITHMETIC = ("train.arithmetic", "evaluate.arithmetic", "train.threads", "train.precision")
DEVICE = ("train.device", "evaluate.device")
DATA = ("data/raw", "src/fashion_mnist/data", "stages/prepare.py")
CODE = ("src/fashion_mnist/model", "src/fashion_mnist/pipeline", "src/fashion_mnist/training")

EVALUATION = ("src/fashion_mnist/evaluation", "stages/evaluate.py")


def cautions(base: Run, new: Run) -> list[str]:
    """Sentences on what else than its parameters tells a run from its base, and on single seeds."""
    differing = {
        key for key in base.recipe | new.recipe if base.recipe.get(key) != new.recipe.get(key)
    }
    causes = list(_causes(differing))
    if base.seed != new.seed:
        causes.insert(0, f"{SEED} ({base.seed} → {new.seed})")
    found = []
    if causes:
        found.append(
            f"Besides the parameters {_listed(causes)} changed as well: "
            "the difference may be theirs."
        )
    if "native" in {run.recipe.get("train.arithmetic") for run in (base, new)}:
        found.append("Native arithmetic: another processor acts like another seed.")
    found.append(
        "One seed each: another seed may turn a small difference round; `fashion-mnist summarize` "
        "judges over several."
    )
    return found


def _causes(differing: set[str]) -> Iterator[str]:
    if any(key.startswith(DATA) for key in differing):
        yield "the data or how they are prepared"
    if any(key.startswith((*CODE, "stages/train.py", "stages/__init__.py")) for key in differing):
        yield "the code of training"
    if any(key.startswith(EVALUATION) for key in differing):
        yield "the code of evaluation"
    yield from (key for key in (*ARITHMETIC, *DEVICE) if key in differing)


def _listed(causes: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(causes[:-1]), causes[-1]]))


def metrics_table(base: Metrics, new: Metrics, names: tuple[str, str]) -> str | None:
    """The metrics that differ, those of the test split first, with a judgement by direction.

    Args:
        base, new: figures by name.
        names: of the two columns.

    Returns:
        A Markdown table, or None where nothing differs. Bounds of an interval stand in the row of
        their metric.
    """
    rows = []
    for name, row in changes(base, new).iterrows():
        if str(name).endswith(BOUNDS) or row["difference"] == 0:
            continue
        cells = [_with_interval(str(name), metrics) for metrics in (base, new)]
        difference = number(row["difference"], signed=True)
        rows.append([str(name), *cells, difference, _judged(str(name), row["difference"])])
    return table(["metric", *names, "change", ""], rows, markdown=True) if rows else None


def _with_interval(name: str, metrics: Metrics) -> str:
    text = number(metrics.get(name))
    bounds = [metrics.get(f"{name}{end}") for end in BOUNDS]
    return text if None in bounds else f"{text} ({number(bounds[0])} to {number(bounds[1])})"


def _judged(name: str, difference: float) -> str:
    if name not in HIGHER_IS_BETTER or difference != difference:
        return ""
    return "better" if (difference > 0) == HIGHER_IS_BETTER[name] else "worse"
