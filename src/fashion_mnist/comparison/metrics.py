"""The metrics of two revisions beside each other, by the rows of the stages that make them."""

from collections.abc import Iterator
from dataclasses import dataclass

from fashion_mnist.comparison.results import Metrics
from fashion_mnist.comparison.tables import ABSENT, table
from fashion_mnist.evaluation.metrics import METRICS as EVALUATION
from fashion_mnist.pipeline.metric import Metric
from fashion_mnist.training.metrics import METRICS as TRAINING

ROWS = {metric.key: metric for metric in (*EVALUATION, *TRAINING)}
BOUNDS = ("_low", "_high")
"""Ends of the keys of an interval's bounds, which are shown beside their metric."""


@dataclass(frozen=True)
class Change:
    """A metric of two revisions; None where one has not got it."""

    metric: Metric
    old: float | None
    new: float | None

    @property
    def difference(self) -> float | None:
        """New less old."""
        return None if self.old is None or self.new is None else self.new - self.old


def changes(old: Metrics, new: Metrics) -> list[Change]:
    """Every metric of either, those of the test split first; one without a row by its key."""
    keys = sorted({**new, **old}, key=[*ROWS, *new, *old].index)
    return [Change(ROWS.get(key, Metric(key, key)), old.get(key), new.get(key)) for key in keys]


def differing(
    old: Metrics, new: Metrics, names: tuple[str, str], *, markdown: bool = False
) -> str | None:
    """A table of the metrics that differ, with a judgement by direction.

    Args:
        old, new: figures by key.
        names: of the two columns.

    Returns:
        None where nothing differs. Bounds of an interval stand in the row of their metric.
    """
    rows = [
        [
            change.metric.title,
            *(_with_interval(change.metric, metrics) for metrics in (old, new)),
            *_judged(change),
        ]
        for change in changes(old, new)
        if change.difference != 0 and not change.metric.key.endswith(BOUNDS)
    ]
    return table(["metric", *names, "difference", ""], rows, markdown=markdown) if rows else None


def _judged(change: Change) -> Iterator[str]:
    if change.difference is None:
        yield from (ABSENT, "")
    else:
        yield change.metric.shown(change.difference, signed=True)
        yield change.metric.judged(change.difference)


def _with_interval(metric: Metric, metrics: Metrics) -> str:
    if metric.key not in metrics:
        return ABSENT
    text = metric.shown(metrics[metric.key])
    low, high = (metrics.get(metric.key + end) for end in BOUNDS)
    if low is None or high is None:
        return text
    return f"{text} ({metric.shown(low)} to {metric.shown(high)})"
